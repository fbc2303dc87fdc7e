"""Ranges -> levels, and the arithmetic of FakeQuantize.

Vectors: POT 2023.0.2, where ours agrees with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quant.fake_quantize import (
    Levels,
    activation_levels,
    halved,
    quantize,
    to_integers,
    weight_levels,
)
from quant.runtime import opset
from quant.scheme import Granularity, Mode, Scheme
from tests.models import evaluate, finish, parameter

Array = NDArray[Any]

EPS = float(np.finfo(np.float32).eps)
SMALLEST = float(np.finfo(np.float32).smallest_subnormal)
SYMMETRIC, ASYMMETRIC = Scheme(), Scheme(mode=Mode.ASYMMETRIC)
W_SYMMETRIC = Scheme(granularity=Granularity.PERCHANNEL, level_low=-127, level_high=127)
GNA = Scheme(bits=16, level_low=-32768, level_high=32767)
SCHEMES = [SYMMETRIC, ASYMMETRIC, GNA, Scheme(bits=4), Scheme(bits=4, mode=Mode.ASYMMETRIC)]
W_SCHEMES = [
    *(Scheme(bits=bits, mode=mode) for bits in (2, 4, 8, 16) for mode in Mode),
    Scheme(bits=32),
    Scheme(mode=Mode.ASYMMETRIC, unified_zero_point=True),
]

CUT = np.float32([-0.109375]), np.float32([0.65])
"""A range whose low end is closer to zero than half a step of 2 bits."""

magnitudes = st.floats(min_value=-35, max_value=35).map(lambda power: 10.0**power)


@st.composite
def ranges(draw: st.DrawFn) -> tuple[Array, Array]:
    """Low and high of one to four channels, of any sign."""
    count, size = draw(st.integers(1, 4)), draw(magnitudes)
    side = st.lists(st.floats(-1, 1), min_size=count, max_size=count)
    a, b = np.array(draw(side)) * size, np.array(draw(side)) * size
    return np.minimum(a, b).astype(np.float32), np.maximum(a, b).astype(np.float32)


def found_levels(scheme: Scheme, low: Array, high: Array) -> Levels:
    """The levels of activations; the high of a symmetric scheme is the largest magnitude."""
    if scheme.mode is Mode.SYMMETRIC:
        high = np.maximum(np.abs(low), np.abs(high))
    return activation_levels(scheme, low, high)


def half_step(levels: Levels, low: Array, high: Array) -> Array:
    """Half a step, and what rounding adds in f32, that of a step below the normal numbers included.

    Of a range with an end closer to zero than half a step, that end is cut: the step that counts is
    the one before the cut.
    """
    step = (np.maximum(high, 0) - np.minimum(low, 0)) / (levels.levels - 1)
    slack = 4 * EPS * (levels.high - levels.low) + levels.levels * SMALLEST
    return np.asarray(np.maximum(step, levels.scale) / 2 + slack)


def inside(low: Array, high: Array) -> Array:
    """Values over each channel's range, `[values, channels]`."""
    return (low + (high - low) * np.linspace(0, 1, 301)[:, None]).astype(np.float32)


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@given(given_range=ranges())
def test_zero_lies_on_a_level(scheme: Scheme, given_range: tuple[Array, Array]) -> None:
    levels = found_levels(scheme, *given_range)
    zero = quantize(np.zeros_like(levels.low), levels)
    assert (np.abs(zero) <= 1e-6 * (levels.high - levels.low)).all()


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@given(given_range=ranges())
@example(given_range=CUT)
def test_values_of_the_range_move_by_half_a_step_at_most(
    scheme: Scheme, given_range: tuple[Array, Array]
) -> None:
    levels, x = found_levels(scheme, *given_range), inside(*given_range)
    assert (np.abs(x - quantize(x, levels)) <= half_step(levels, *given_range)).all()


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@given(given_range=ranges())
def test_values_keep_their_order_on_as_many_levels(
    scheme: Scheme, given_range: tuple[Array, Array]
) -> None:
    levels = found_levels(scheme, *given_range)
    size = np.float32(np.abs(levels.high).max())
    result = quantize(inside(np.minimum(levels.low, -size), levels.high * 2), levels)
    assert (np.diff(result, axis=0) >= 0).all()
    assert max(len(np.unique(column)) for column in result.T) <= levels.levels


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@given(given_range=ranges())
def test_the_range_holds_zero_and_is_not_empty(
    scheme: Scheme, given_range: tuple[Array, Array]
) -> None:
    levels = found_levels(scheme, *given_range)
    assert (levels.low <= 0).all()
    assert (levels.high >= 0).all()
    assert (levels.high > levels.low).all()


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize("size", [0, 1e-45, 1e-38, 1e-30, 1e30, 3e38, np.inf])
def test_levels_are_finite_whatever_the_range(scheme: Scheme, size: float) -> None:
    levels = found_levels(scheme, np.float32([-size, 0]), np.float32([size, size]))
    assert np.isfinite([levels.low, levels.high]).all()
    assert (levels.scale > 0).all()
    assert (quantize(np.float32([0, 0]), levels) == 0).all()


@pytest.mark.parametrize("scheme", W_SCHEMES, ids=str)
@given(given_range=ranges())
@example(given_range=CUT)
def test_weights_keep_zero_their_order_and_their_place(
    scheme: Scheme, given_range: tuple[Array, Array]
) -> None:
    """What holds for activations holds for weights of every width, whose grid is another.

    A 32-bit grid is finer than f32: its slack is the rounding of f32, and its levels can't be told
    apart.
    """
    low, high = given_range
    magnitude = np.maximum(np.abs(low), np.abs(high))
    ends = (-magnitude, magnitude) if scheme.mode is Mode.SYMMETRIC else (low, high)
    levels, x = weight_levels(scheme, *ends), inside(low, high)
    found, slack = quantize(x, levels), 4 * EPS * (levels.high - levels.low)
    assert ((levels.low <= 0) & (levels.high >= 0)).all()
    assert (np.abs(quantize(np.zeros_like(levels.low), levels)) <= slack).all()
    assert (np.abs(x - found) <= half_step(levels, low, high)).all()
    assert (np.diff(found, axis=0) >= 0).all()


@given(given_range=ranges())
def test_a_channel_of_weights_has_no_larger_step_than_the_tensor(
    given_range: tuple[Array, Array],
) -> None:
    low, high = given_range
    magnitude = np.maximum(np.abs(low), np.abs(high))
    whole = weight_levels(W_SYMMETRIC, -magnitude.max(), magnitude.max())
    each = weight_levels(W_SYMMETRIC, -magnitude, magnitude)
    assert (each.scale[magnitude > 1e-30] <= whole.scale * (1 + 4 * EPS)).all()


@given(given_range=ranges())
def test_weights_of_half_the_range_stay_within_64(given_range: tuple[Array, Array]) -> None:
    low, high = given_range
    magnitude = np.maximum(np.abs(low), np.abs(high))
    levels = halved(weight_levels(W_SYMMETRIC, -magnitude, magnitude))
    integers = to_integers(inside(low, high), levels)
    assert np.abs(integers).max() <= 64


def test_half_range_doubles_the_range_on_the_same_grid() -> None:
    full = weight_levels(W_SYMMETRIC, np.float32(-2), np.float32(2))
    half = halved(weight_levels(W_SYMMETRIC, np.float32(-2), np.float32(2)))
    assert (half.low, half.high) == (full.low * 2, full.high * 2)
    assert (half.levels, half.first) == (full.levels, full.first) == (255, -127)


@pytest.mark.parametrize(
    ("given_range", "expected", "zero_point"),
    [
        ((-1, 2), (-1, 2), 85),
        ((-0.3, 5), (-0.3, 5.1642857), 14),
        ((-1, 1), (-1.0078740, 1), 128),
        ((0, 6), (0, 6), 0),
        ((-4, 0), (-4, 0), 255),
        ((1, 6), (0, 6), 0),
        ((-0.001, 6), (0, 6), 0),
    ],
)
def test_asymmetric_ranges(
    given_range: tuple[float, float], expected: tuple[float, float], zero_point: int
) -> None:
    levels = activation_levels(ASYMMETRIC, *map(np.float32, given_range))
    np.testing.assert_allclose((levels.low, levels.high), expected, rtol=1e-6)
    assert int(levels.zero_point) - levels.first == zero_point


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [(SYMMETRIC, -2.4124973), (GNA, -2.3937225)],
    ids=str,
)
def test_signed_symmetric_ranges(scheme: Scheme, expected: float) -> None:
    levels = activation_levels(scheme, np.float32(-1), np.float32(2.3936496))
    np.testing.assert_allclose((levels.low, levels.high), (expected, 2.3936496), rtol=1e-6)
    assert levels.levels == 1 << scheme.bits


def test_a_symmetric_range_is_unsigned_where_nothing_is_negative() -> None:
    levels = activation_levels(SYMMETRIC, np.float32([0, 0.5]), np.float32([2, 4]))
    assert (levels.low.tolist(), levels.high.tolist()) == ([0, 0], [2, 4])
    assert (levels.levels, levels.first) == (256, 0)


def test_a_symmetric_range_stays_signed_where_the_scheme_fixes_its_levels() -> None:
    levels = activation_levels(GNA, np.float32(0), np.float32(2))
    assert levels.low < -1.9


def test_silent_channels_of_activations_get_the_widest_range_and_quiet_ones_their_own() -> None:
    high = np.float32([0, 1e-6, 0.005, 1, 10])
    levels = activation_levels(SYMMETRIC, np.zeros(5, np.float32), high)
    np.testing.assert_allclose(levels.high, [10, 1e-6, 0.005, 1, 10], rtol=1e-6)


def test_small_channels_of_weights_keep_their_own_range() -> None:
    levels = weight_levels(W_SYMMETRIC, np.float32([-1e-6, -10]), np.float32([1e-6, 10]))
    np.testing.assert_allclose(levels.high, [1e-6, 10], rtol=1e-6)


@pytest.mark.parametrize("scheme", [W_SYMMETRIC, Scheme(mode=Mode.ASYMMETRIC)], ids=str)
def test_dead_channels_stay_zero(scheme: Scheme) -> None:
    levels = weight_levels(scheme, np.float32([0, -1]), np.float32([0, 1]))
    assert quantize(np.float32([0, 1]), levels)[0] == 0


def test_channels_share_a_zero_point_where_the_scheme_says_so() -> None:
    scheme = Scheme(mode=Mode.ASYMMETRIC, unified_zero_point=True)
    levels = weight_levels(scheme, np.float32([-1, -2, -0.5]), np.float32([2, 2, 3]))
    np.testing.assert_allclose(levels.low, [-1, -2, -1.44767442], rtol=1e-6)
    np.testing.assert_allclose(levels.high, [2.07228916, 4.14457831, 3], rtol=1e-6)
    assert levels.zero_point.tolist() == [83 - 128] * 3


@pytest.mark.parametrize("scheme", [SYMMETRIC, ASYMMETRIC, W_SYMMETRIC], ids=str)
def test_quantize_is_openvino_s_fake_quantize(scheme: Scheme) -> None:
    """Compared off the ties between two levels, where a rounding error of f32 decides."""
    levels = found_levels(scheme, np.float32([[-1], [-0.2]]), np.float32([[3], [5]]))
    rng = np.random.default_rng(0)
    steps = rng.integers(-50, levels.levels + 50, (2, 200)) + rng.uniform(-0.45, 0.45, (2, 200))
    x = (levels.low + steps * levels.scale).astype(np.float32)
    node = parameter("x", 2, 200)
    low, high = opset.constant(levels.low), opset.constant(levels.high)
    model = finish([opset.fake_quantize(node, low, high, low, high, levels.levels)], [node])
    slack = 4 * EPS * float((levels.high - levels.low).max())
    np.testing.assert_allclose(quantize(x, levels), evaluate(model, [x])[0], atol=slack, rtol=0)
