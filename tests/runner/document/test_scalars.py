from __future__ import annotations

import pytest

from runner.document.scalars import parse_scalar


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", 0.001),
        ("1.", 1.0),
        (".5", 0.5),
        ("-7", -7),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("true", True),
        ("~", None),
        ("", None),
    ],
)
def test_core_schema_values(text: str, expected: object) -> None:
    value = parse_scalar(text)
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize(
    "text", ["no", "on", "y", "1_000", "0b11", "2001-01-01", "1:30", "e3", "\u0661"]
)
def test_what_yaml_1_1_took_for_values_is_text(text: str) -> None:
    assert parse_scalar(text) == text


@pytest.mark.parametrize("text", [".nan", "-.inf", "1e999", "9223372036854775808", "9" * 5000])
def test_numbers_that_can_not_be_used_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"finite|out of range"):
        parse_scalar(text)
