"""Ranges that leave too many of the values seen outside are drawn out, and no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import quant
from quant.parameters import (
    Aggregator,
    Estimator,
    EstimatorPreset,
    Overrides,
    RangeEstimator,
    SideEstimator,
)
from quant.placement.estimators import OUTSIDE, outside
from quant.plan import ActivationQuantizer, Estimators, Side, TensorRef
from quant.runtime import opset, ov
from quant.scheme import Granularity, Mode, Scheme
from quant.steps.outside import widened
from quant.target import Target
from tests import models

Array = NDArray[Any]
SIDE = Side(type=Estimator.MAX, aggregator=Aggregator.MEAN)


def quantizer(mode: Mode, share: float | None = 0.01) -> ActivationQuantizer:
    return ActivationQuantizer(
        name="fq",
        tensor=TensorRef("x"),
        consumers=(),
        operations=(),
        scheme=Scheme(mode=mode),
        estimators=Estimators(min=SIDE, max=SIDE),
        outside=share,
    )


def drawn_out(mode: Mode, low: float, high: float, seen: Array, share: float | None = 0.01) -> Any:
    found = widened(quantizer(mode, share), np.array([low]), np.array([high]), seen)
    return tuple(float(each[0]) for each in found)


def test_an_asymmetric_range_leaves_the_share_out_on_each_side() -> None:
    seen = np.arange(-100.0, 100)
    assert drawn_out(Mode.ASYMMETRIC, -5, 7, seen) == (-98, 97)


def test_a_symmetric_one_goes_by_magnitudes() -> None:
    seen = np.append(np.arange(-150.0, 0), np.zeros(50))
    assert drawn_out(Mode.SYMMETRIC, -5, 7, seen) == (-5, 148)


def test_a_range_that_leaves_out_no_more_stays() -> None:
    seen = np.append(np.full(200, 1.0), [50.0, -50])
    assert drawn_out(Mode.ASYMMETRIC, 0, 2, seen) == (0, 2)
    assert drawn_out(Mode.ASYMMETRIC, -1, 1, np.full(9, 3.0), share=None) == (-1, 1)


floats = st.floats(-100, 100, width=32)


@given(
    mode=st.sampled_from(Mode),
    ends=st.tuples(floats, floats).map(sorted),
    seen=arrays(np.float32, st.integers(1, 300), elements=floats),
    share=st.floats(1e-4, 0.4),
)
def test_never_narrower_and_no_more_outside(
    mode: Mode, ends: list[float], seen: Array, share: float
) -> None:
    low, high = drawn_out(mode, *ends, seen, share)
    assert low <= ends[0] <= ends[1] <= high
    values = np.abs(seen) if mode is Mode.SYMMETRIC else seen
    assert (values > high).sum() <= share * len(seen)
    if mode is Mode.ASYMMETRIC:
        assert (values < low).sum() <= share * len(seen)


@pytest.mark.parametrize(
    ("scheme", "wanted", "share"),
    [
        (Scheme(), RangeEstimator(), OUTSIDE),
        (Scheme(), RangeEstimator(preset=EstimatorPreset.DEFAULT), OUTSIDE),
        (Scheme(), RangeEstimator(max=SideEstimator(clipping_value=6)), OUTSIDE),
        (Scheme(), RangeEstimator(preset=EstimatorPreset.MSE), None),
        (Scheme(), RangeEstimator(max=SideEstimator(aggregator=Aggregator.MEAN)), None),
        (Scheme(granularity=Granularity.PERCHANNEL), RangeEstimator(), None),
        (Scheme(bits=4), RangeEstimator(), None),
        (Scheme(bits=16), RangeEstimator(), None),
    ],
)
def test_what_the_user_chose_and_other_widths_stay(
    scheme: Scheme, wanted: RangeEstimator, share: float | None
) -> None:
    assert outside(scheme, wanted, Overrides()) == share


def pooled() -> ov.Model:
    """Pictures, a convolution, the mean of each channel, a classifier."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 16, 16)
    hidden = models.relu(models.conv(rng, x, (8, 3, 3, 3), "conv"), "relu")
    mean = opset.reduce_mean(hidden, np.array([2, 3]), keep_dims=False)
    weights = models.constant(models.normal(rng, 4, 8, fan_in=8), "head/weights")
    head = models.named(opset.matmul(mean, weights, False, True), "head")
    return models.finish([head], [x])


def pictures(count: int = 24) -> list[Array]:
    """Whole numbers up to 255, half of the pictures dark."""
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 340, (count, 1, 3, 16, 16)).clip(0, 255)
    return [(x * (1 if i % 2 else 0.3)).astype(np.float32) for i, x in enumerate(values)]


@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_whites_and_pooled_vectors_are_not_clipped(preset: str, cpu: Target) -> None:
    """The mean of the samples' extremes would clip every white, a quarter of all bright values."""
    result = quant.quantize(pooled(), pictures(), target=cpu, preset=preset, use_smooth_quant=False)
    clipped = {
        name: share
        for layer in quant.diagnose(result, pictures()).layers
        for name, share in layer.clipped.items()
    }
    assert len(clipped) >= 2
    assert max(clipped.values()) < 0.01
    assert result.outcomes["ranges drawn out"] == "2 of 3"
    (first,) = (each for each in result.operations if each.plan.name == "conv")
    assert max(high for _, high in first.ranges.values()) >= 254


def test_estimators_that_are_asked_for_are_what_they_are(cpu: Target) -> None:
    asked = {"max": {"aggregator": "mean"}, "min": {"aggregator": "mean"}}
    result = quant.quantize(
        pooled(), pictures(), target=cpu, activations={"range_estimator": asked}
    )
    (first,) = (each for each in result.operations if each.plan.name == "conv")
    assert "ranges drawn out" not in result.outcomes
    mean = np.mean([x.max() for x in pictures()])
    assert max(high for _, high in first.ranges.values()) == pytest.approx(mean, rel=1e-5)
