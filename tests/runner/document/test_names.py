from __future__ import annotations

import pytest

from runner.document.names import nearest, shown


@pytest.mark.parametrize(
    ("name", "expected"),
    [("presett", "preset"), ("SEED", "seed"), ("stat", "stat_subset_size"), ("x", None)],
)
def test_nearest_name(name: str, expected: str | None) -> None:
    assert nearest(name, ["preset", "seed", "stat_subset_size"]) == expected


def test_a_beginning_of_several_names_is_none_of_them() -> None:
    assert nearest("max", ["maximal_drop", "max_iterations"]) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "empty"),
        (True, "true"),
        ("a", "'a'"),
        ({}, "an empty mapping"),
        ([1, 2], "[1, 2]"),
        ([{}], "a list"),
    ],
)
def test_found_values_in_words(value: object, expected: str) -> None:
    assert shown(value) == expected


def test_long_values_are_cut() -> None:
    assert len(shown("a" * 1000)) < 80
