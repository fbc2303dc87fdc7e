"""What `--over` takes, and errors that point into it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import RecipeError
from runner.sweep.front import Pair, pareto_front
from runner.sweep.space import (
    Range,
    edits_at,
    expect_distinct,
    grid,
    parse_axis,
    sample_points,
    values_at,
)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b=x,y", ["x", "y"]),
        ("a=1, 2.5 ,true,~", [1, 2.5, True, None]),
        ("a=[[1, 2], {b: c}]", [[1, 2], {"b": "c"}]),
        ("a=3", [3]),
        ("a=mixed", ["mixed"]),
    ],
)
def test_choices(text: str, values: list[Any]) -> None:
    axis = parse_axis(text)
    keys = axis.keys()
    assert keys is not None
    assert [axis.value(key) for key in keys] == values


@pytest.mark.parametrize(
    ("text", "found", "values"),
    [
        ("a=50..300", Range(low=50, high=300), 251),
        ("a=-2..2", Range(low=-2, high=2), 5),
        ("a=50..300:50", Range(low=50, high=300, step=50), 6),
        ("a=0.1..0.9:0.2", Range(low=0.1, high=0.9, step=0.2), 5),
        ("a=0.1..0.9", Range(low=0.1, high=0.9), None),
        ("a=1e-4..1:log", Range(low=1e-4, high=1, is_log=True), None),
    ],
)
def test_ranges(text: str, found: Range, values: int | None) -> None:
    axis = parse_axis(text)
    assert axis.range == found
    keys = axis.keys()
    assert values == (None if keys is None else len(keys))


@pytest.mark.parametrize(
    ("text", "words", "column"),
    [
        ("a=1,,2", "expected a value here", 12),
        ("a=x,y,x", "the value is repeated", 14),
        ("a=[]", "there is nothing to choose from", 10),
        ("a=9..3", "the range ends at 3, which is not above 9", 10),
        ("a=x..3", "expected a number, but this is 'x'", 10),
        ("a=0..3:log", "a logarithm needs numbers above 0, but this begins at 0", 10),
        ("a=0..3:7", "a step lies above 0 and within the range, but this is 7", 10),
        ("a=1..2:fast", "expected a number, but this is 'fast'", 15),
        ("~a", "a sweep sets values; it can't add or remove", 9),
        ("a", "expected '=' and a value behind the path", 9),
    ],
)
def test_errors_point_into_the_option(text: str, words: str, column: int) -> None:
    with pytest.raises(RecipeError, match="command line:1") as caught:
        parse_axis(text)
    (problem,) = caught.value.problems
    assert (problem.message, problem.location.column) == (words, column)


def test_a_place_is_varied_once() -> None:
    with pytest.raises(RecipeError, match=r"'a\.b' is varied already"):
        expect_distinct([parse_axis("a.b=1,2"), parse_axis("a.b=3,4")])


def test_points_of_a_small_sweep_are_all_of_them() -> None:
    axes = [parse_axis("a=x,y"), parse_axis("b=1..3")]
    points = grid(axes, 6)
    assert points is not None
    assert [values_at(axes, each) for each in points] == [
        {"a": a, "b": b} for a in "xy" for b in (1, 2, 3)
    ]
    assert grid(axes, 5) is None
    assert sample_points(axes, 5) == ((0, 1), (1, 1), (0, 3))


def test_names_are_spelled_as_edits_take_them() -> None:
    axis = parse_axis('a."b.c".d=1,2')
    assert axis.name == 'a."b.c".d'


def test_edits_set_the_values() -> None:
    axes = [parse_axis("a=x,y"), parse_axis("b.c=1..9")]
    first, second = edits_at(axes, (1, 7))
    assert [name.text for name in second.path] == ["b", "c"]
    assert first.value is not None
    assert second.value is not None
    assert (first.value.value, second.value.value) == ("y", 7)


pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12)


@given(pairs)
def test_the_front_is_what_nothing_beats(found: list[Pair]) -> None:
    def beats(a: Pair, b: Pair) -> bool:
        return a != b and a[0] >= b[0] and a[1] >= b[1]

    expected = {i for i, b in enumerate(found) if not any(beats(a, b) for a in found)}
    front = pareto_front(found)
    assert set(front) == expected
    assert [found[i][0] for i in front] == sorted((found[i][0] for i in front), reverse=True)
