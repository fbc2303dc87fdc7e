"""What comes behind the last product of all stays in floating point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import quant
import runner
from quant.plan import OperationPlan, Status
from quant.runtime import opset, ov
from quant.target import Target
from tests.models import constant, conv, finish, linear, named, normal, parameter, relu

LAST = "no product comes behind it"


def plans(model: ov.Model, target: Target, **given: Any) -> dict[str, OperationPlan]:
    asked = [quant.Step(use="DefaultQuantization", parameters={"preset": "mixed", **given})]
    return {
        each.name: each for each in quant.resolve(quant.load_model(model), asked, target).operations
    }


def boxes() -> ov.Model:
    """A detector that makes centres and sizes of what it found to the left and to the right."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 4, 8, 8)
    hidden = relu(conv(rng, x, (8, 4, 3, 3), "conv1"), "relu")
    total = named(opset.add(hidden, conv(rng, hidden, (8, 8, 3, 3), "conv2")), "total")
    sides = opset.split(conv(rng, total, (4, 8, 3, 3), "head"), opset.constant(np.int64(1)), 2)
    anchors = constant(rng.uniform(0, 8, (1, 2, 8, 8)).astype(np.float32), "anchors")
    left = opset.subtract(anchors, sides.output(0))
    right = opset.add(anchors, sides.output(1))
    centre = named(opset.add(left, right), "centre")
    size = named(opset.subtract(right, left), "size")
    return finish([opset.concat([opset.multiply(centre, constant(0.5, "half")), size], 1)], [x])


@pytest.mark.parametrize("scope", [[], ["head"]], ids=["all", "ignored"])
def test_what_comes_behind_the_last_weights_stays_too(scope: list[str], cpu: Target) -> None:
    """And nothing else does once these weights are ignored."""
    found = plans(boxes(), cpu, ignored={"scope": scope})
    assert all(LAST in found[name].reason for name in ("centre", "size"))
    assert found["total"].status is Status.QUANTIZED


def rows(total: ov.Node) -> ov.Node:
    """A Gather, which moves values about."""
    return opset.gather(total, opset.constant(np.array([0, 2])), opset.constant(np.int64(1)))


def products(total: ov.Node) -> ov.Node:
    return opset.matmul(total, total, False, True)


def attention(total: ov.Node) -> ov.Node:
    return opset.scaled_dot_product_attention(total, total, total)


def cell(total: ov.Node) -> ov.Node:
    rng, states = np.random.default_rng(1), [constant(np.zeros((1, 1, 4), np.float32), "state")] * 2
    weights = [constant(normal(rng, 1, 16, n, fan_in=n), f"w{n}") for n in (6, 4)]
    bias, length = constant(normal(rng, 1, 16, fan_in=1), "b"), opset.constant(np.int32([5]))
    return opset.lstm_sequence(total, *states, length, *weights, bias, 4, "forward")


def branch(total: ov.Node) -> ov.Node:
    """An If, whose bodies hold anything."""
    node = opset.if_op(opset.constant(np.array([True])))
    for build in (node.set_then_body, node.set_else_body):
        inner = parameter("inner", 1, 5, 6)
        body = finish([opset.tanh(inner)], [inner])
        build(body)
    then, other = node.get_then_body(), node.get_else_body()
    node.set_input(total.output(0), then.get_parameters()[0], other.get_parameters()[0])
    node.set_output(then.get_results()[0], other.get_results()[0])
    return node


def tower(below: Callable[[ov.Node], ov.Node], *, is_kept: bool = False) -> ov.Model:
    """The sum of two linear layers and what comes below; it may be kept for the next sample."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 5, 6)
    start = constant(np.zeros((1, 5, 6), np.float32), "start")
    read = opset.read_value(start, "kept", np.float32, [1, 5, 6])
    both = (linear(rng, x, (6, 6), name) for name in ("left", "right"))
    total = named(opset.add(*both), "total")
    results = [below(total)] + ([linear(rng, read, (6, 6), "next")] if is_kept else [])
    return finish(results, [x], [opset.assign(total, "kept")] if is_kept else [])


@pytest.mark.parametrize("below", [opset.sigmoid, rows], ids=["function", "rows"])
def test_what_reads_no_integers_gets_none(below: Callable[[ov.Node], ov.Node], cpu: Target) -> None:
    found = plans(tower(below), cpu)["total"]
    assert found.status is Status.FLOAT
    assert LAST in found.reason


@pytest.mark.parametrize(
    "below", [products, attention, cell, branch], ids=lambda below: below.__name__
)
def test_products_and_what_may_lead_to_one_read_it(
    below: Callable[[ov.Node], ov.Node], cpu: Target
) -> None:
    assert plans(tower(below), cpu)["total"].status is Status.QUANTIZED


def test_a_state_may_lead_to_one_with_the_next_sample(cpu: Target) -> None:
    assert plans(tower(opset.sigmoid, is_kept=True), cpu)["total"].status is Status.QUANTIZED


@pytest.mark.parametrize("target", ["gna", "gna3"])
def test_targets_that_quantize_results_quantize_the_last_ones(target: str) -> None:
    assert plans(tower(rows), runner.load_target(target))["total"].status is Status.QUANTIZED


def test_nothing_can_be_asked_of_it(cpu: Target) -> None:
    with pytest.raises(quant.ParameterError, match="total"):
        plans(tower(rows), cpu, activations={"layers": [{"names": ["total"], "mode": "symmetric"}]})
