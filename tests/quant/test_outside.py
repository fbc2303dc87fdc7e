"""Ranges that leave too many of the values outside are drawn out, and no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import quant
import runner
from quant.parameters import (
    Aggregator,
    EstimatorPreset,
    Overrides,
    RangeEstimator,
    SideEstimator,
)
from quant.placement.estimators import FEW, OUTSIDE, UNKNOWN, few, outside
from quant.runtime import opset, ov
from quant.scheme import Granularity, Scheme
from quant.steps.outside import reached
from quant.target import Target
from tests import models
from tests.quant.results import sqnr_db

Array = NDArray[Any]
PLAIN = {"use_smooth_quant": False}
"""Smoothed tensors have ranges that hold every value."""

floats = st.floats(-100, 100, width=32)


@given(
    seen=arrays(np.float32, st.tuples(st.integers(2, 30), st.integers(1, 9)), elements=floats),
    count=st.integers(0, 12),
)
def test_no_more_are_outside_unless_one_sample_is_wild(seen: Array, count: int) -> None:
    found = reached(seen, count)
    others = np.delete(seen, seen.max(axis=1).argmax(), axis=0)
    if others.size <= count:
        assert found == -np.inf
        return
    assert (others > max(found, 0)).sum() <= count
    is_wild = (seen > found).sum() > count
    assert not is_wild or found in (0, 2 * np.sort(others, axis=None)[-1 - count])
    assert reached(np.append(seen, seen[:1] + 1e6, axis=0), count) <= max(2 * seen.max(), 0)


def test_of_a_single_sample_nothing_is_known() -> None:
    assert reached(np.ones((1, 5)), 0) == -np.inf


@pytest.mark.parametrize(
    ("scheme", "wanted", "share"),
    [
        (Scheme(), RangeEstimator(), OUTSIDE),
        (Scheme(), RangeEstimator(preset=EstimatorPreset.DEFAULT), OUTSIDE),
        (Scheme(), RangeEstimator(max=SideEstimator(clipping_value=6)), OUTSIDE),
        (Scheme(), RangeEstimator(preset=EstimatorPreset.MSE), None),
        (Scheme(), RangeEstimator(max=SideEstimator(aggregator=Aggregator.MEAN)), None),
        (Scheme(granularity=Granularity.PERCHANNEL), RangeEstimator(), OUTSIDE),
        (Scheme(bits=4), RangeEstimator(), None),
        (Scheme(bits=16), RangeEstimator(), 0.0),
        (Scheme(bits=16), RangeEstimator(max=SideEstimator(aggregator=Aggregator.MAX)), None),
    ],
)
def test_what_the_user_chose_and_other_widths_stay(
    scheme: Scheme, wanted: RangeEstimator, share: float | None
) -> None:
    assert outside(scheme, wanted, Overrides()) == share


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        ((1, 16), 16),
        ((None, 16), 16),
        ((1,), 1),
        ((), None),
        ((1, FEW), FEW),
        ((1, FEW + 1), None),
        ((1, None, 8), UNKNOWN * 8),
        ((1, None, None, 16), None),
        ((None, None), None),
        ((1, 1, None), None),
        ((1, 3, None, None), None),
        (None, None),
    ],
)
def test_few_values(shape: tuple[int | None, ...] | None, count: int | None) -> None:
    assert few(shape) == count


def pooled(side: int) -> ov.Model:
    """Pictures, a convolution, the mean of each channel, a classifier."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, side, side)
    hidden = models.relu(models.conv(rng, x, (8, 3, 3, 3), "conv"), "relu")
    mean = opset.reduce_mean(hidden, np.array([2, 3]), keep_dims=False)
    weights = models.constant(models.normal(rng, 4, 8, fan_in=8), "head/weights")
    head = models.named(opset.matmul(mean, weights, False, True), "head")
    return models.finish([head], [x])


def pictures(side: int, count: int = 32) -> list[Array]:
    """Whole numbers up to 255, a quarter of them white, half of the pictures dark."""
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 340, (count, 1, 3, side, side)).clip(0, 255)
    return [(x * (1 if i % 2 else 0.3)).astype(np.float32) for i, x in enumerate(values)]


@pytest.mark.parametrize("preset", ["performance", "mixed"])
@pytest.mark.parametrize("side", [16, 64], ids=["few", "many"])
def test_whites_and_pooled_vectors_are_not_clipped(side: int, preset: str, cpu: Target) -> None:
    """The mean of the samples' extremes would clip every white."""
    model, samples = pooled(side), pictures(side)
    result = quant.quantize(model, samples, target=cpu, preset=preset, **PLAIN)
    layers = quant.diagnose(result, samples).layers
    clipped = {name: share for layer in layers for name, share in layer.clipped.items()}
    assert len(clipped) == 3
    assert max(clipped.values()) < 0.01
    assert result.outcomes["ranges drawn out"] in ("2 of 3", "3 of 3")
    (first,) = (each for each in result.operations if each.plan.name == "conv")
    assert max(high for _, high in first.ranges.values()) >= 254


def test_a_number_per_sample_is_not_clipped(cpu: Target) -> None:
    """The mean of its extremes would clip half of all samples: 5 dB."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 16)
    numbers = [models.linear(rng, x, (1, 16), f"linear{i}") for i in (1, 2)]
    model = models.finish([models.named(opset.add(*numbers), "sum")], [x])
    samples = models.samples(model, 64)
    result = quant.quantize(model, samples, target=cpu)
    before, after = (
        np.concatenate(models.evaluate_all(each, samples)) for each in (model, result.model)
    )
    assert sqnr_db(before, after) > 35


def test_estimators_that_are_asked_for_are_what_they_are(cpu: Target) -> None:
    asked = {"max": {"aggregator": "mean"}, "min": {"aggregator": "mean"}}
    result = quant.quantize(
        pooled(16), pictures(16), target=cpu, activations={"range_estimator": asked}
    )
    (first,) = (each for each in result.operations if each.plan.name == "conv")
    assert "ranges drawn out" not in result.outcomes
    mean = np.mean([x.max() for x in pictures(16)])
    assert max(high for _, high in first.ranges.values()) == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("side", [16, 64], ids=["few", "many"])
def test_one_wild_sample_does_not_set_a_range(side: int, cpu: Target) -> None:
    samples = pictures(side)
    wild = [x * 1000 if i == 3 else x for i, x in enumerate(samples)]
    tame, shaken = (
        quant.quantize(pooled(side), each * 4, target=cpu, **PLAIN) for each in (samples, wild)
    )
    before, after = (
        max(high for e in r.operations for _, high in e.ranges.values() if e.plan.name == "conv")
        for r in (tame, shaken)
    )
    assert after < 50 * before  # the mean of the extremes, of which one is 1000 times as large


@pytest.mark.parametrize("target", ["gna", "gna3", "npu", "cpu"])
def test_convolutions_over_time_are_aligned_as_ever(target: str) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 4, 20)
    factors = np.exp2(np.arange(8)).astype(np.float32).reshape(1, 8, 1)
    spread = opset.multiply(models.conv(rng, x, (8, 4, 3), "first"), factors)
    model = models.finish([models.conv(rng, spread, (8, 8, 3), "second")], [x])
    samples = models.samples(model, 16)
    result = quant.quantize(model, samples, target=runner.load_target(target), preset="mixed")
    before, after = (
        np.concatenate(models.evaluate_all(each, samples)) for each in (model, result.model)
    )
    assert sqnr_db(before, after) > 25


@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_sums_of_bright_and_dark_pictures_are_not_clipped(preset: str, cpu: Target) -> None:
    """As super-resolution adds details to a resized picture, which no linear operation reads."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 64, 64)
    details = models.conv(rng, x, (3, 3, 3, 3), "details")
    whole = models.named(opset.add(details, opset.sin(x)), "sum")
    model = models.finish([models.conv(rng, whole, (3, 3, 3, 3), "next")], [x])
    samples = [x / 255 for x in pictures(64)]
    result = quant.quantize(model, samples, target=cpu, preset=preset)
    layers = quant.diagnose(result, samples).layers
    clipped = {name: share for layer in layers for name, share in layer.clipped.items()}
    assert len(clipped) == 4
    assert max(clipped.values()) < 0.005
