"""What a model answers to metrics, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from quant.runtime import ov
from runner.data.open import Selection
from runner.data.sample import Sample
from runner.errors import DataError
from runner.inference import Inference
from runner.metrics.metric import Outputs, Reader
from runner.model_interface import output_names

CHUNK = 16
"""Samples whose outputs are held at a time."""


def answers(
    model: ov.Model, data: Selection, metrics: Mapping[str, Reader], device: str
) -> Iterator[list[dict[str, Any]]]:
    """The answers to every metric by its name, a chunk of samples at a time.

    Raises:
        ModelError: the model can't be compiled or inferred.
        DataError: a sample can't be read or does not suit a metric.
    """
    inference = Inference(model, device, output_names(model))
    for start in range(0, len(data), CHUNK):
        samples = [data[i] for i in range(start, min(start + CHUNK, len(data)))]
        outputs = inference.infer(samples, data.inputs)
        yield [
            {name: answer(metric, each, sample, data) for name, metric in metrics.items()}
            for each, sample in zip(outputs, samples, strict=True)
        ]


def answer(metric: Reader, outputs: Outputs, sample: Sample, data: Selection) -> Any:
    """The answer for one sample; an error names the data."""
    try:
        return metric.answer(outputs, sample)
    except DataError as error:
        if error.path is not None:
            raise
        raise DataError(error.message, data.records.path) from error
