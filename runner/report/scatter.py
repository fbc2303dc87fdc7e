"""A sweep as a picture: one SVG file, with no script and nothing from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from runner.report.numbers import number
from runner.sweep.result import SweepResult, SweepTrial

WIDTH, HEIGHT = 720, 440
LEFT, RIGHT, TOP, BOTTOM = 80, 30, 40, 60
TICKS = 5
MARGIN = 0.06
"""Of each side of the span of values."""

STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.tick { stroke: #d0d7de; } .point { fill: #8c959f; } .front { fill: #0969da; }
.line { fill: none; stroke: #0969da; stroke-width: 1.5; }
.n { font-weight: 600; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .tick { stroke: #30363d; } }"""

Span = tuple[float, float]


def scatter_svg(result: SweepResult) -> str:
    """Every trial by its metric and its speed or size; those on the front are joined and numbered
    as in the table."""
    shown = [i for i, each in enumerate(result.trials) if each.metric is not None]
    points = {i: _values(result, result.trials[i]) for i in shown}
    across = _span([x for x, _ in points.values()])
    up = _span([y for _, y in points.values()])
    places = {i: (_x(x, across), _y(y, up)) for i, (x, y) in points.items()}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<style>{STYLE}</style>",
        f'<text x="{LEFT}" y="22" class="n">{escape(f"{result.recipe} on {result.target}")}</text>',
        *_grid(across, up),
        *_names(result),
        *_front(result, places),
        *(_point(result, i, places[i]) for i in shown),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _values(result: SweepResult, trial: SweepTrial) -> tuple[float, float]:
    weighed = trial.speedup if result.objective == "speedup" else trial.size_ratio
    value = None if trial.metric is None else trial.metric.quantized
    return weighed or 0.0, value or 0.0


def _span(values: Sequence[float]) -> Span:
    """What an axis shows: all values and a margin; something also of a single one."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    margin = (high - low) * MARGIN or abs(high) * MARGIN or 1.0
    return low - margin, high + margin


def _x(value: float, span: Span) -> float:
    return LEFT + (value - span[0]) / (span[1] - span[0]) * (WIDTH - LEFT - RIGHT)


def _y(value: float, span: Span) -> float:
    return HEIGHT - BOTTOM - (value - span[0]) / (span[1] - span[0]) * (HEIGHT - TOP - BOTTOM)


def ticks(span: Span) -> list[float]:
    """Round numbers within a span, about `TICKS` of them.

    >>> [round(each, 2) for each in ticks((0.91, 0.99))]
    [0.92, 0.94, 0.96, 0.98]
    """
    rough = (span[1] - span[0]) / TICKS
    unit = 10 ** math.floor(math.log10(rough))
    step = min((unit * each for each in (1, 2, 5, 10)), key=lambda each: abs(each - rough))
    first, last = math.ceil(span[0] / step), math.floor(span[1] / step)
    return [i * step for i in range(first, last + 1)]


def _grid(across: Span, up: Span) -> Iterator[str]:
    bottom = HEIGHT - BOTTOM
    for value in ticks(across):
        x = f"{_x(value, across):.1f}"
        yield f'<line class="tick" x1="{x}" x2="{x}" y1="{TOP}" y2="{bottom}"/>'
        yield f'<text x="{x}" y="{bottom + 20}" text-anchor="middle">{number(value)}</text>'
    for value in ticks(up):
        y = f"{_y(value, up):.1f}"
        yield f'<line class="tick" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text x="{LEFT - 8}" y="{y}" dy="4" text-anchor="end">{number(value)}</text>'


def _names(result: SweepResult) -> Iterator[str]:
    """What the axes show."""
    words = {"speedup": "speed-up over FP32", "size_ratio": "size, of FP32's"}
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield (
        f'<text x="{middle}" y="{HEIGHT - 14}" text-anchor="middle">'
        f"{words[result.objective]}</text>"
    )
    yield (
        f'<text transform="translate(20 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(result.metric)}</text>'
    )


def _front(result: SweepResult, places: dict[int, tuple[float, float]]) -> Iterator[str]:
    joined = " ".join(f"{places[i][0]:.1f},{places[i][1]:.1f}" for i in result.front)
    if len(result.front) > 1:
        yield f'<polyline class="line" points="{joined}"/>'


def _point(result: SweepResult, index: int, place: tuple[float, float]) -> str:
    trial, (x, y) = result.trials[index], place
    is_front = index in result.front
    words = escape(", ".join(f"{name}={value}" for name, value in trial.values.items()))
    dot = (
        f'<circle class="{"front" if is_front else "point"}" cx="{x:.1f}" cy="{y:.1f}" '
        f'r="{6 if is_front else 4}"><title>{index + 1}: {words}</title></circle>'
    )
    label = f'<text class="n" x="{x + 9:.1f}" y="{y - 7:.1f}">{index + 1}</text>'
    return f"{dot}{label}" if is_front else dot
