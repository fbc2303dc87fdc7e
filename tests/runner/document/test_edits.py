"""The grammar of edits, and what each does to a document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.document.apply_edit import apply_edit, apply_edits
from runner.document.build import build
from runner.document.edits import Action, parse_edit, parse_entries
from runner.document.source import source_of
from runner.document.syntax import compose
from runner.document.tree import Tree, document_of, plain_value, tree_of
from runner.errors import DocumentError

TEXT = """\
name: net
tags: [a, b]
steps:
  - {id: q, use: D, with: {preset: mixed}}
  - use: E
expect:
  - {metric: m, max_drop: 0.1}
"""


def tree(text: str = TEXT, path: str = "r.yaml") -> Tree:
    source = source_of(Path(path), text)
    node = compose(source)
    assert node is not None
    built = build(source, node)
    return tree_of(built.value, built.locations, built.key_locations)


def edited(*edits: str, text: str = TEXT) -> Any:
    return plain_value(apply_edits(tree(text), [parse_edit(each) for each in edits]))


@pytest.mark.parametrize(
    ("edit", "text", "expected"),
    [
        ("a=1", "{}", {"a": 1}),
        ("a=1", "{a: {b: 2}}", {"a": 1}),
        ("a.b=1", "{a: {c: 2}}", {"a": {"c": 2, "b": 1}}),
        ("a.b.c=x", "{}", {"a": {"b": {"c": "x"}}}),
        ("a=[1, {b: 2}]", "{}", {"a": [1, {"b": 2}]}),
        ("a=", "{}", {"a": None}),
        ("a=b=c", "{}", {"a": "b=c"}),
        ("a='1'", "{}", {"a": "1"}),
        ("a=1e-3", "{}", {"a": 0.001}),
        ('a."b.c=d".e=1', "{}", {"a": {"b.c=d": {"e": 1}}}),
        ("a/b:0.c=1", "{}", {"a/b:0": {"c": 1}}),
        ("+a=1", "{}", {"a": 1}),
        ("+a.b=1", "{a: {}}", {"a": {"b": 1}}),
        ("+a=3", "{a: [1, 2]}", {"a": [1, 2, 3]}),
        ("+a=[3, 4]", "{a: [1, 2]}", {"a": [1, 2, 3, 4]}),
        ("+a=[]", "{a: []}", {"a": []}),
        ("~a", "{a: 1, b: 2}", {"b": 2}),
        ("~a.b", "{a: {b: 1}}", {"a": {}}),
        ("~a.x", "{a: [x, y]}", {"a": ["y"]}),
        ("~a.0", "{a: [x, y]}", {"a": ["y"]}),
        ("~a.5", "{a: [4, 5]}", {"a": [4]}),
        ("a.x=z", "{a: [x, y]}", {"a": ["z", "y"]}),
        ("a.q.n=2", "{a: [{id: q, n: 1}, {id: r}]}", {"a": [{"id": "q", "n": 2}, {"id": "r"}]}),
        ("a.D.n=2", "{a: [{use: D}]}", {"a": [{"use": "D", "n": 2}]}),
        ("a.0.n=2", "{a: [{m: D}]}", {"a": [{"m": "D", "n": 2}]}),
        ("a.q={n: 2}", "{a: [{id: q, n: 1}]}", {"a": [{"id": "q", "n": 2}]}),
        ("a.D={use: D}", "{a: [{use: D, n: 1}]}", {"a": [{"use": "D"}]}),
        ("a.0={n: 2}", "{a: [{id: q, n: 1}]}", {"a": [{"n": 2}]}),
        ("+a.r={n: 2}", "{a: [{id: q}]}", {"a": [{"id": "q"}, {"id": "r", "n": 2}]}),
        ("+a.E={use: E}", "{a: [{id: q}]}", {"a": [{"id": "q"}, {"use": "E"}]}),
    ],
)
def test_edits(edit: str, text: str, expected: Any) -> None:
    assert edited(edit, text=text) == expected


@pytest.mark.parametrize(
    ("edit", "place", "message"),
    [
        ("", "--set ^", "expected a name here"),
        ("a..b=1", "--set a.^.b=1", "expected a name here"),
        ("=1", "--set ^=1", "expected a name here"),
        ("a", "--set a^", "expected '=' and a value"),
        ('"a"b=1', '--set "a"^b=1', "expected '=' and a value"),
        ('"a=1', '--set ^"a=1', "expected a name here"),
        ("~a=1", "--set ~a^=1", "a removal takes no value"),
        ("a=[1", "--set a=[1^", "the file ends before the closing ']'"),
        (
            "a=!!python/object:x 1",
            "--set a=^!!python",
            "the tag '!!python/object:x' is not allowed",
        ),
        ("a={b: .nan}", "--set a={b: ^.nan}", ".nan is not a number that can be used"),
        ("~x", "--set ~^x", "there is no 'x' to remove"),
        ("~tag", "--set ~^tag", "did you mean 'tags'?"),
        ("~x.y", "--set ~^x.y", "there is no 'x' to remove"),
        ("name.x=1", "--set name.^x=1", "'name' is neither a mapping nor a list"),
        (
            "steps.r.with=1",
            "--set steps.^r.with=1",
            "the list has no item 'r'; it has 'q' and 'E'",
        ),
        ("steps.2.with=1", "--set steps.^2.with=1", "the list has no item '2'"),
        ("expect.x=1", "--set expect.^x=1", "the list has no item 'x'"),
        ("+name=x", "--set +^name=x", "'name' is there already; see r.yaml:1:7"),
        ("+steps.q={use: D}", "--set +steps.^q=", "'q' is there already"),
        ("+steps.r={id: s}", "--set +steps.r={id: ^s}", "this item is called 's'"),
        (".".join("a" * 33) + "=1", "", "more than 32 levels of nesting"),
    ],
)
def test_what_is_no_edit_is_told_at_its_place(edit: str, place: str, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        edited(edit)
    (problem,) = caught.value.problems
    assert message in str(problem)
    assert str(problem.location).startswith("command line:1:")
    if place:
        assert problem.location.column == place.index("^") + 1


def test_all_edits_that_can_not_be_made_are_told() -> None:
    with pytest.raises(DocumentError) as caught:
        edited("~x", "name=y", "~z")
    assert len(caught.value.problems) == 2


def test_places_point_at_what_wrote_each_value() -> None:
    edits = [parse_edit("~steps.q"), parse_edit("+steps.z={use: F}"), parse_edit("a.b=1")]
    document = document_of(Path("r.yaml"), apply_edits(tree(), edits))
    assert document.value["steps"] == [{"use": "E"}, {"id": "z", "use": "F"}]
    assert document.locations["steps", 0, "use"].line == 5
    added = document.locations["steps", 1, "use"]
    assert added.source[added.column - 1 :] == "F}"
    assert document.key_locations["a", "b"].column == len("--set a.") + 1
    assert document.locations["a", "b"].column == len("--set a.b=") + 1


def test_entries_of_a_mapping_are_edits_that_know_their_places() -> None:
    edits = parse_entries(tree("a.b: 1\n'+c': [2]\n~d:\n"))
    found = [(each.action, [name.text for name in each.path]) for each in edits]
    assert found == [
        (Action.SET, ["a", "b"]),
        (Action.ADD, ["c"]),
        (Action.REMOVE, ["d"]),
    ]
    places = [(each.path[-1].location.line, each.path[-1].location.column) for each in edits]
    assert places == [(1, 3), (2, 3), (3, 2)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b: 1\n", "r.yaml:1:2: a key of edits is a path"),
        ("~a: 1\n", "r.yaml:1:5: a removal takes no value, but this is 1"),
        ("a..b: 1\n", "r.yaml:1:3: expected a name here"),
        ('"\\x61..b": 1\n', "r.yaml:1:1: expected a name here"),
    ],
)
def test_entries_that_are_no_edits(text: str, expected: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_entries(tree(text))
    assert str(caught.value).startswith(expected)


NAMES = st.text('ab.="é ', min_size=1, max_size=3).filter(lambda name: '"' not in name)
SCALARS = st.integers(-9, 9) | st.text("xyz", max_size=3) | st.booleans()


@given(path=st.lists(NAMES, min_size=1, max_size=4), value=SCALARS)
def test_what_was_set_stands_there_and_can_be_removed(path: list[str], value: Any) -> None:
    written = ".".join(f'"{name}"' for name in path)
    text = f"'{value}'" if isinstance(value, str) else str(value).lower()
    start = tree("{}")
    after = apply_edit(start, parse_edit(f"{written}={text}"))
    found = plain_value(after)
    for name in path:
        found = found[name]
    assert found == value
    before = plain_value(apply_edit(after, parse_edit(f"~{written}")))
    for name in path[:-1]:
        before = before[name]
    assert before == {}


@given(text=st.text(max_size=20))
def test_any_text_is_an_edit_or_an_error_of_ours(text: str) -> None:
    try:
        printed = str(edited(text))
    except DocumentError as error:
        printed = str(error)
    assert printed
