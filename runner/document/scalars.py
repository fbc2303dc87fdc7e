"""Plain YAML scalars to values, by the core schema of YAML 1.2.

Written out here rather than left to the YAML library, which takes octal `010`, binary `0b1` and
`1_000` for numbers as YAML 1.1 did. Source: YAML 1.2.2 section 10.3.2.
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

LARGEST = 2**63
"""Integers beyond 64 bits are refused: no recipe needs them, and floats can't hold them."""

WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
DECIMAL = re.compile(r"[-+]?[0-9]+", re.ASCII)
OCTAL = re.compile(r"0o[0-7]+", re.ASCII)
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+", re.ASCII)
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
LONGEST = 400


def parse_scalar(text: str) -> Scalar:
    """The value of a plain scalar.

    Raises:
        ValueError: for numbers that are not finite or out of range.

    >>> [parse_scalar(text) for text in ("1e-3", "no", "0o17", "010", "1_000", "~")]
    [0.001, 'no', 15, 10, '1_000', None]
    """
    if text in WORDS:
        return WORDS[text]
    if NOT_FINITE.fullmatch(text):
        message = (
            f"{text} is not a number that can be used; write a finite one, or quote it as text"
        )
        raise ValueError(message)
    return _parse_number(text)


def _parse_number(text: str) -> Scalar:
    for pattern, base in ((DECIMAL, 10), (OCTAL, 8), (HEXADECIMAL, 16)):
        if pattern.fullmatch(text):
            return _in_range(int(text, base) if len(text) < LONGEST else math.inf)
    if FLOAT.fullmatch(text):
        return _in_range(float(text))
    return text


def _in_range(value: float) -> float:
    if math.isinf(value) or (isinstance(value, int) and abs(value) >= LARGEST):
        message = "this number is out of range; write one that a 64-bit number can hold"
        raise ValueError(message)
    return value
