"""Latency and throughput of FP32 and of the quantized model, measured in turn, in f32.

A machine's speed drifts, so the two models alternate in short rounds, the first one in every other
round, and speed-ups are taken within a round. The inputs are real samples, read beforehand.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from quant.runtime import drained, ov
from runner.data.open import Selection
from runner.foreign_errors import mapped_errors
from runner.inference import LATENCY, THROUGHPUT, by_position, compile_model
from runner.progress import Progress, silent
from runner.recipe.recipe import BenchmarkSource
from runner.report.report import Latency, Performance, Repeat, Speed

SAMPLES = 32
"""Samples that are read and then inferred over and over."""
SHORT_S = 1.0
"""Most seconds for what the hint does not ask for."""
WARM_UPS = 3

Inputs = Sequence[dict[int, Any]]
Round = tuple[float, list[float]]
"""Requests per second, and milliseconds of single requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contestant:
    """One model, compiled once for throughput and once for latency."""

    queue: ov.AsyncInferQueue
    request: ov.InferRequest


def benchmark(
    fp32: ov.Model,
    quantized: ov.Model,
    dataset: Selection,
    source: BenchmarkSource,
    *,
    device: str = "CPU",
    progress: Progress = silent,
) -> Performance:
    """The speed of both models.

    `source.seconds` go to what its hint names, per model and repeat; at most `SHORT_S` to the rest.

    Raises:
        ModelError: a model can't be compiled or inferred.
        DataError: a sample can't be read.
    """
    inputs = [
        {i: ov.Tensor(array) for i, array in by_position(dataset[k], dataset.inputs).items()}
        for k in range(min(SAMPLES, len(dataset)))
    ]
    with mapped_errors("measure the model"):
        contestants = [_contestant(model, device, inputs) for model in (fp32, quantized)]
        rounds: list[tuple[Round, Round]] = []
        for i in range(source.repeats):
            rounds.append(_both(contestants, inputs, source, is_swapped=i % 2 == 1))
            progress("benchmark", i + 1, source.repeats)
    return summarize(rounds, source)


def summarize(rounds: Sequence[tuple[Round, Round]], source: BenchmarkSource) -> Performance:
    """Medians over the rounds of (FP32, quantized)."""
    throughput = median(after[0] / before[0] for before, after in rounds)
    latency = median(median(before[1]) / median(after[1]) for before, after in rounds)
    return Performance(
        fp32=_speed([before for before, _ in rounds]),
        quantized=_speed([after for _, after in rounds]),
        speedup=latency if source.hint == "latency" else throughput,
        throughput_speedup=throughput,
        latency_speedup=latency,
        hint=source.hint,
        seconds=source.seconds,
        repeats=source.repeats,
        rounds=tuple((_repeat_of(before), _repeat_of(after)) for before, after in rounds),
    )


def _repeat_of(found: Round) -> Repeat:
    return Repeat(throughput_fps=found[0], latency_ms=median(found[1]))


def _speed(rounds: Sequence[Round]) -> Speed:
    fps = [each for each, _ in rounds]
    times = [ms for _, each in rounds for ms in each]
    return Speed(
        throughput_fps=median(fps),
        latency_ms=Latency(median=median(times), p90=float(np.percentile(times, 90))),
        spread=(max(fps) - min(fps)) / median(fps),
    )


def _contestant(model: ov.Model, device: str, inputs: Inputs) -> _Contestant:
    queue = ov.AsyncInferQueue(compile_model(model, device, THROUGHPUT))
    request = compile_model(model, device, LATENCY).create_infer_request()
    with drained(queue):
        for i in range(max(WARM_UPS, len(queue))):
            queue.start_async(inputs[i % len(inputs)], share_inputs=True)
    for i in range(WARM_UPS):
        request.infer(inputs[i % len(inputs)], share_inputs=True)
    return _Contestant(queue=queue, request=request)


def _both(
    contestants: Sequence[_Contestant],
    inputs: Inputs,
    source: BenchmarkSource,
    *,
    is_swapped: bool,
) -> tuple[Round, Round]:
    """One round of each model, in the order FP32, quantized, or swapped; returned unswapped."""
    order = (1, 0) if is_swapped else (0, 1)
    short = min(SHORT_S, source.seconds)
    long_queue = source.hint != "latency"
    fps = {
        i: _throughput(contestants[i], inputs, source.seconds if long_queue else short)
        for i in order
    }
    times = {
        i: _latency(contestants[i], inputs, short if long_queue else source.seconds) for i in order
    }
    return (fps[0], times[0]), (fps[1], times[1])


def _throughput(contestant: _Contestant, inputs: Inputs, seconds: float) -> float:
    """Requests per second with as many at a time as the device likes."""
    queue = contestant.queue

    def start(i: int) -> None:
        queue.start_async(inputs[i % len(inputs)], share_inputs=True)

    started = time.perf_counter()
    with drained(queue):
        count = _repeat(start, seconds)
    return count / (time.perf_counter() - started)


def _latency(contestant: _Contestant, inputs: Inputs, seconds: float) -> list[float]:
    """Milliseconds of one request after the other."""
    times: list[float] = []

    def infer(i: int) -> None:
        started = time.perf_counter()
        contestant.request.infer(inputs[i % len(inputs)], share_inputs=True, share_outputs=True)
        times.append((time.perf_counter() - started) * 1e3)

    _repeat(infer, seconds)
    return times


def _repeat(act: Callable[[int], None], seconds: float) -> int:
    """Acts until the seconds are over, at least once; returns how often."""
    deadline = time.perf_counter() + seconds
    count = 0
    while not count or time.perf_counter() < deadline:
        act(count)
        count += 1
    return count
