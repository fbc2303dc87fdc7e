"""Metrics of FP32 and of the quantized model, on the same samples, in f32."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quant.runtime import ov
from runner.data.open import Selection
from runner.data.sample import Sample
from runner.errors import DataError
from runner.inference import Inference
from runner.metrics.metric import Metric, Outputs
from runner.model_interface import output_names
from runner.progress import Progress, silent

CHUNK = 16
"""Samples whose outputs are held at a time."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    sample: Sample
    fp32: Outputs
    quantized: Outputs


def evaluate(
    fp32: ov.Model,
    quantized: ov.Model,
    dataset: Selection,
    metrics: Mapping[str, Metric],
    *,
    device: str = "CPU",
    progress: Progress = silent,
) -> Evaluation:
    """The outcomes of every metric for both models, a chunk of samples at a time.

    Raises:
        ModelError: a model can't be compiled or inferred.
        DataError: a sample can't be read or does not suit a metric.
    """
    found: dict[str, list[tuple[Any, Any]]] = {name: [] for name in metrics}
    seconds = [0.0, 0.0]
    for answers in _answers(fp32, quantized, dataset, device, seconds):
        started = time.perf_counter()
        for name, metric in metrics.items():
            found[name] += [_outcome(metric, answer, dataset) for answer in answers]
        seconds[1] += time.perf_counter() - started
        progress("evaluate", len(next(iter(found.values()), ())), len(dataset))
    outcomes = {
        name: Outcomes(fp32=tuple(a for a, _ in pairs), quantized=tuple(b for _, b in pairs))
        for name, pairs in found.items()
    }
    return Evaluation(outcomes=outcomes, baseline_s=seconds[0], evaluate_s=seconds[1])


def _answers(
    fp32: ov.Model, quantized: ov.Model, dataset: Selection, device: str, seconds: list[float]
) -> Iterator[list[_Answer]]:
    """Chunks of samples with both models' outputs; adds to the seconds of each model."""
    names, clock = output_names(fp32), time.perf_counter
    baseline, candidate = Inference(fp32, device, names), Inference(quantized, device, names)
    for start in range(0, len(dataset), CHUNK):
        begun = clock()
        samples = [dataset[i] for i in range(start, min(start + CHUNK, len(dataset)))]
        theirs = baseline.infer(samples, dataset.inputs)
        between = clock()
        ours = candidate.infer(samples, dataset.inputs)
        seconds[0] += between - begun
        seconds[1] += clock() - between
        yield [
            _Answer(sample=sample, fp32=before, quantized=after)
            for sample, before, after in zip(samples, theirs, ours, strict=True)
        ]


def _outcome(metric: Metric, answer: _Answer, dataset: Selection) -> tuple[Any, Any]:
    """The outcomes of one sample for FP32 and for the quantized model."""
    try:
        before = metric.outcome(answer.fp32, answer.sample, answer.fp32)
        return before, metric.outcome(answer.quantized, answer.sample, answer.fp32)
    except DataError as error:
        if error.path is not None:
            raise
        raise DataError(error.message, dataset.records.path) from error
