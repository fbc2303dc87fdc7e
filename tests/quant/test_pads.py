"""What OpenVINO pads integers with."""

from __future__ import annotations

import numpy as np
import pytest

import quant
from quant.plan import Status
from quant.runtime import opset
from quant.target import Target
from tests import models
from tests.quant.results import outputs_db, status_of


@pytest.mark.parametrize("value", [0.0, 0.7, -0.7, 5.0])
@pytest.mark.parametrize("function", ["none", "relu"])
@pytest.mark.parametrize("layer", ["rows", "line", "picture"])
def test_padding_with_any_value(layer: str, function: str, value: float, cpu: Target) -> None:
    """The number itself would become an integer, or not fit into one and keep the model from
    compiling."""
    rng = np.random.default_rng(0)
    shape, weights = {
        "rows": ((1, 6, 16), (16, 16)),
        "line": ((1, 16, 6), (16, 16, 1)),
        "picture": ((1, 16, 6, 6), (16, 16, 1, 1)),
    }[layer]
    make = models.linear if layer == "rows" else models.conv
    x = models.parameter("x", *shape)
    hidden = make(rng, x, weights, "a")
    if function == "relu":
        hidden = models.relu(hidden, "a_relu")
    ends = np.array([0, 1, 0] if layer == "rows" else [0, 0, *[1] * (len(shape) - 2)], np.int64)
    padded = opset.pad(hidden, ends, ends, "constant", np.float32(value))
    model = models.finish([make(rng, padded, weights, "b")], [x])
    samples = models.samples(model, 16)
    result = quant.quantize(model, samples, target=cpu)
    assert min(outputs_db(model, result.model, samples)) > 25


@pytest.mark.parametrize("value", [-np.inf, -3.4e38, -1e9, -65504.0])
@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_padding_that_no_maximum_takes(preset: str, value: float, cpu: Target) -> None:
    """As TensorFlow's `SAME` pooling is exported; 4 dB with a range that holds it."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 8, 9, 9)
    hidden = models.relu(models.conv(rng, x, (16, 8, 3, 3), "a"), "a_relu")
    begin, end = np.array([0, 0, 0, 0]), np.array([0, 0, 1, 1])
    padded = opset.pad(hidden, begin, end, "constant", np.float32(value))
    pooled = opset.max_pool(padded, [2, 2], [1, 1], [0, 0], [0, 0], [3, 3])
    model = models.finish([models.conv(rng, pooled.output(0), (8, 16, 3, 3), "b")], [x])
    samples = models.samples(model, 16)
    result = quant.quantize(model, samples, target=cpu, preset=preset)
    assert status_of(result)["b"] is Status.QUANTIZED
    assert outputs_db(model, result.model, samples)[0] > 30
