"""A metric's outcomes to its values and drop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quant.drop import drop
from runner.expect.quantity import Quantity, paired
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
    found = drop_of(fp32, quantized)
    before, after = (fp32, quantized)[:: 1 if fp32.higher_is_better else -1]
    return MetricValue(
        metric=kind,
        fp32=fp32.value,
        quantized=quantized.value,
        drop=found,
        n=fp32.n or 0,
        ci95=drop_interval(before.parts, after.parts, drop=found),
        higher_is_better=fp32.higher_is_better,
    )


def drop_of(before: Quantity, after: Quantity) -> float | None:
    """How much worse the second is, of the same samples; None where one has no value."""
    if before.value is None or after.value is None:
        return None
    return drop(*paired(before, after), higher_is_better=before.higher_is_better)
