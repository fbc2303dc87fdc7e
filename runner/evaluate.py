"""Metrics of FP32 and of the quantized model, on the same samples, in f32."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from quant.runtime import ov
from runner.answers import CHUNK, answer
from runner.data.open import Selection
from runner.data.sample import Sample
from runner.inference import Inference
from runner.metrics.metric import Metric, Outputs, Packed
from runner.model_interface import output_names
from runner.progress import Progress, silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Outcomes of one metric, sample by sample, for both models."""

    fp32: tuple[Any, ...]
    quantized: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Outcomes per metric; the seconds of reading and FP32, and those of all the rest."""

    outcomes: Mapping[str, Outcomes]
    baseline_s: float
    evaluate_s: float


class Baseline(Protocol):
    """FP32's answers on one dataset, kept between evaluations, by the metrics' names."""

    def known(self) -> Mapping[str, Sequence[Packed]]:
        """The answers to metrics that are kept, sample by sample."""

    def keep(self, name: str, answers: Sequence[Packed]) -> None:
        """Takes the answers to a metric that were not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """What both models say of a sample; nothing of FP32 where all its answers are known."""

    index: int
    sample: Sample
    fp32: Outputs | None
    quantized: Outputs


def evaluate(
    fp32: ov.Model,
    quantized: ov.Model,
    dataset: Selection,
    metrics: Mapping[str, Metric],
    *,
    device: str = "CPU",
    baseline: Baseline | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """The outcomes of every metric for both models, a chunk of samples at a time.

    FP32 is inferred unless the baseline knows its answers to all metrics.

    Raises:
        ModelError: a model can't be compiled or inferred.
        DataError: a sample can't be read or does not suit a metric.
    """
    known = {} if baseline is None else baseline.known()
    is_known = metrics.keys() <= known.keys()
    found: dict[str, list[tuple[Any, Any]]] = {name: [] for name in metrics}
    packed: dict[str, list[Packed | None]] = {name: [] for name in metrics if name not in known}
    seconds = [0.0, 0.0]
    for pairs in _pairs(None if is_known else fp32, quantized, dataset, device, seconds):
        started = time.perf_counter()
        for name, metric in metrics.items():
            for pair in pairs:
                kept = known[name][pair.index] if is_known else None
                before, after = _answers(metric, pair, kept, dataset)
                found[name].append((metric.outcome(before, before), metric.outcome(after, before)))
                if name in packed:
                    packed[name].append(metric.pack(before))
        seconds[1] += time.perf_counter() - started
        progress("evaluate", pairs[-1].index + 1, len(dataset))
    if baseline is not None:
        _keep(baseline, packed)
    outcomes = {
        name: Outcomes(fp32=tuple(a for a, _ in each), quantized=tuple(b for _, b in each))
        for name, each in found.items()
    }
    return Evaluation(outcomes=outcomes, baseline_s=seconds[0], evaluate_s=seconds[1])


def _pairs(
    fp32: ov.Model | None,
    quantized: ov.Model,
    dataset: Selection,
    device: str,
    seconds: list[float],
) -> Iterator[list[_Pair]]:
    """Chunks of samples with the models' outputs; adds to the seconds of each model."""
    names, clock = output_names(quantized), time.perf_counter
    baseline = None if fp32 is None else Inference(fp32, device, output_names(fp32))
    candidate = Inference(quantized, device, names)
    for start in range(0, len(dataset), CHUNK):
        begun = clock()
        indices = range(start, min(start + CHUNK, len(dataset)))
        samples = [dataset[i] for i in indices]
        theirs: Sequence[Outputs | None] = [None] * len(samples)
        if baseline is not None:
            theirs = baseline.infer(samples, dataset.inputs)
        between = clock()
        ours = candidate.infer(samples, dataset.inputs)
        seconds[0] += between - begun
        seconds[1] += clock() - between
        yield [
            _Pair(index=i, sample=sample, fp32=before, quantized=after)
            for i, sample, before, after in zip(indices, samples, theirs, ours, strict=True)
        ]


def _answers(
    metric: Metric, pair: _Pair, kept: Packed | None, dataset: Selection
) -> tuple[Any, Any]:
    """The answers of FP32, as they were kept or from its outputs, and of the quantized model."""
    after = answer(metric, pair.quantized, pair.sample, dataset)
    if pair.fp32 is None:
        assert kept is not None
        return metric.unpack(kept), after
    return answer(metric, pair.fp32, pair.sample, dataset), after


def _keep(baseline: Baseline, packed: Mapping[str, Sequence[Packed | None]]) -> None:
    """Keeps the answers to every metric that all are small enough to be kept."""
    for name, answers in packed.items():
        whole = [each for each in answers if each is not None]
        if len(whole) == len(answers):
            baseline.keep(name, whole)
