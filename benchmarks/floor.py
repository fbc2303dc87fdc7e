"""The floor: one asynchronous f32 pass over a case's samples, compiled and warmed up before.

`python -m benchmarks.floor CASE_FOLDER` prints its seconds as JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from benchmarks.folder import Samples, read_model, read_samples
from quant.runtime import core, drained, ov
from runner.inference import THROUGHPUT

AT_LEAST_S = 1.0
"""Short passes are repeated for so long: a single one of milliseconds tells nothing."""


def floor_s(model: ov.Model, samples: Samples) -> float:
    """Seconds of a pass, the median of as many as it takes to fill a second."""
    queue = ov.AsyncInferQueue(core().compile_model(model, "CPU", THROUGHPUT))
    _pass_s(queue, samples[: 2 * len(queue)])
    passes = [_pass_s(queue, samples)]
    while sum(passes) < AT_LEAST_S:
        passes.append(_pass_s(queue, samples))
    return statistics.median(passes)


def _pass_s(queue: ov.AsyncInferQueue, samples: Samples) -> float:
    started = time.perf_counter()
    with drained(queue):
        for sample in samples:
            queue.start_async(sample, share_inputs=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    case = Path(sys.argv[1])
    print(json.dumps({"floor_s": floor_s(read_model(case), read_samples(case))}))
