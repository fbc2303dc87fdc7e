"""Attention masks of huge negative numbers, beside a bias on the scores or alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import quant
from quant.runtime import opset, ov
from quant.target import Target
from tests import models
from tests.quant.results import nodes_of, outputs_db

LENGTH, WIDTH, HEADS = 12, 32, 4
LOWEST = float(np.finfo(np.float32).min)
Sample = list[Any]


def encoder(length: int, factor: float, *, is_fused: bool, is_bias_constant: bool) -> ov.Model:
    """An attention whose scores get a bias of positions, and `factor` where the mask is 0."""
    rng = np.random.default_rng(0)
    x = models.parameter("x", 1, length, WIDTH)
    mask = models.parameter("mask", 1, length, kind=np.int64)
    q, k, v = (_heads(models.linear(rng, x, (WIDTH, WIDTH), each), each) for each in "qkv")
    left_out = opset.subtract(models.constant([[1]], "one"), opset.convert(mask, "f32"))
    masked = opset.multiply(left_out, models.constant([[factor]], "factor"))
    masked = opset.unsqueeze(masked, opset.constant(np.array([1, 2])))
    bias = opset.add(_bias(rng, x, is_constant=is_bias_constant), masked)
    if is_fused:
        attended = opset.scaled_dot_product_attention(q, k, v, models.named(bias, "biased"))
    else:
        scores = opset.multiply(opset.matmul(q, k, False, True), np.float32(0.35))
        scores = models.named(opset.add(scores, bias), "biased")
        attended = opset.matmul(opset.softmax(scores, 3), v, False, False)
    joined = opset.reshape(
        models.transpose(attended, [0, 2, 1, 3], "order"), np.array([0, 0, WIDTH]), True
    )
    return models.finish([models.linear(rng, joined, (10, WIDTH), "out")], [x, mask])


def _heads(x: ov.Node, name: str) -> ov.Node:
    shape = np.array([0, 0, HEADS, WIDTH // HEADS])
    return models.transpose(opset.reshape(x, shape, True), [0, 2, 1, 3], f"{name}/heads")


def _bias(rng: models.Rng, x: ov.Node, *, is_constant: bool) -> ov.Node:
    """T5's, a table, or ALiBi's, which follows from the length."""
    if is_constant:
        drawn = rng.standard_normal((1, HEADS, LENGTH, LENGTH)).astype(np.float32)
        return models.constant(drawn, "positions")
    zero, one = (opset.constant(np.int64(each)) for each in (0, 1))
    count = opset.gather(opset.shape_of(x), one, zero)
    places = opset.convert(opset.range(zero, count, one, "i64"), "f32")
    apart = opset.subtract(opset.unsqueeze(places, zero), opset.unsqueeze(places, one))
    slopes = np.float32([0.5, 0.25, 0.125, 0.0625]).reshape(1, HEADS, 1, 1)
    return opset.multiply(opset.negative(opset.absolute(apart)), opset.constant(slopes))


def padded(count: int, seed: int) -> list[Sample]:
    """Samples of which up to half is masked."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        mask = (np.arange(LENGTH)[None] < rng.integers(LENGTH // 2, LENGTH + 1)).astype(np.int64)
        found.append([rng.standard_normal((1, LENGTH, WIDTH)).astype(np.float32), mask])
    return found


@pytest.mark.parametrize("preset", ["performance", "mixed"])
@pytest.mark.parametrize("is_fused", [True, False])
@pytest.mark.parametrize("factor", [-1e4, LOWEST])
@pytest.mark.parametrize(("length", "is_constant"), [(LENGTH, True), (LENGTH, False), (-1, False)])
def test_a_mask_leaves_the_bias_beside_it(
    cpu: Target, length: int, factor: float, is_fused: bool, preset: str, is_constant: bool
) -> None:
    model = encoder(length, factor, is_fused=is_fused, is_bias_constant=is_constant)
    result = quant.quantize(model, padded(20, 0), target=cpu, preset=preset)
    assert outputs_db(model, result.model, padded(8, 1))[0] > 27


def test_outputs_keep_their_names() -> None:
    x = models.parameter("x", 1, 4)
    masked = opset.multiply(x, models.constant([[LOWEST]], "factor"))
    below = models.linear(np.random.default_rng(0), masked, (2, 4), "y")
    model = models.finish([masked, below], [x])
    loaded = quant.load_model(model)
    assert [output.get_names() for output in loaded.outputs] == [{"y0"}, {"y1"}]
    assert nodes_of(loaded)["y"].input_value(0).get_node().get_type_name() == "Maximum"
    assert len(quant.load_model(loaded).get_ops()) == len(loaded.get_ops())


@pytest.mark.parametrize("kind", ["selected", "added"])
@pytest.mark.parametrize("extreme", ["max", "min"])
def test_masks_leave_pooled_extremes_their_range(kind: str, extreme: str, cpu: Target) -> None:
    """A mean and an extreme of the rows that a mask lets through, side by side."""
    rng = np.random.default_rng(0)
    x, mask = models.parameter("x", 1, LENGTH, WIDTH), models.parameter("mask", 1, LENGTH, 1)
    hidden = models.relu(models.linear(rng, x, (WIDTH, WIDTH), "a"), "a_relu")
    out = LOWEST if extreme == "max" else -LOWEST
    if kind == "selected":
        left = opset.equal(mask, models.constant([[[1]]], "one"))
        masked = opset.select(left, hidden, models.constant([[[out]]], "out"))
    else:
        away = opset.multiply(opset.subtract(np.float32(1), mask), np.float32(out / 1e30))
        masked = opset.add(hidden, away)
    reduce = opset.reduce_max if extreme == "max" else opset.reduce_min
    axis = np.array([1], np.int64)
    pooled = opset.concat([opset.reduce_mean(hidden, axis), reduce(masked, axis)], 1)
    model = models.finish([models.linear(rng, pooled, (4, 2 * WIDTH), "b")], [x, mask])
    samples = [
        [sample[0], (np.arange(LENGTH) < 4 + i % 6).astype(np.float32).reshape(1, LENGTH, 1)]
        for i, sample in enumerate(models.samples(model, 16))
    ]
    result = quant.quantize(model, samples, target=cpu)
    assert min(outputs_db(model, result.model, samples)) > 25
