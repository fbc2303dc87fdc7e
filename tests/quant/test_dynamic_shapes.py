"""Models of dynamic shape are quantized as well as the same ones of static shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import quant
from quant.plan import MinMaxPlan
from quant.runtime import opset, ov
from quant.target import Target
from tests.models import constant, conv, finish, linear, named, normal, parameter, relu, transpose
from tests.quant.results import outputs_db

Sizes = Sequence[int]
Build = Callable[[Sizes], ov.Model]
PICTURE, POINT, ROWS, MAPS = (1, 16, 8, 8), (1, 16, 1, 1), (1, 12, 16), (1, 4, 8, 8)


def gate(sizes: Sizes) -> ov.Model:
    """A picture times what one convolution makes of its mean."""
    rng, x = np.random.default_rng(0), parameter("x", *sizes)
    above = relu(conv(rng, x, (16, 16, 3, 3), "conv1"), "relu")
    mean = opset.reduce_mean(above, np.array([2, 3]), keep_dims=True)
    opened = opset.sigmoid(conv(rng, mean, (16, 16, 1, 1), "gate"))
    gated = named(opset.multiply(above, opened), "gated")
    return finish([conv(rng, gated, (4, 16, 1, 1), "conv2")], [x])


def turned(sizes: Sizes) -> ov.Model:
    """A depthwise convolution over a sequence, with a residual."""
    rng, x = np.random.default_rng(0), parameter("x", *sizes)
    columns = transpose(x, [0, 2, 1], "columns")
    weights = constant(normal(rng, 16, 1, 1, 3, fan_in=3), "weights")
    filtered = opset.group_convolution(columns, weights, [1], [1], [1], [1])
    return finish([opset.add(columns, filtered)], [x])


def product(second: Callable[[Any, Any], Any]) -> Build:
    """A product of two tensors that is an output, and read by another operation."""

    def build(sizes: Sizes) -> ov.Model:
        rng, x = np.random.default_rng(0), parameter("x", *sizes)
        found = opset.matmul(x, x, False, True)
        return finish([found, second(rng, found)], [x])

    return build


def attention(sizes: Sizes) -> ov.Model:
    """A linear layer, and its rows by how they go together: few values per sample."""
    rng, x = np.random.default_rng(0), parameter("x", *sizes)
    rows = linear(rng, x, (16, 16), "rows")
    inner = opset.matmul(opset.softmax(rows, 2), rows, True, False)
    return finish([opset.matmul(rows, inner, False, False)], [x])


def pooled(pool: Callable[[Any], Any]) -> Build:
    """Two convolutions behind a global pooling, as in gates and in MobileNetV3's head."""

    def build(sizes: Sizes) -> ov.Model:
        rng, x = np.random.default_rng(0), parameter("x", *sizes)
        mean = pool(relu(conv(rng, x, (16, 16, 3, 3), "conv1"), "relu1"))
        inner = relu(conv(rng, mean, (32, 16, 1, 1), "conv2"), "relu2")
        weights = constant(normal(rng, 32, 1, 1, 1, 1, fan_in=1), "weights")
        filtered = relu(
            opset.group_convolution(inner, weights, [1, 1], [0, 0], [0, 0], [1, 1]), "r"
        )
        return finish([conv(rng, filtered, (4, 32, 1, 1), "conv3")], [x])

    return build


def mean(x: Any) -> Any:
    return opset.reduce_mean(x, np.array([2, 3]), keep_dims=True)


def maximum(x: Any) -> Any:
    return opset.reduce_max(x, np.array([2, 3]), keep_dims=True)


CASES: list[tuple[Build, Sizes, float]] = [
    (gate, PICTURE, 28),
    (gate, POINT, 28),
    (turned, ROWS, 33),
    (product(lambda rng, x: conv(rng, x, (4, 4, 1, 1), "conv")), MAPS, 28),
    (product(lambda rng, x: linear(rng, x, (8, 8), "linear")), MAPS, 28),
    (product(lambda _, x: relu(x, "relu")), MAPS, 33),
    (product(lambda _, x: opset.mvn(x, np.array([-1]), True, 1e-5, "inside_sqrt")), MAPS, 25),
    (attention, ROWS, 25),
    (pooled(mean), PICTURE, 28),
    (pooled(maximum), PICTURE, 28),
]


@pytest.mark.parametrize("preset", ["performance", "mixed"])
@pytest.mark.parametrize(("build", "sizes", "floor"), CASES)
def test_what_is_dynamic_loses_no_more(
    build: Build, sizes: Sizes, floor: float, preset: str, cpu: Target
) -> None:
    rng = np.random.default_rng(1)
    samples = [[rng.standard_normal(sizes).astype(np.float32)] for _ in range(24)]
    any_batch, any_length, any_size = (-1, *sizes[1:]), (1, -1, *sizes[2:]), (*sizes[:2], -1, -1)
    for shape in (sizes, any_batch, any_length if len(sizes) == 3 else any_size):
        model = build(shape)
        quantized = quant.quantize(model, samples, target=cpu, preset=preset).model
        assert min(outputs_db(model, quantized, samples)) > floor


@pytest.mark.parametrize("reader", ["shape", "values"])
def test_a_product_stays_in_floating_point_where_several_read_its_values(
    reader: str, cpu: Target
) -> None:
    def second(_: Any, x: Any) -> Any:
        return opset.shape_of(x) if reader == "shape" else relu(x, "relu")

    rng, x = np.random.default_rng(0), parameter("x", -1, 12, 16)
    scores = named(opset.matmul(x, x, False, True), "scores")
    ends = [linear(rng, opset.softmax(scores, -1), (4, 12), "end"), second(rng, scores)]
    step = quant.Step(use="MinMaxQuantization")
    plan = quant.resolve(quant.load_model(finish(ends, [x])), [step], cpu)
    (found,) = (each.reason for each in plan.operations if each.name == "scores")
    assert ("for several readers" in found) is (reader == "values")


def test_a_product_of_any_batch_has_scales_per_tensor(cpu: Target) -> None:
    """Of a known batch each channel has its own."""
    found = {}
    for batch in (1, -1):
        model = quant.load_model(gate((batch, *PICTURE[1:])))
        step = quant.Step(use="MinMaxQuantization")
        plan = quant.resolve(model, [step], cpu).steps[0]
        assert isinstance(plan, MinMaxPlan)
        read = [each for each in plan.activations if "gated" in each.operations]
        found[batch] = [each.channels for each in read]
    assert found == {1: [16, 16], -1: [None, None]}
