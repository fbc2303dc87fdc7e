"""A Sensitivity as a table."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from runner.report.numbers import NONE, number, percent
from runner.report.tables import print_table
from runner.sensitivity import OperationHarm, Sensitivity

HEAD = ("operation", "type", "noise", "block", "weights", "activations", "SQNR", "own SQNR")


def print_sensitivity(found: Sensitivity, top: int, console: Console) -> None:
    """Prints the `top` most harmful operations."""
    title = f"{found.recipe} -> {found.target}: noise on {found.samples} samples"
    if found.metric is not None:
        title += f", {found.metric} on {found.metric_samples}"
    console.print(title, style="bold")
    head = HEAD if found.metric is None else (*HEAD, found.metric)
    rows = (_row(each, has_metric=found.metric is not None) for each in found.operations[:top])
    print_table(console, (*head, ""), (tuple(row) for row in rows), numbers=range(2, len(head)))
    if len(found.operations) > top:
        console.print(f"and {len(found.operations) - top} more operations; see --top")


def _row(each: OperationHarm, *, has_metric: bool) -> Iterator[str]:
    yield each.name
    yield each.type
    yield percent(each.noise_share)
    yield percent(each.block_noise_share)
    yield percent(each.weights_share)
    yield percent(None if each.weights_share is None else 1 - each.weights_share)
    yield _decibels(each.sqnr_db)
    yield _decibels(each.own_sqnr_db)
    if has_metric:
        yield number(each.drop)
    yield each.note


def _decibels(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f} dB"
