"""Items added to a YAML text leave everything else as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.document.build import build
from runner.document.document import value_at
from runner.document.insert import with_items
from runner.document.source import source_of
from runner.document.syntax import compose
from runner.errors import DocumentError

PATH = ("steps", 0, "with", "ignored", "scope")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    id: str
    before: str
    after: str


CASES = (
    Case(
        id="step alone",
        before="steps:\n  - id: q  # first\n    use: D  # why\n\n# end\n",
        after="steps:\n  - id: q  # first\n    use: D  # why\n"
        "    with: {ignored: {scope: [a/b, c]}}\n\n# end\n",
    ),
    Case(
        id="step in braces",
        before="steps: [{use: D}]\n",
        after="steps: [{use: D, with: {ignored: {scope: [a/b, c]}}}]\n",
    ),
    Case(
        id="parameters in braces",
        before="steps:\n- use: D\n  with: { preset: mixed }  # all\n",
        after="steps:\n- use: D\n  with: { preset: mixed, ignored: {scope: [a/b, c]} }  # all\n",
    ),
    Case(
        id="no parameters",
        before="steps:\n- use: D\n  with: {}\n",
        after="steps:\n- use: D\n  with: {ignored: {scope: [a/b, c]}}\n",
    ),
    Case(
        id="parameters in lines",
        before="steps:\n  - use: D\n    with:\n      # why mixed\n      preset: mixed  # so\n"
        "      weights:\n        bits: 8\nname: x\n",
        after="steps:\n  - use: D\n    with:\n      # why mixed\n      preset: mixed  # so\n"
        "      ignored: {scope: [a/b, c]}\n      weights:\n        bits: 8\nname: x\n",
    ),
    Case(
        id="only nested parameters",
        before="steps:\n  - use: D\n    with:\n      weights:\n        bits: 8\n",
        after="steps:\n  - use: D\n    with:\n      ignored: {scope: [a/b, c]}\n      weights:\n"
        "        bits: 8\n",
    ),
    Case(
        id="other kinds of ignored",
        before="steps:\n  - use: D\n    with: {ignored: {patterns: ['x.*']}}\n",
        after="steps:\n  - use: D\n    with: {ignored: {patterns: ['x.*'], scope: [a/b, c]}}\n",
    ),
    Case(
        id="a list in brackets",
        before="steps:\n  - use: D\n    with: {ignored: {scope: [z,\n      c]}}  # two\n",
        after="steps:\n  - use: D\n    with: {ignored: {scope: [z,\n      c, a/b]}}  # two\n",
    ),
    Case(
        id="a list in lines",
        before="steps:\n  - use: D\n    with:\n      ignored:\n        scope:\n"
        "          - z  # why\n      preset: mixed\n",
        after="steps:\n  - use: D\n    with:\n      ignored:\n        scope:\n"
        "          - z  # why\n          - a/b\n          - c\n      preset: mixed\n",
    ),
    Case(
        id="no line end",
        before="steps:\n- use: D",
        after="steps:\n- use: D\n  with: {ignored: {scope: [a/b, c]}}\n",
    ),
    Case(
        id="nothing new",
        before="steps: [{use: D, with: {ignored: {scope: [c, a/b]}}}]\n",
        after="steps: [{use: D, with: {ignored: {scope: [c, a/b]}}}]\n",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_layout_stays(case: Case) -> None:
    text = with_items(source_of(Path("r.yaml"), case.before), PATH, ("a/b", "c"))
    assert text == case.after


@pytest.mark.parametrize("name", ["1", "true", "a: b", "a #b", "'", '"', "[x]", "Ünï/ö", "-", ""])
def test_names_come_back_as_they_are(name: str) -> None:
    source = source_of(Path("r.yaml"), "steps: [{use: D}]\n")
    again = source_of(Path("r.yaml"), with_items(source, PATH, (name,)))
    node = compose(again)
    assert node is not None
    assert value_at(build(again, node).value, PATH) == [name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: [{use: D, with: {ignored: '${all}'}}]\n", "no mapping"),
        ("steps: [{use: D, with: {ignored: {scope: '${all}'}}}]\n", "no list"),
        ("x: &a {}\nsteps: [{use: D, with: *a}]\n", "an alias refers to it"),
    ],
)
def test_what_can_not_be_added_to(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        with_items(source_of(Path("r.yaml"), text), PATH, ("a",))
