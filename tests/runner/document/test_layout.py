"""The layout of documents: order, spaces, and what has to survive both."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recipes
from runner.document.layout import laid_out
from runner.document.read import read_source
from runner.document.source import load_source, source_of
from runner.document.spans import comments, read_spans
from runner.errors import DocumentError
from runner.recipe.schemas.recipe import RECIPE
from tests.runner.recipe.written import FULL

SHIPPED = sorted(Path(recipes.__file__).parent.rglob("*.yaml"))


def formatted(text: str) -> str:
    return laid_out(source_of(Path("a.yaml"), text), RECIPE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("name: a\nrecipe: 1\n", "recipe: 1\nname: a\n"),
        ("# top\n\nname: a\n# one\nrecipe: 1  # b\n", "# top\n\n# one\nrecipe: 1  # b\nname: a\n"),
        ("steps: [{with: {seed: 1}, use: D, id: q}]\n",) * 2,
        (
            "steps: [{with: {seed: 1, preset: mixed}, use: MinMaxQuantization,   id: q}]\n",
            "steps: [{id: q, use: MinMaxQuantization, with: {preset: mixed, seed: 1}}]\n",
        ),
        (
            "steps:\n- with:\n    seed: 1\n    # p\n    preset: mixed\n  use: MinMaxQuantization\n",
            "steps:\n  - use: MinMaxQuantization\n    with:\n    # p\n"
            "      preset: mixed\n      seed: 1\n",
        ),
        ("vars: {b: 1, a: 2}\n",) * 2,
        ("metadata:\n  tags: [a]\n  <<: {owner: y, title: x}\n",) * 2,
        ("name:   'a'\nvars: {a:   0o17, b: 1e-3, c: \"x\"}\n", None),
    ],
)
def test_layout(before: str, after: str | None) -> None:
    expected = "name: 'a'\nvars: {a: 0o17, b: 1e-3, c: \"x\"}\n" if after is None else after
    assert formatted(before) == expected


def test_an_anchor_stays_before_its_alias() -> None:
    text = "expect: &e []\nrecipe: 1\nsteps: *e\n"
    assert formatted(text) == text


def test_lines_are_not_joined_beyond_the_width() -> None:
    words = ", ".join(f"word{i}" for i in range(12))
    text = f"metadata:\n  tags: [{words},\n         {words}]\n"
    assert formatted(text) == text


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_recipes_that_ship_have_the_layout(path: Path) -> None:
    source = load_source(path)
    assert laid_out(source, RECIPE) == source.text


def test_a_hash_in_a_text_is_no_comment() -> None:
    text = "a: 'x # y' # one\n# two\nb: x#y\nc: |\n  # z\nd: [1, # three\n  2]\n"
    assert comments(text, read_spans(text)) == ["# one", "# two", "# three"]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), share=st.floats(0, 0.5))
def test_values_and_comments_stay_and_once_is_enough(seed: int, share: float) -> None:
    """A recipe with its parts shuffled, and comments put anywhere between the lines."""
    source = random.Random(seed)
    blocks = re.split(r"\n(?! )", FULL.strip())
    source.shuffle(blocks)
    lines = [line for block in blocks for line in block.split("\n")]
    written = []
    for i, line in enumerate(lines):
        if source.random() < share:
            written.append(f"{' ' * source.choice([0, 2, 4])}# above {i}")
        written.append(f"{line}  # {i}" if source.random() < share else line)
        written += [""] * (source.random() < share)
    text = "\n".join(written) + "\n"
    try:
        before = read_source(source_of(Path("a.yaml"), text)).value
    except DocumentError:
        return  # an alias before its anchor
    after = formatted(text)
    assert read_source(source_of(Path("a.yaml"), after)).value == before
    assert sorted(comments(after, read_spans(after))) == sorted(comments(text, read_spans(text)))
    assert formatted(after) == after
