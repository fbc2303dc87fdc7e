"""The work of planning and of editing grows with the operations, counted in lines of ours that run.

A count in place of a time: it is the same on every machine. What OpenVINO and numpy do in one call
is not in it; `benchmarks/scale.py` measures that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import quant
from quant.entry import apply, collect, resolve
from quant.load import load_model
from quant.runtime import ov
from quant.steps.table import Step
from quant.target import Target
from tests.models import samples
from tests.networks import GROWING

OURS = str(Path(quant.__file__).parent)
FEW, MANY = 100, 300
MOST_GROWTH = 1.05
"""Of the lines per operation, from few to many operations: the ends of a network differ a little.
Work in proportion to the square would be three times as much."""


def lines_of(work: Callable[[], object]) -> int:
    """How many lines of `quant` run in a call, each as often as it does."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace if frame.f_code.co_filename.startswith(OURS) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def step(network: str) -> Step:
    parameters = {"model_type": "transformer"} if network == "encoders" else {}
    return Step(use="DefaultQuantization", parameters=parameters)


def lines_per_operation(network: str, operations: int, target: Target) -> tuple[float, float]:
    """Of planning and of editing."""
    built = GROWING[network](operations)
    size = sum(node.get_type_name() != "Constant" for node in built.get_ops())
    model = load_model(built)
    plan = resolve(model, [step(network)], target)
    statistics = collect(plan, samples(built, 2))

    def planned() -> ov.Model:
        return resolve(model, [step(network)], target).model

    return lines_of(planned) / size, lines_of(lambda: apply(plan, statistics)) / size


@pytest.mark.parametrize("network", sorted(GROWING))
def test_lines_per_operation_stay_the_same(network: str, cpu: Target) -> None:
    few = lines_per_operation(network, FEW, cpu)
    many = lines_per_operation(network, MANY, cpu)
    assert [b / a < MOST_GROWTH for a, b in zip(few, many, strict=True)] == [True, True], (
        few,
        many,
    )
