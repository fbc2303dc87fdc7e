"""Curves over two logarithmic axes, as an SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

Curve = Sequence[tuple[float, float]]
WIDTH, HEIGHT, LEFT, BESIDE = 360, 300, 60, 190
COLORS = ("#1b6ca8", "#d1495b", "#3f8f3f", "#8a5fb0", "#b8860b", "#333333", "#2aa198", "#cb4b16")


def plot(title: str, x_name: str, y_name: str, curves: Mapping[str, Curve]) -> str:
    """An SVG of curves by name; all values are above zero."""
    points = [point for curve in curves.values() for point in curve]
    spans = [_decades([point[axis] for point in points]) for axis in (0, 1)]
    whole = f"0 0 {LEFT + WIDTH + BESIDE} {HEIGHT + 95}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{whole}"',
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        _text(LEFT, 16, title, "start"),
        *_grid(spans),
    ]
    parts.append(_text(LEFT + WIDTH / 2, HEIGHT + 84, x_name, "middle"))
    parts.append(_text(4, 32, y_name, "start"))
    for i, (name, curve) in enumerate(curves.items()):
        color = COLORS[i % len(COLORS)]
        places = " ".join("{:.1f},{:.1f}".format(*_place(point, spans)) for point in curve)
        line = f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="2"/>'
        parts += [line, _text(LEFT + WIDTH + 10, 45 + 18 * i, name, "start", color)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten around the values.

    >>> _decades([0.2, 30.0])
    (-1, 2)
    """
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _place(point: tuple[float, float], spans: Sequence[tuple[int, int]]) -> tuple[float, float]:
    x, y = (
        (math.log10(value) - low) / (high - low)
        for value, (low, high) in zip(point, spans, strict=True)
    )
    return LEFT + WIDTH * x, 45 + HEIGHT * (1 - y)


def _grid(spans: Sequence[tuple[int, int]]) -> list[str]:
    """A line and a number for each power of ten."""
    (x_low, x_high), (y_low, y_high) = spans
    parts = []
    for power in range(x_low, x_high + 1):
        x, y = _place((10.0**power, 10.0**y_low), spans)
        parts += [_line(x, y, x, y - HEIGHT), _text(x, y + 16, f"{10.0**power:,g}", "middle")]
    for power in range(y_low, y_high + 1):
        x, y = _place((10.0**x_low, 10.0**power), spans)
        parts += [_line(x, y, x + WIDTH, y), _text(x - 6, y + 4, f"{10.0**power:,g}", "end")]
    return parts


def _line(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, anchor: str, color: str = "#333") -> str:
    at = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}"'
    return f"<text {at}>{escape(text)}</text>"
