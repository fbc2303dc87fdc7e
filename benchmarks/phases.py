"""Seconds of each phase of quantizing a network of so many operations, with two samples.

`python -m benchmarks.phases NETWORK OPERATIONS` prints them as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import TypeVar

from quant.entry import apply, collect, resolve
from quant.load import load_model
from quant.runtime import core
from quant.steps.table import Step
from runner.inference import THROUGHPUT
from runner.targets import load_target
from tests.models import samples
from tests.networks import GROWING

T = TypeVar("T")


def phases_s(network: str, operations: int) -> dict[str, float]:
    """`compile`: OpenVINO compiles the model as it is, which is no part of quantizing it."""
    source = GROWING[network](operations)
    parameters = {"model_type": "transformer"} if network == "encoders" else {}
    steps, target = [Step(use="DefaultQuantization", parameters=parameters)], load_target("cpu")
    found: dict[str, float] = {}
    model = _timed(found, "load", lambda: load_model(source))
    plan = _timed(found, "resolve", lambda: resolve(model, steps, target))
    _timed(found, "compile", lambda: core().compile_model(model, "CPU", THROUGHPUT))
    statistics = _timed(found, "collect", lambda: collect(plan, samples(source, 2)))
    _timed(found, "apply", lambda: apply(plan, statistics))
    return found


def _timed(found: dict[str, float], phase: str, work: Callable[[], T]) -> T:
    started = time.perf_counter()
    result = work()
    found[phase] = time.perf_counter() - started
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("network", choices=GROWING)
    parser.add_argument("operations", type=int)
    given = parser.parse_args()
    phases_s(given.network, 70)  # loads the plugin
    print(json.dumps(phases_s(given.network, given.operations)))
