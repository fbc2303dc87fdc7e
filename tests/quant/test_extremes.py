"""Maxima and minima over axes, below which OpenVINO's CPU plugin rounds before it scales."""

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
