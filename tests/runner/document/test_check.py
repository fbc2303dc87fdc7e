"""Documents against schemas: one small schema that has every kind of rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.document.check import Checked, check
from runner.document.read import read_document

TEXT = {"type": "string"}
KINDS = {"round": {"radius": {"type": "number", "min": 0}}, "flat": {"side": {"type": "integer"}}}
SCHEMA: dict[str, Any] = {
    "type": "dict",
    "schema": {
        "name": {**TEXT, "required": True, "meta": {"vital": True}},
        "size": {
            "required": True,
            "meta": {
                "forms": [{"type": "integer"}, {"type": "list", "schema": {"type": "integer"}}]
            },
        },
        "shapes": {
            "type": "list",
            "schema": {
                "type": "dict",
                "schema": {"id": TEXT},
                "meta": {"choose": {"key": "use", "noun": "shape", "kinds": KINDS}},
            },
        },
        "open": {
            "type": "dict",
            "keysrules": {"type": "string", "regex": "[a-z]+", "meta": {"expected": "letters"}},
            "valuesrules": {"type": "dict", "schema": {"type": TEXT}},
        },
        "border": {"type": "dict", "schema": {"type": {**TEXT, "allowed": ["min", "max"]}}},
        "free": {"type": "dict"},
    },
    "meta": {
        "spellings": {"dimension": "size"},
        "later": {"colour": "everything is grey"},
        "advice": {"shape": "write a list under `shapes`"},
    },
}


def checked(folder: Path, text: str, **options: Any) -> Checked:
    path = folder / "document.yaml"
    path.write_text(text)
    return check(read_document(path), SCHEMA, **options)


def found(folder: Path, text: str) -> list[str]:
    """Problems of `text` after two good lines, as `line:column: message | hint`."""
    result = checked(folder, f"name: n\nsize: 1\n{text}\n")
    return [
        f"{p.location.line}:{p.location.column}: {p.message}" + (f" | {p.hint}" if p.hint else "")
        for p in result.problems
    ]


@pytest.mark.parametrize(
    "text",
    [
        "shapes: [{use: round, radius: 1}, {use: flat, side: 2, id: x}]",
        "shapes: []",
        "open: {a: {type: x}, type: {type: y}}",
        "border: {type: min}",
        "free: {a: [1]}",
    ],
)
def test_what_fits(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == []


@pytest.mark.parametrize("size", ["1", "[1, 2]"])
def test_alternatives_by_type(tmp_path: Path, size: str) -> None:
    assert checked(tmp_path, f"name: n\nsize: {size}\n").problems == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bordr: {}", "3:1: unknown key 'bordr' - did you mean 'border'?"),
        (
            "xyz: {}",
            "3:1: unknown key 'xyz' | valid keys: name, size, shapes, open, border, free",
        ),
        ("dimension: 1", "3:1: unknown key 'dimension'; here it is called 'size'"),
        ("colour: red", "3:1: 'colour' is not in this version | everything is grey"),
        ("shape: {}", "3:1: unknown key 'shape' | write a list under `shapes`"),
        (
            "border: {type: mim}",
            "3:16: unknown type 'mim'; expected 'min' or 'max' - did you mean 'min'?",
        ),
        ("border: [{type: min}]", "3:9: 'border' is a list; expected a mapping"),
        ("border: {type: {type: min}}", "3:16: 'type' is a mapping; expected 'min' or 'max'"),
        ("border:", "3:1: 'border' is empty; expected a mapping"),
        ("shapes: {type: q}", "3:9: 'shapes' is a mapping; expected a list"),
        ("shapes: [7]", "3:10: item 1 of 'shapes' is 7; expected a mapping"),
        (
            "shapes: [{id: a}]",
            "3:10: missing key 'use' in item 1 of 'shapes'; expected 'round' or 'flat'",
        ),
        ("shapes: [{use: [], x: 1}]", "3:16: 'use' is an empty list; expected 'round' or 'flat'"),
        (
            "shapes: [{use: roun, x: 1}]",
            "3:16: unknown shape 'roun'; expected 'round' or 'flat' - did you mean 'round'?",
        ),
        (
            "shapes: [{use: flat, radius: 1}]",
            "3:22: unknown key 'radius' in item 1 of 'shapes' | valid keys: id, use, side",
        ),
        (
            "shapes: [{use: round, radius: true}]",
            "3:31: 'radius' is true; expected a number of at least 0",
        ),
        ("shapes: [{use: flat, side: 1.0}]", "3:28: 'side' is 1.0; expected an integer"),
        ("open: {A: {}}", "3:8: the name 'A' can't be used; expected letters"),
        (
            "open: {a: {tpe: x}}",
            "3:12: unknown key 'tpe' in 'a' - did you mean 'type'?",
        ),
        ("open: {a: 1}", "3:11: 'a' is 1; expected a mapping"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, text: str, expected: str) -> None:
    assert found(tmp_path, text) == [expected]


def test_missing_keys_stand_at_the_first_line(tmp_path: Path) -> None:
    result = checked(tmp_path, "\nfree: {}\n")
    assert sorted(str(p).splitlines()[0].split(".yaml")[1] for p in result.problems) == [
        ":2:1: missing key 'name'; expected a text",
        ":2:1: missing key 'size'; expected an integer or a list",
    ]


def test_fragments_need_only_what_is_vital(tmp_path: Path) -> None:
    result = checked(tmp_path, "free: {}\n", is_fragment=True)
    assert [p.message for p in result.problems] == ["missing key 'name'; expected a text"]


def test_what_is_wrong_is_left_out_of_the_value(tmp_path: Path) -> None:
    result = checked(tmp_path, "name: n\nsize: [1, x]\nshapes: [7, {use: flat, side: a}]\nfoo: 1\n")
    assert result.value == {"name": "n", "shapes": [{}, {"use": "flat"}]}
    assert result.written["foo"] == 1
