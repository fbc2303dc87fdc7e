"""Throughput of two models in pairs, one after the other, the first one in every other pair.

`python -m benchmarks.throughput CASE_FOLDER OURS THEIRS PAIRS` prints frames per second as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from benchmarks.folder import Samples, read_samples
from quant.runtime import core, drained, ov
from runner.inference import THROUGHPUT

T = TypeVar("T")
SECONDS = 2.0
"""Per model and pair."""
READ = 32
"""Samples that are inferred over and over."""


def pairs(paths: list[Path], samples: Samples, count: int) -> list[tuple[float, float]]:
    """Frames per second of both models in each pair."""
    ours, theirs = (
        ov.AsyncInferQueue(core().compile_model(path, "CPU", THROUGHPUT)) for path in paths
    )
    for queue in (ours, theirs):
        _frames_per_second(queue, samples, seconds=0.0)
    return in_turns(
        lambda queue: _frames_per_second(queue, samples, seconds=SECONDS), ours, theirs, count
    )


def in_turns(
    measure: Callable[[T], float], first: T, second: T, count: int
) -> list[tuple[float, float]]:
    """Pairs of (first, second), of which every other one is measured in reverse."""
    found = []
    for i in range(count):
        order = (first, second) if i % 2 == 0 else (second, first)
        a, b = (measure(each) for each in order)
        found.append((a, b) if i % 2 == 0 else (b, a))
    return found


def _frames_per_second(queue: ov.AsyncInferQueue, samples: Samples, *, seconds: float) -> float:
    started, count = time.perf_counter(), 0
    with drained(queue):
        while count < 2 * len(queue) or time.perf_counter() - started < seconds:
            queue.start_async(samples[count % len(samples)], share_inputs=True)
            count += 1
    return count / (time.perf_counter() - started)


if __name__ == "__main__":
    folder, *models = (Path(each) for each in sys.argv[1:4])
    found = pairs(models, read_samples(folder)[:READ], int(sys.argv[4]))
    print(json.dumps({"throughput_fps": found}))
