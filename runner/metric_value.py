"""A metric's outcomes to its values and drop."""

from __future__ import annotations

from runner.evaluate import Outcomes
from runner.metrics.metric import Metric
from runner.report.report import MetricValue


def metric_value(kind: str, metric: Metric, outcomes: Outcomes) -> MetricValue:
    """The metric of both models; a positive drop is a change for the worse."""
    fp32, quantized = metric.value(outcomes.fp32), metric.value(outcomes.quantized)
    return MetricValue(
        metric=kind,
        fp32=fp32,
        quantized=quantized,
        drop=_drop(fp32, quantized, higher_is_better=metric.higher_is_better),
        n=len(outcomes.fp32),
        ci95=metric.drop_interval(outcomes.fp32, outcomes.quantized),
        higher_is_better=metric.higher_is_better,
    )


def _drop(fp32: float | None, quantized: float | None, *, higher_is_better: bool) -> float | None:
    if fp32 is None or quantized is None:
        return None
    return fp32 - quantized if higher_is_better else quantized - fp32
