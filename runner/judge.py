"""Judges models for accuracy control: by the recipe's metrics, each against its limit.

Samples are read in an order drawn at random, so that a part of them stands for all: where it shows
that a limit is missed, the rest is not read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np

from quant.control.decision import best_case, is_right_or_wrong, lost, telling_parts
from quant.control.entry import FEWEST, SHARES
from quant.control.parameters import AccuracyAwareParameters
from quant.control.verdict import Array, Limit, Pair, Verdict, verdict, worst
from quant.drop import is_mean
from quant.runtime import ov
from runner.answers import answers
from runner.data.open import Selection
from runner.evaluate import Baseline
from runner.metrics.agreement import NAME as AGREEMENT
from runner.metrics.agreement import Agreement
from runner.metrics.confidence import NAME as CONFIDENCE
from runner.metrics.confidence import Confidence
from runner.metrics.metric import Metric, Reader

Outcomes = Mapping[str, list[Any]]
"""By metric, sample by sample."""


class NoDropError(Exception):
    """A metric has no value of FP32 that it could drop from; the argument is its name."""


class NotConfidentError(Exception):
    """FP32 is sure of no sample's class; the argument is the highest probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricJudge:
    """Evaluates a quantized model.

    Attributes:
        data: in the order in which samples are read.
        fp32: by metric, FP32's answers in that order.
        means: by metric, FP32's outcomes as numbers; only of metrics that are their means.
    """

    data: Selection
    metrics: Mapping[str, Metric]
    limits: Mapping[str, Limit]
    fp32: Mapping[str, Sequence[Any]]
    means: Mapping[str, Array]
    device: str

    def __call__(self, model: ov.Model) -> Verdict:
        order = range(len(self.data))
        found = self._read(model, order, self._asked(), self._is_missed)
        read = order[: _count(found)]
        return verdict(
            self.limits,
            self._values(found),
            self._pairs({name: fp32[: len(read)] for name, fp32 in self.means.items()}, found),
            samples=len(read),
            lost=lost(self.limits, self.means, read, found),
            is_whole=len(read) == len(self.data),
        )

    def decide(self, model: ov.Model, suspects: Sequence[int]) -> Verdict:
        are_means = self.means.keys() == self.metrics.keys()
        if not are_means or not all(map(is_right_or_wrong, self.means.values())):
            return self(model)
        parts = telling_parts(self.limits, self.means, suspects)
        order = [i for part in parts for i in part]

        def verdict_on(found: Outcomes) -> Verdict:
            return best_case(self.limits, self.means, order[: _count(found)], found)

        stops = accumulate(map(len, parts[:-1]))
        return verdict_on(
            self._read(model, order, stops, lambda found: verdict_on(found).excess > 0)
        )

    def hardest(self, model: ov.Model, share: float, most: int | None) -> tuple[int, ...]:
        """The samples that lose most of all metrics, each as a share of FP32's value."""
        everything = range(len(self.data))
        found, losses = self._outcomes(model, everything), np.zeros(len(self.data))
        for name, metric in self.metrics.items():
            pairs = zip(self._reference(name, everything), found[name], strict=True)
            losses += [
                _loss(self.limits[name], metric.value([before]), metric.value([after]))
                for before, after in pairs
            ]
        return worst(losses, share, most)

    def on(self, model: ov.Model, subset: Sequence[int]) -> Verdict:
        limits = {
            name: self.limits[name].on_part(metric.value(self._reference(name, subset)))
            for name, metric in self.metrics.items()
        }
        found = self._outcomes(model, subset)
        pairs = self._pairs({name: each[list(subset)] for name, each in self.means.items()}, found)
        values = self._values(found)
        return verdict(limits, values, pairs, samples=len(subset), is_whole=False)

    def _outcomes(self, model: ov.Model, subset: Sequence[int]) -> Outcomes:
        """The outcomes of some samples by metric."""
        return self._read(model, subset, (), lambda _: False)

    def _read(
        self,
        model: ov.Model,
        order: Sequence[int],
        stops: Iterable[int],
        is_missed: Callable[[Outcomes], bool],
    ) -> Outcomes:
        """The outcomes of samples by metric, in this order, until the limit is missed, which is
        asked after as many samples as the stops say."""
        data = replace(self.data, indices=tuple(self.data.indices[i] for i in order))
        found: dict[str, list[Any]] = {name: [] for name in self.metrics}
        asked = list(stops)
        for chunk in answers(model, data, self.metrics, self.device):
            for name, metric in self.metrics.items():
                known, start = self.fp32[name], len(found[name])
                found[name] += [
                    metric.outcome(each[name], known[order[i]])
                    for i, each in enumerate(chunk, start)
                ]
            if asked and _count(found) >= asked[0]:
                asked = [size for size in asked if size > _count(found)]
                if is_missed(found):
                    break
        return found

    def _reference(self, name: str, subset: Sequence[int]) -> list[Any]:
        """FP32's outcomes."""
        metric, known = self.metrics[name], self.fp32[name]
        return [metric.outcome(known[i], known[i]) for i in subset]

    def _values(self, found: Outcomes) -> dict[str, float]:
        return {name: _number(m.value(found[name])) for name, m in self.metrics.items()}

    def _pairs(self, fp32: Mapping[str, Array], found: Outcomes) -> Mapping[str, Pair]:
        return {name: (before, found[name]) for name, before in fp32.items()}

    def _asked(self) -> list[int]:
        """After how many samples it is asked whether a limit is missed."""
        total = len(self.data)
        return [] if total < FEWEST else [round(share * total) for share in SHARES[:-1]]

    def _is_missed(self, found: Outcomes) -> bool:
        read = _count(found)
        return any(
            self.limits[name].is_missed(fp32[:read], np.array(found[name]), len(fp32))
            for name, fp32 in self.means.items()
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
        NotConfidentError: nothing is left to judge on.
        EvaluationError: a relative limit, and FP32's value is 0.
        ModelError, DataError: as from `answers`.
    """
    judging = {name: metrics[name] for name in given.metrics or metrics}
    order = np.random.default_rng(given.seed).permutation(len(data)).tolist()
    if given.annotation_free:
        judging = {AGREEMENT: Agreement()}
        readers: dict[str, Reader] = {AGREEMENT: Agreement(), CONFIDENCE: Confidence()}
        fp32 = _fp32(model, data, readers, device, None)
        order = _sure(order, fp32[CONFIDENCE], given.annotation_conf_threshold)
    else:
        fp32 = _fp32(model, data, judging, device, baseline)
    fp32 = {name: [fp32[name][i] for i in order] for name in judging}
    outcomes = {name: [m.outcome(a, a) for a in fp32[name]] for name, m in judging.items()}
    return MetricJudge(
        data=replace(data, indices=tuple(data.indices[i] for i in order)),
        metrics=judging,
        limits={name: _limit(name, m, outcomes[name], given) for name, m in judging.items()},
        fp32=fp32,
        means={
            name: np.array(outcomes[name], float)
            for name, metric in judging.items()
            if name not in given.baseline_value and _is_mean(metric, outcomes[name])
        },
        device=device,
    )


def _sure(order: list[int], probabilities: Sequence[float], least: float) -> list[int]:
    """The samples of whose class FP32 is sure enough, in their order."""
    found = [i for i in order if probabilities[i] >= least]
    if not found:
        raise NotConfidentError(max(probabilities))
    return found


def _fp32(
    model: ov.Model,
    data: Selection,
    readers: Mapping[str, Reader],
    device: str,
    baseline: Baseline | None,
) -> dict[str, list[Any]]:
    """FP32's answers by name, in the data's order; those that the baseline did not know are
    kept."""
    known = {} if baseline is None else baseline.known()
    if readers.keys() <= known.keys():
        return {name: [m.unpack(each) for each in known[name]] for name, m in readers.items()}
    found: dict[str, list[Any]] = {name: [] for name in readers}
    for chunk in answers(model, data, readers, device):
        for name, reader in readers.items():
            if not found[name] and reader.pack(chunk[0][name]) is None:
                raise NoDropError(name)  # whole outputs: they have an SQNR, of which FP32 has none
            found[name] += [each[name] for each in chunk]
    for name, reader in readers.items():
        if baseline is not None and name not in known:
            packed = [each for a in found[name] if (each := reader.pack(a)) is not None]
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
    return value is not None and is_mean(value, outcomes)


def _loss(limit: Limit, before: float | None, after: float | None) -> float:
    """What a sample loses, as a share of FP32's value over all; 0 where it has no value."""
    if before is None or after is None:
        return 0.0
    worse = before - after if limit.higher_is_better else after - before
    return worse / (abs(limit.baseline) or 1.0)


def _count(found: Outcomes) -> int:
    """How many samples were read."""
    return len(next(iter(found.values())))


def _number(value: float | None) -> float:
    return math.nan if value is None else value
