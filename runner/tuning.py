"""Tuning in a recipe: models are compared by its metrics, and by the error of their outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from quant.control.candidate import Candidate, Workshop
from quant.control.control import Tuner
from quant.control.gain import Gain, Reading
from quant.control.noise import output_noise
from quant.control.tuning import Tuning, subset_size, tune
from quant.entry import Result
from quant.runtime import ov
from quant.statistics.passes import Samples
from runner.answers import answers
from runner.cache.kept import Kept
from runner.data.open import Selection
from runner.evaluate import Baseline
from runner.foreign_errors import mapped_errors
from runner.metrics.interval import CONFIDENCE, drop_interval, quantile
from runner.metrics.metric import Metric
from runner.plan import Plan
from runner.progress import Progress
from runner.recipe.recipe import Recipe
from runner.subjects import Calibration, make_metrics
from runner.workshop import make_workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricYardstick:
    """Reads a recipe's metrics; `fp32`: FP32's answers to each on the data."""

    data: Selection
    metrics: Mapping[str, Metric]
    fp32: Mapping[str, Sequence[Any]]
    device: str

    def measure(self, model: ov.Model) -> Mapping[str, Reading]:
        found: dict[str, list[Any]] = {name: [] for name in self.metrics}
        for chunk in answers(model, self.data, self.metrics, self.device):
            for each in chunk:
                for name, metric in self.metrics.items():
                    reference = self.fp32[name][len(found[name])]
                    found[name].append(metric.outcome(each[name], reference))
        return {
            name: Reading(value=_number(metric.value(found[name])), outcomes=found[name])
            for name, metric in self.metrics.items()
        }

    def gain(self, name: str, before: Reading, after: Reading) -> Gain:
        return metric_gain(self.metrics[name], before.outcomes, after.outcomes)


def metric_gain(metric: Metric, before: Sequence[Any], after: Sequence[Any]) -> Gain:
    """What a metric gains from one model's outcomes to another's on the same samples."""
    sign = 1 if metric.higher_is_better else -1
    first, second = (_number(metric.value(each)) for each in (before, after))
    interval = drop_interval(*(metric.contributions(each) for each in (before, after)))
    width = math.inf if interval is None else interval[1] - interval[0]
    error = width / (2 * quantile(CONFIDENCE))
    return Gain(value=sign * (second - first), error=error)


def run_tuning(
    plan: Plan,
    recipe: Recipe,
    datasets: Mapping[str, Selection],
    samples: Samples,
    kept: Kept,
    progress: Progress,
) -> tuple[Result, Tuning]:
    """The model with the settings that suit it best, by the metrics that are evaluated.

    Args:
        samples: those of the calibration.
        kept: holds the statistics of all models that are compared.

    Raises:
        RunError: the model, a device or a sample fails.
    """
    workshop = make_workshop(plan, recipe, samples, kept)
    data = datasets.get("validation") or datasets["calibration"]
    metrics = make_metrics(recipe) if plan.metrics else {}
    with mapped_errors("tune the model", data.records.path):
        tuner = make_tuner(
            workshop,
            data,
            metrics,
            device=plan.device,
            baseline=kept.baseline,
            progress=progress,
        )
        found = tuner(Candidate(preset=workshop.parameters.preset), lambda: False)
        return workshop.make(found.candidate), found


def make_tuner(
    workshop: Workshop,
    data: Selection,
    metrics: Mapping[str, Metric],
    *,
    device: str,
    baseline: Baseline | None,
    progress: Progress,
) -> Tuner:
    """Compares models on samples of `data`, drawn by the step's seed.

    Args:
        data: the validation data, else that of the calibration.
        metrics: those that decide; none without validation data.
        baseline: may know FP32's answers on all of the data.
    """
    given = workshop.parameters
    order = np.random.default_rng(given.seed).permutation(len(data))
    drawn = sorted(order[: subset_size(given, data)].tolist())
    part = replace(data, indices=tuple(data.indices[i] for i in drawn))

    def tuner(start: Candidate, is_spent: Callable[[], bool]) -> Tuning:
        fp32 = _fp32(workshop.model, part, drawn, metrics, device, baseline) if metrics else {}
        known = {name: metrics[name] for name in fp32}
        yardstick = MetricYardstick(data=part, metrics=known, fp32=fp32, device=device)
        samples, size = Calibration(dataset=part), len(part)
        progress("tune", 0, None)
        with output_noise(workshop.model, samples, size, given.seed) as noise:
            decisive = yardstick if known else None
            return tune(workshop, start, noise, decisive, samples=size, is_spent=is_spent)

    return tuner


def _fp32(
    model: ov.Model,
    part: Selection,
    drawn: Sequence[int],
    metrics: Mapping[str, Metric],
    device: str,
    baseline: Baseline | None,
) -> dict[str, list[Any]]:
    """FP32's answers by metric; metrics that look at whole outputs are left out: their error is
    measured anyway."""
    known = {} if baseline is None else baseline.known()
    if metrics.keys() <= known.keys():
        return {name: [m.unpack(known[name][i]) for i in drawn] for name, m in metrics.items()}
    found: dict[str, list[Any]] = {}
    for chunk in answers(model, part, metrics, device):
        if not found:
            found = {n: [] for n, m in metrics.items() if m.pack(chunk[0][n]) is not None}
        for name, held in found.items():
            held += [each[name] for each in chunk]
    return found


def _number(value: float | None) -> float:
    return math.nan if value is None else value
