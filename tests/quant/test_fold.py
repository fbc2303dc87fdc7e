"""Constants that become integers keep their values, whatever the sign of their grid."""

from __future__ import annotations

import numpy as np

import quant
from quant.runtime import opset, ov
from quant.target import Target
from tests import models
from tests.quant.results import WIDE


def nonnegative_constant_in_concat() -> ov.Model:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 4, 6, 6)
    branch = models.relu(models.conv(rng, x, (4, 4, 3, 3), "conv_0"), "relu_0")
    beside = models.constant(np.abs(rng.standard_normal((1, 4, 6, 6))).astype(np.float32) * 3, "c")
    mixed = opset.concat([branch, beside], 1)
    last = models.conv(rng, mixed, (4, 8, 3, 3), "conv_1")
    return ov.Model([opset.result(last)], [x], "concat")


def test_a_constant_without_negative_values_does_not_wrap(cpu: Target) -> None:
    model = nonnegative_constant_in_concat()
    given = models.samples(model)
    found = quant.quantize(model, given, target=cpu, preset="performance", **WIDE).model
    expected = np.concatenate([out[0].ravel() for out in models.evaluate_all(model, given)])
    values = np.concatenate([out[0].ravel() for out in models.evaluate_all(found, given)])
    noise = np.square(values - expected).sum() / np.square(expected).sum()
    assert noise < 1e-2
