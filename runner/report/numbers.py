"""Numbers for people; nothing here is compared with a bound."""

from __future__ import annotations

import math

NONE = "-"


def finite(value: float | None) -> float | None:
    """The value, or None where it is not finite."""
    return value if value is not None and math.isfinite(value) else None


def number(value: float | None) -> str:
    """A value in a handful of digits.

    >>> number(0.99428571), number(12345.678), number(-0.0), number(None)
    ('0.9943', '12,346', '0', '-')
    """
    if value is None:
        return NONE
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 1 or abs(value) < 1e-4 else f"{value:.4f}"


def percent(value: float | None) -> str:
    """A share.

    >>> percent(0.1234), percent(None)
    ('12.3 %', '-')
    """
    return NONE if value is None else f"{value:.1%}".replace("%", " %")


def size(value: float) -> str:
    """Bytes in a unit that reads well.

    >>> size(532_000), size(12)
    ('532.0 kB', '12 B')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= scale:
            return f"{value / scale:.1f} {unit}"
    return f"{value:.0f} B"


def interval(value: tuple[float, float] | None) -> str:
    """An interval with signs.

    >>> interval((-0.002, 0.0041))
    '[-0.0020, +0.0041]'
    """
    return NONE if value is None else f"[{value[0]:+.4f}, {value[1]:+.4f}]"


def span(value: tuple[float, float]) -> str:
    """A range of values.

    >>> span((-1.0, 2.5))
    '[-1, 2.5]'
    """
    return f"[{value[0]:.4g}, {value[1]:.4g}]"
