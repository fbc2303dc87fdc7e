"""The table of metrics, and a metric from a recipe's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runner import plugins
from runner.data import extras
from runner.data.extras import Extra
from runner.document.names import listed, suggest
from runner.errors import MissingExtra, RunError
from runner.metrics.accuracy import Accuracy
from runner.metrics.agreement import Agreement
from runner.metrics.mean_average_precision import MeanAveragePrecision
from runner.metrics.metric import Metric
from runner.plugins import Table
from runner.recipe.recipe import MetricSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a metric is made, and the optional package that it takes.

    `schema`: the keys of a metric that an installed package adds, as in
    `runner.recipe.schemas.evaluate`; those of ours stand there.
    """

    make: Callable[..., Metric]
    extra: Extra | None = None
    schema: Mapping[str, Any] | None = None


SHIPPED: Mapping[str, Kind] = {
    "accuracy": Kind(make=Accuracy),
    "mean_average_precision": Kind(make=MeanAveragePrecision, extra=extras.DETECTION),
    "agreement": Kind(make=Agreement),
}
METRICS: Mapping[str, Kind] = Table(own=SHIPPED, group=plugins.METRICS, view=lambda each, _: each)


def make_metric(source: MetricSource) -> Metric:
    """The metric that `source` describes.

    Raises:
        MissingExtra: an optional package is not installed.
    """
    absent = missing_extra(source)
    if absent is not None:
        raise absent
    return _kind(source).make(**source.options)


def missing_extra(source: MetricSource) -> MissingExtra | None:
    """The error for a package that this metric needs and that is not installed, else None."""
    return extras.missing(_kind(source).extra, f"metric {source.metric!r}")


def _kind(source: MetricSource) -> Kind:
    if source.metric not in METRICS:
        message = f"unknown metric {source.metric!r}; expected {listed(METRICS)}"
        raise RunError(message + suggest(source.metric, METRICS))
    return METRICS[source.metric]
