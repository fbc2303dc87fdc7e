"""OverflowCorrection: sums of products of 16 bits stay within 32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import quant
import runner
from quant.plan import OverflowPlan
from quant.runtime import opset, ov
from quant.steps.overflow import needs
from quant.target import Target
from tests import models
from tests.quant.results import nodes_of, sqnr_db

Array = NDArray[Any]

LIMIT = 2**31 - 1
SIZE = 256


@pytest.fixture
def gna() -> Target:
    return runner.load_target("gna")


def long_sums(bias: float = 0, size: int = SIZE) -> ov.Model:
    """A MatMul whose products all have one sign."""
    weights = 1 - 0.2 * np.random.default_rng(0).random((4, size))
    x = models.parameter("x", 1, size)
    product = models.named(
        opset.matmul(x, models.constant(weights.astype(np.float32), "w"), False, True), "linear"
    )
    shifted = opset.add(product, models.constant(np.full((1, 4), bias, np.float32), "b"))
    return models.finish([shifted], [x])


def given(size: int = SIZE) -> list[list[Array]]:
    rng = np.random.default_rng(1)
    return [[(1 - 0.2 * rng.random((1, size))).astype(np.float32)] for _ in range(4)]


def largest_sum(result: quant.Result, samples: list[list[Array]]) -> float:
    """The largest sum of products of integers over the samples, in units of one."""
    nodes = nodes_of(result.model)
    chain = next(node for name, node in nodes.items() if name.endswith("/fq_weights_1"))
    integers = chain.input_value(0).get_node().input_value(0).get_node().data.astype(np.float64)
    low, high = next(r for each in result.operations for r in each.ranges.values())
    step = (high - low) / (2**16 - 1)
    sums = [np.rint(x[0] / step) @ integers.T for x in samples]
    return float(np.abs(sums).max())


def test_sums_that_overflow_are_made_to_fit(gna: Target) -> None:
    steps = [quant.Step(use="MinMaxQuantization", parameters={"preset": "accuracy"})]
    samples = given()
    found = []
    for more in ([], [quant.Step(use="OverflowCorrection")]):
        plan = quant.resolve(quant.load_model(long_sums()), [*steps, *more], gna)
        found.append(quant.apply(plan, quant.collect(plan, samples)))
    assert largest_sum(found[0], samples) > 10 * LIMIT
    assert 0.99 * LIMIT < largest_sum(found[1], samples) <= LIMIT * (1 + 1e-3)
    assert found[1].outcomes["overflow"] == "1 of 1 layers corrected"
    notes = [each.note for each in found[1].operations if each.plan.type == "MatMul"]
    assert notes[0].startswith("scale of weights times")


def test_the_result_changes_by_little_only(gna: Target) -> None:
    samples = given()
    result = quant.quantize(long_sums(), samples, target=gna, preset="accuracy")
    expected = models.evaluate(long_sums(), samples[0])[0]
    assert sqnr_db(expected, models.evaluate(result.model, samples[0])[0]) > 70


def test_the_bias_counts() -> None:
    """The device adds it to the same 32 bits."""
    gna = runner.load_target("gna")
    plan = quant.resolve(
        quant.load_model(long_sums(bias=1e4)),
        [quant.Step(use="DefaultQuantization", parameters={"preset": "accuracy"})],
        gna,
    )
    overflow = next(step for step in plan.steps if isinstance(step, OverflowPlan))
    statistics = quant.collect(plan, given())
    need = next(iter(needs(overflow)))
    assert float(statistics.of(need, "linear").max()) > 1e4


def test_sums_that_fit_are_left_alone(gna: Target) -> None:
    """Two products can't be more than twice the largest one, which is 2^30."""
    result = quant.quantize(long_sums(size=2), given(2), target=gna, preset="accuracy")
    assert result.outcomes["overflow"] == "0 of 1 layers corrected"


@pytest.mark.parametrize(("name", "is_there"), [("gna", True), ("gna3", False), ("cpu", False)])
def test_it_is_a_part_where_weights_have_more_than_8_bits(name: str, is_there: bool) -> None:
    """gna3's convolutions have 8 bits under `performance`."""
    step = quant.Step(use="DefaultQuantization")
    plan = quant.resolve(
        quant.load_model(models.conv_relu_conv()), [step], runner.load_target(name)
    )
    assert ("OverflowCorrection" in plan.step_names) is is_there


def test_alone_it_stays_in_the_plan(cpu: Target) -> None:
    steps = [quant.Step(use="MinMaxQuantization"), quant.Step(use="OverflowCorrection")]
    plan = quant.resolve(quant.load_model(models.conv_relu_conv()), steps, cpu)
    assert plan.step_names == ("MinMaxQuantization", "OverflowCorrection")
    (warning,) = plan.warnings
    assert warning.startswith("OverflowCorrection has nothing to do: on 'cpu' no layer here has")
