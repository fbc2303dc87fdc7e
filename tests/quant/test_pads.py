"""What OpenVINO pads integers with."""

from __future__ import annotations

import numpy as np
import pytest

import quant
from quant.runtime import opset
from quant.target import Target
from tests import models
from tests.quant.results import outputs_db


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
