"""Constants that become integers keep their values, whatever the width and sign of their grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import quant
from quant.fake_quantize import Levels, quantize, weight_levels
from quant.fold import fold
from quant.runtime import opset, ov
from quant.scheme import Mode, Scheme
from quant.target import Target
from quant.work import Work
from tests import models
from tests.quant.results import WIDE

Array = NDArray[Any]


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


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_integers_compute_what_fake_quantize_does(bits: int, mode: Mode) -> None:
    """On rows of any size and offset; f32 may round a value that lies between two levels to either.

    OpenVINO's CPU plugin takes a FakeQuantize of 65536 levels out of the model (its "QDQ
    stripping", 2026.4), so that width is held to our own arithmetic.
    """
    weights, levels = rows_and_levels(Scheme(bits=bits, mode=mode))
    x = models.parameter("x", *weights.shape)
    ends = [opset.constant(levels.low), opset.constant(levels.high)]
    node = opset.fake_quantize(opset.constant(weights), *ends, *ends, levels.levels)
    work = Work(models.finish([opset.add(x, models.named(node, "fq"))], [x]))
    work.levels["fq"] = levels
    zero = [np.zeros_like(weights)]
    before = models.evaluate(work.model, zero)[0] if bits < 16 else quantize(weights, levels)
    fold(work)
    off = np.abs(models.evaluate(work.model, zero)[0] - before)
    slack = 8 * np.finfo(np.float32).eps * (levels.high - levels.low)
    assert (off <= levels.scale + slack).all()
    assert (off <= slack).mean() > 0.98


def rows_and_levels(scheme: Scheme) -> tuple[Array, Levels]:
    """Rows of numbers of many sizes, on one side of zero and on both, and levels for each row."""
    rng = np.random.default_rng(0)
    sizes, offsets = 10.0 ** rng.uniform(-6, 6, (40, 1)), rng.uniform(-4, 4, (40, 1))
    weights = ((rng.standard_normal((40, 50)) + offsets) * sizes).astype(np.float32)
    low, high = weights.min(axis=1, keepdims=True), weights.max(axis=1, keepdims=True)
    if scheme.mode is Mode.SYMMETRIC:
        high = np.maximum(np.abs(low), np.abs(high))
        low = -high
    return weights, weight_levels(scheme, low, high)
