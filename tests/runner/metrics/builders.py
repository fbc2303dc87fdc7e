"""Samples for the tests of metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from runner.data.sample import Array, Sample
from runner.metrics.make import make_metric
from runner.metrics.metric import Metric
from runner.recipe.recipe import MetricSource


def metric(name: str, **options: Any) -> Metric:
    return make_metric(MetricSource(name=name, metric=name, options=options))


def sample(label: Any = None, height: int = 64, width: int = 64, **meta: Any) -> Sample:
    """A sample of an input [1, 3, height, width]."""
    return Sample(id="s", inputs={"x": np.zeros((1, 3, height, width))}, label=label, meta=meta)


def outputs(**values: Any) -> Mapping[str, Array]:
    return {name: np.asarray(value, np.float32) for name, value in values.items()}
