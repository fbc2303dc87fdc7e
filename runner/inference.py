"""A compiled model with its queue of requests: many samples in, outputs by name out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quant.runtime import F32, core, drained, many_samples, ov
from runner.data.sample import Array, InputInfo, Sample
from runner.foreign_errors import mapped_errors
from runner.metrics.metric import Outputs

THROUGHPUT = {**F32, "PERFORMANCE_HINT": "THROUGHPUT"}
LATENCY = {**F32, "PERFORMANCE_HINT": "LATENCY"}


def compile_model(model: ov.Model, device: str, options: dict[str, str]) -> ov.CompiledModel:
    """The model compiled in f32.

    Raises:
        ModelError: the device can't run it.
    """
    with mapped_errors(f"compile the model for {device}"):
        return core().compile_model(model, device, options)


class Inference:
    """Infers samples asynchronously, a few at a time; outputs keep the samples' order."""

    def __init__(self, model: ov.Model, device: str, names: Sequence[str]) -> None:
        self._compiled = compile_model(model, device, many_samples(model))
        self._names = tuple(names)
        self._is_stateful = bool(model.get_sinks())
        self._queue = ov.AsyncInferQueue(self._compiled)
        self._queue.set_callback(self._keep)
        self._found: dict[int, dict[str, Array]] = {}

    def infer(self, samples: Iterable[Sample], inputs: Sequence[InputInfo]) -> list[Outputs]:
        """The outputs of every sample by name.

        Raises:
            ModelError: a sample can't be inferred.
        """
        self._found.clear()
        with mapped_errors("infer the model"), drained(self._queue):
            for i, sample in enumerate(samples):
                if self._is_stateful:
                    self._queue[self._queue.get_idle_request_id()].reset_state()
                self._queue.start_async(by_position(sample, inputs), i)
        return [self._found[i] for i in range(len(self._found))]

    def _keep(self, request: ov.InferRequest, position: int) -> None:
        self._found[position] = {
            name: request.get_output_tensor(i).data.copy() for i, name in enumerate(self._names)
        }


def by_position(sample: Sample, inputs: Sequence[InputInfo]) -> dict[int, Array]:
    """The sample's arrays by the position of the model's inputs."""
    return {i: sample.inputs[each.name] for i, each in enumerate(inputs)}
