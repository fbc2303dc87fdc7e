"""A record as something that another run is compared with, as far as that means anything."""

from __future__ import annotations

from collections.abc import Iterator

from runner.baseline.record import MetricRecord, Record, quantities_of
from runner.document.names import listed
from runner.expect.quantity import Reference


def reference_of(then: Record, now: Record, name: str) -> Reference:
    """What an earlier run has that a later one can be compared with; for the rest, why not."""
    reasons = dict(_reasons(then, now, name))
    known = quantities_of(then)
    return Reference(
        name=name,
        quantities={key: each for key, each in known.items() if key not in reasons},
        is_same_run=False,
        reasons={"": f"{name} does not have it", **reasons},
    )


def no_baseline(environment: str, others: tuple[str, ...]) -> str:
    """Why there is nothing to compare with, and what there is instead."""
    there = f"; there is one for {listed(others, 'and')}, which says nothing here" if others else ""
    return f"no baseline was accepted for {environment!r} (recipe baseline accept){there}"


def _reasons(then: Record, now: Record, name: str) -> Iterator[tuple[str, str]]:
    for key in then.metrics.keys() & now.metrics.keys():
        if why := _metric_reason(then.metrics[key], now.metrics[key]):
            yield key, f"{name} can't be compared with: {why}"
    if why := _machine_reason(then, now):
        for key in then.speeds:
            yield key, f"{name} was measured on another machine: {why}"


def _metric_reason(then: MetricRecord, now: MetricRecord) -> str:
    if (then.metric, dict(then.options)) != (now.metric, dict(now.options)):
        return "the metric was defined otherwise"
    if then.samples != now.samples:
        return "it was evaluated on other samples, or they were read or prepared otherwise"
    return ""


def _machine_reason(then: Record, now: Record) -> str:
    """Why speeds of two runs are no match: they depend on more than answers do."""
    for what in ("device_name", "threads", "openvino"):
        before, after = getattr(then.machine, what), getattr(now.machine, what)
        if before != after:
            return f"{what} was {before!r} and is {after!r}"
    return ""
