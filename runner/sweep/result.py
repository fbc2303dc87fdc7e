"""What a sweep found, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.report.report import MetricValue

SCHEMA = "recipe.sweep/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepTrial:
    """The recipe at one point.

    Attributes:
        values: by the places that are varied.
        metric: None where the point is none that works; `error` says why.
        speedup: in throughput over FP32, where speed is measured.
        size_ratio: of the saved model to FP32's.
    """

    values: Mapping[str, Any]
    metric: MetricValue | None
    speedup: float | None
    size_ratio: float | None
    quantized_operations: int
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """All trials in their order, and the Pareto front.

    Attributes:
        metric: the name of the metric that is compared.
        objective: what it is weighed against: `speedup`, or `size_ratio` where speed is not
            measured.
        front: positions of trials that no other one beats in both, the best in the metric first.
        reason: why the sweep ended.
        folder: where `sweep.json`, `pareto.svg` and the study are.
    """

    recipe: str
    target: str
    places: tuple[str, ...]
    metric: str
    objective: str
    trials: tuple[SweepTrial, ...]
    front: tuple[int, ...]
    reason: str
    folder: str
