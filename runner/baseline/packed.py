"""Numbers per sample as lines of text, of which a changed sample changes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

ANSWERS, NUMBERS = "answers", "numbers"
ANSWERS_PER_LINE = 64
NUMBERS_PER_LINE = 8
DIGITS = 9
"""Significant digits, enough for intervals; the metric itself is kept as it is."""

Packed = Mapping[str, Sequence[str]]


def pack(parts: Sequence[float]) -> Packed:
    """Ones and zeros where there is nothing else, else numbers.

    >>> pack([1.0, 0.0, 1.0]), pack([0.5, 1.0])
    ({'answers': ['101']}, {'numbers': ['0.5 1']})
    """
    if all(part in (0, 1) for part in parts):
        text = "".join(str(int(part)) for part in parts)
        starts = range(0, len(text), ANSWERS_PER_LINE)
        return {ANSWERS: [text[i : i + ANSWERS_PER_LINE] for i in starts]}
    words = [f"{part:.{DIGITS}g}" for part in parts]
    starts = range(0, len(words), NUMBERS_PER_LINE)
    return {NUMBERS: [" ".join(words[i : i + NUMBERS_PER_LINE]) for i in starts]}


def unpack(packed: Packed) -> tuple[float, ...]:
    """The numbers that were packed.

    Raises:
        ValueError: a line holds something else.
    """
    answers = "".join(packed.get(ANSWERS, ()))
    if set(answers) - {"0", "1"}:
        message = "answers are 0 or 1"
        raise ValueError(message)
    numbers = " ".join(packed.get(NUMBERS, ())).split()
    return (*map(float, answers), *map(float, numbers))
