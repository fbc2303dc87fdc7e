from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.document.read import read_document
from runner.recipe.interpolate import Interpolated, interpolate

HEAD = "recipe: 1\nname: net\nvars: {n: 3, share: 0.5, on: true, word: abc}\n"


def interpolated(folder: Path, value: str, key: str = "metadata") -> Interpolated:
    path = folder / "recipe.yaml"
    path.write_text(f"{HEAD}{key}: {value}\n")
    return interpolate(read_document(path), "cpu")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${n}", 3),
        ("${share}", 0.5),
        ("${on}", True),
        ("${word}", "abc"),
        ("${n}-${word}", "3-abc"),
        ("${on}!", "true!"),
        ("${name}/${target}", "net/cpu"),
        ("$${n}", "${n}"),
        ("$${n}${n}", "${n}3"),
        ("$n $ {n} conv$", "$n $ {n} conv$"),
    ],
)
def test_references(tmp_path: Path, text: str, expected: Any) -> None:
    result = interpolated(tmp_path, f"{{title: ['{text}']}}")
    assert (result.value["metadata"], result.problems) == ({"title": [expected]}, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${nn}", "unknown reference '${nn}' - did you mean 'n'?"),
        ("${n + 1}", "unknown reference '${n + 1}'"),
        ("${n", "the reference has no closing '}'"),
        ("${}", "unknown reference '${}'"),
        ("${env:HOME}", "the environment variable 'HOME' is not allowed"),
    ],
)
def test_what_is_no_reference(tmp_path: Path, text: str, expected: str) -> None:
    result = interpolated(tmp_path, f"'{text}'")
    assert [p.message for p in result.problems] == [expected]
    assert result.unresolved == {result.problems[0].location}


def test_targets_can_not_refer_to_the_target(tmp_path: Path) -> None:
    result = interpolated(tmp_path, "['${word}', '${target}']", key="targets")
    assert [p.message for p in result.problems] == ["unknown reference '${target}'"]


def test_names_that_were_used(tmp_path: Path) -> None:
    assert interpolated(tmp_path, "'${n}${word}'").used == {"n", "word"}
