"""Where OpenVINO's CPU plugin computes a quantizer together with what is above it, and wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import quant
from quant.runtime import opset, ov
from quant.target import Target
from tests import models
from tests.quant.results import outputs_db

BEHIND: dict[str, Callable[[Any], Any]] = {
    "plain": lambda found: found,
    "function": opset.swish,
    "constants": lambda found: opset.add(
        opset.multiply(found, models.constant([[0.5]], "scale")), models.constant([[0.1]], "shift")
    ),
    "reshaped": lambda found: models.reshape(found, [1, 2, 8], "turned"),
}


@pytest.mark.parametrize("reduce", [opset.reduce_max, opset.reduce_min])
@pytest.mark.parametrize("behind", BEHIND)
def test_quantizers_below_extremes(
    reduce: Callable[..., ov.Node], behind: str, cpu: Target
) -> None:
    """In floating point, since a Softmax reads the same tensor."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 6, 16)
    hidden = models.linear(rng, x, (16, 16), "a")
    found = BEHIND[behind](reduce(hidden, np.array([1], np.int64), keep_dims=False))
    width = found.output(0).get_shape()[-1]
    ends = [models.linear(rng, found, (4, width), "b"), opset.softmax(hidden, 2)]
    model = models.finish(ends, [x])
    samples = models.samples(model, 16)
    result = quant.quantize(model, samples, target=cpu)
    assert min(outputs_db(model, result.model, samples)) > 30


@pytest.mark.parametrize("rows", [1, 4, 8])
@pytest.mark.parametrize("outputs", [1, 8])
@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_heads_of_two_layers(rows: int, outputs: int, preset: str, cpu: Target) -> None:
    """With a normalization of the batch between them; both were computed as one, from memory that
    was not theirs."""
    rng, x = np.random.default_rng(0), models.parameter("x", rows, 48)
    hidden = models.linear(rng, x, (32, 48), "a")
    scale = models.constant(rng.uniform(0.5, 1.5, (1, 32)).astype(np.float32), "scale")
    shift = models.constant(rng.normal(0, 0.2, (1, 32)).astype(np.float32), "shift")
    hidden = models.relu(opset.add(opset.multiply(hidden, scale), shift), "relu")
    model = models.finish([models.linear(rng, hidden, (outputs, 32), "b")], [x])
    samples = models.samples(model, 16)
    result = quant.quantize(model, samples, target=cpu, preset=preset)
    assert min(outputs_db(model, result.model, samples)) > 30


@pytest.mark.parametrize("is_attending", [False, True])
@pytest.mark.parametrize("size", [0.1, 1.0])
def test_a_token_beside_others(size: float, is_attending: bool, cpu: Target) -> None:
    """Its scale beside that of the others was taken for one of channels, or did not compile."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 12, 16)
    token = models.constant((size * rng.standard_normal((1, 1, 16))).astype(np.float32), "token")
    joined = opset.concat([token, opset.multiply(x, np.float32(3))], 1)
    normal = opset.mvn(joined, np.array([2], np.int64), True, 1e-5, "INSIDE_SQRT")
    q, k, v = (models.linear(rng, normal, (16, 16), each) for each in "qkv")
    made: Any = opset.relu(q)
    if is_attending:
        made = opset.matmul(opset.softmax(opset.matmul(q, k, False, True), 2), v, False, False)
    both = opset.mvn(opset.add(joined, made), np.array([2], np.int64), True, 1e-5, "INSIDE_SQRT")
    model = models.finish([models.linear(rng, both, (4, 16), "end")], [x])
    samples = models.samples(model, 16)
    result = quant.quantize(model, samples, target=cpu)
    assert min(outputs_db(model, result.model, samples)) > 15
    plain = quant.quantize(model, samples, target=cpu, model_type="transformer")
    assert min(outputs_db(model, plain.model, samples)) > 30


@pytest.mark.parametrize("below", ["layer", "mean"])
@pytest.mark.parametrize("reduce", [opset.reduce_mean, opset.reduce_sum, opset.reduce_max])
def test_branches_added_up_along_an_axis(
    reduce: Callable[..., ov.Node], below: str, cpu: Target
) -> None:
    """As in split attention; a scale per channel was taken for one of branches."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 16, 8, 8)
    parts = [
        opset.unsqueeze(
            models.relu(models.conv(rng, x, (16, 16, 1, 1), name), f"{name}_relu"),
            np.array([1], np.int64),
        )
        for name in "ab"
    ]
    found: Any = reduce(opset.concat(parts, 1), np.array([1], np.int64), keep_dims=False)
    if below == "mean":
        found = opset.reduce_mean(found, np.array([2, 3], np.int64), keep_dims=False)
        found = models.linear(rng, found, (4, 16), "c")
    else:
        found = models.conv(rng, found, (4, 16, 1, 1), "c")
    model = models.finish([found], [x])
    samples = models.samples(model, 16)
    for model_type in (None, "transformer"):
        result = quant.quantize(model, samples, target=cpu, model_type=model_type)
        assert min(outputs_db(model, result.model, samples)) > 25


def test_attention_of_one_head_over_places(cpu: Target) -> None:
    """What statistics read of it crashed OpenVINO's compilation."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 20, 16)
    places = models.constant((0.1 * rng.standard_normal((1, 20, 16))).astype(np.float32), "places")
    hidden = opset.add(models.linear(rng, x, (16, 16), "in"), places)
    q, k, v = (models.linear(rng, hidden, (16, 16), each) for each in "qkv")
    made = opset.matmul(opset.softmax(opset.matmul(q, k, False, True), 2), v, False, False)
    model = models.finish([models.linear(rng, opset.add(hidden, made), (4, 16), "end")], [x])
    samples = models.samples(model, 16)
    for model_type in (None, "transformer"):
        result = quant.quantize(model, samples, target=cpu, model_type=model_type)
        assert min(outputs_db(model, result.model, samples)) > 20
