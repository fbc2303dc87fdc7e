"""Measurements as a Markdown table and as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict

from benchmarks.measurement import Measurement, Ratio, ratios

COLUMNS = (
    "case, preset, samples",
    "floor, s",
    "ours, s",
    "NNCF, s",
    "ours / floor",
    "NNCF / floor",
    "**quantize, ours / NNCF**",
    "whole process, ours / NNCF",
    "growth of peak memory, ours, MiB",
    "growth of peak memory, ours / NNCF",
    "int8 throughput, ours / NNCF",
)
HEADER = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"
IN_DOUBT = " (in doubt)"


def row(found: Measurement) -> str:
    """One line of the table: medians, the extremes of the ratios in brackets."""
    are, rounds = ratios(found), found.rounds
    cells = (
        f"{found.case}, {found.preset}, {found.sample_count}{IN_DOUBT if are.doubts else ''}",
        _number(statistics.median(each.floor_s for each in rounds)),
        _number(statistics.median(each.ours.quantize_s for each in rounds)),
        _number(statistics.median(each.nncf.quantize_s for each in rounds)),
        _ratio(are.quantize_to_floor),
        _ratio(are.nncf_to_floor),
        _ratio(are.quantize),
        _ratio(are.process),
        f"{statistics.median(each.ours.growth_bytes for each in rounds) / 2**20:.0f}",
        _ratio(are.growth),
        _ratio(are.throughput),
    )
    return f"| {' | '.join(cells)} |"


def remarks(found: Sequence[Measurement]) -> tuple[str, ...]:
    """What must be known to read the table: where the machine was too noisy to tell."""
    return tuple(
        f"{each.case}, {each.preset}: {doubt}." for each in found for doubt in ratios(each).doubts
    )


def markdown(found: Sequence[Measurement], environment: str) -> str:
    """The whole page: where it ran, the table and the remarks."""
    lines = [environment, "", HEADER, *map(row, found), ""]
    lines += [f"- {remark}" for remark in remarks(found)]
    return "\n".join(lines).rstrip() + "\n"


def as_json(found: Sequence[Measurement], environment: str) -> str:
    """Every round as it was measured, and the ratios."""
    cases = [asdict(each) | {"ratios": asdict(ratios(each))} for each in found]
    return json.dumps({"environment": environment, "measurements": cases}, indent=1) + "\n"


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _ratio(value: Ratio) -> str:
    return f"{value.median:.2f} ({value.low:.2f}-{value.high:.2f})"
