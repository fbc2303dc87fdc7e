"""A metric's outcomes to its values and drop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.expect.quantity import Quantity
from runner.metrics.interval import drop_interval
from runner.metrics.metric import Metric
from runner.report.report import MetricValue


def quantity(metric: Metric, outcomes: Sequence[Any]) -> Quantity:
    """The metric of one model, and what every sample adds to it."""
    return Quantity(
        value=metric.value(outcomes),
        higher_is_better=metric.higher_is_better,
        parts=tuple(metric.contributions(outcomes)),
        n=len(outcomes),
    )


def metric_value(kind: str, fp32: Quantity, quantized: Quantity) -> MetricValue:
    """The metric of both models; a positive drop is a change for the worse."""
    drop = drop_of(fp32.value, quantized.value, higher_is_better=fp32.higher_is_better)
    before, after = (fp32, quantized)[:: 1 if fp32.higher_is_better else -1]
    return MetricValue(
        metric=kind,
        fp32=fp32.value,
        quantized=quantized.value,
        drop=drop,
        n=fp32.n or 0,
        ci95=drop_interval(before.parts, after.parts, drop=drop),
        higher_is_better=fp32.higher_is_better,
    )


def drop_of(fp32: float | None, quantized: float | None, *, higher_is_better: bool) -> float | None:
    """How much worse the quantized value is; None where one of them is not there."""
    if fp32 is None or quantized is None:
        return None
    return fp32 - quantized if higher_is_better else quantized - fp32
