"""Judges models for accuracy control: by the recipe's metrics, each against its limit.

Samples are read in an order drawn at random, so that a part of them stands for all: where it shows
that a limit is missed, the rest is not read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from quant.control.entry import FEWEST, SHARES
from quant.control.parameters import AccuracyAwareParameters
from quant.control.verdict import Array, Limit, Verdict, verdict
from quant.runtime import ov
from runner.answers import answers
from runner.data.open import Selection
from runner.evaluate import Baseline
from runner.metrics.agreement import NAME as AGREEMENT
from runner.metrics.agreement import Agreement
from runner.metrics.metric import Metric


class NoDropError(Exception):
    """A metric has no value of FP32 that it could drop from; the argument is its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricJudge:
    """Evaluates a quantized model.

    Attributes:
        data: in the order in which samples are read.
        fp32: by metric, FP32's answers in that order.
        outcomes: by metric, FP32's outcomes as numbers; only of metrics that are their means.
    """

    data: Selection
    metrics: Mapping[str, Metric]
    limits: Mapping[str, Limit]
    fp32: Mapping[str, Sequence[Any]]
    outcomes: Mapping[str, Array]
    device: str

    def __call__(self, model: ov.Model) -> Verdict:
        found: dict[str, list[Any]] = {name: [] for name in self.metrics}
        asked, total, read = self._asked(), len(self.data), 0
        for chunk in answers(model, self.data, self.metrics, self.device):
            for position, each in enumerate(chunk, read):
                for name, metric in self.metrics.items():
                    found[name].append(metric.outcome(each[name], self.fp32[name][position]))
            read += len(chunk)
            if asked and read >= asked[0]:
                asked = [size for size in asked if size > read]
                if self._is_missed(found, read):
                    break
        values = {name: _number(m.value(found[name])) for name, m in self.metrics.items()}
        return verdict(self.limits, values, samples=read, is_whole=read == total)

    def _asked(self) -> list[int]:
        """After how many samples it is asked whether a limit is missed."""
        total = len(self.data)
        return [] if total < FEWEST else [round(share * total) for share in SHARES[:-1]]

    def _is_missed(self, found: Mapping[str, Sequence[float]], read: int) -> bool:
        return any(
            self.limits[name].is_missed(fp32[:read], np.array(found[name]), len(fp32))
            for name, fp32 in self.outcomes.items()
        )


def make_judge(
    model: ov.Model,
    data: Selection,
    metrics: Mapping[str, Metric],
    given: AccuracyAwareParameters,
    *,
    device: str,
    baseline: Baseline | None,
) -> MetricJudge:
    """The judge by the metrics that the limit holds for, after FP32 was evaluated once, or not at
    all where the baseline knows its answers.

    Raises:
        NoDropError: a metric has no finite value of FP32.
        EvaluationError: a relative limit, and FP32's value is 0.
        ModelError, DataError: as from `answers`.
    """
    judging = {name: metrics[name] for name in given.metrics or metrics}
    if given.annotation_free:
        judging, baseline = {AGREEMENT: Agreement()}, None
    order = np.random.default_rng(given.seed).permutation(len(data)).tolist()
    fp32 = _fp32(model, data, judging, device, baseline)
    outcomes = {name: [m.outcome(a, a) for a in fp32[name]] for name, m in judging.items()}
    limits = {name: _limit(name, metric, outcomes[name], given) for name, metric in judging.items()}
    return MetricJudge(
        data=replace(data, indices=tuple(data.indices[i] for i in order)),
        metrics=judging,
        limits=limits,
        fp32={name: [each[i] for i in order] for name, each in fp32.items()},
        outcomes={
            name: np.array(outcomes[name], float)[order]
            for name, metric in judging.items()
            if name not in given.baseline_value and _is_mean(metric, outcomes[name])
        },
        device=device,
    )


def _fp32(
    model: ov.Model,
    data: Selection,
    metrics: Mapping[str, Metric],
    device: str,
    baseline: Baseline | None,
) -> dict[str, list[Any]]:
    """FP32's answers by metric, in the data's order; those that the baseline did not know are
    kept."""
    known = {} if baseline is None else baseline.known()
    if metrics.keys() <= known.keys():
        return {name: [m.unpack(each) for each in known[name]] for name, m in metrics.items()}
    found: dict[str, list[Any]] = {name: [] for name in metrics}
    for chunk in answers(model, data, metrics, device):
        for name, metric in metrics.items():
            if not found[name] and metric.pack(chunk[0][name]) is None:
                raise NoDropError(name)  # whole outputs: they have an SQNR, of which FP32 has none
            found[name] += [each[name] for each in chunk]
    for name, metric in metrics.items():
        if baseline is not None and name not in known:
            packed = [each for a in found[name] if (each := metric.pack(a)) is not None]
            baseline.keep(name, packed)
    return found


def _limit(
    name: str, metric: Metric, outcomes: Sequence[Any], given: AccuracyAwareParameters
) -> Limit:
    value = given.baseline_value.get(name, metric.value(outcomes))
    if value is None:
        raise NoDropError(name)
    return Limit(
        baseline=float(value),
        maximal_drop=given.maximal_drop,
        drop_type=given.drop_type,
        higher_is_better=metric.higher_is_better,
    )


def _is_mean(metric: Metric, outcomes: Sequence[Any]) -> bool:
    """Whether the metric is the mean of outcomes that are numbers."""
    if not all(isinstance(each, int | float) for each in outcomes):
        return False
    value = metric.value(outcomes)
    return value is not None and math.isclose(value, float(np.mean(outcomes)), rel_tol=1e-9)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
