from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.metrics.interval import (
    bootstrap_means,
    drop_interval,
    proportion_drop_interval,
    proportion_interval,
    value_interval,
)


def test_proportions_by_hand() -> None:
    """n = 98: cells (5 + 1) / 100 and (1 + 1) / 100, so 0.04 +- 1.959964 sqrt(0.0784 / 100)."""
    assert proportion_drop_interval(5, 1, 98) == pytest.approx((-0.0148790, 0.0948790), rel=1e-5)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_a_proportions_interval_contains_the_drop(lost: int, gained: int, same: int) -> None:
    n = lost + gained + same + 2
    low, high = proportion_drop_interval(lost, gained, n)
    assert -1 <= low <= (lost - gained) / n <= high <= 1


@given(st.integers(0, 20), st.integers(0, 20), st.integers(2, 20))
def test_exchanging_the_models_mirrors_the_interval(lost: int, gained: int, same: int) -> None:
    n = lost + gained + same
    low, high = proportion_drop_interval(lost, gained, n)
    assert proportion_drop_interval(gained, lost, n) == (-high, -low)


def test_zeros_and_ones_are_proportions() -> None:
    assert drop_interval([1, 1, 1, 0], [1, 0, 0, 1]) == proportion_drop_interval(2, 1, 4)
    assert value_interval([1, 1, 1, 0]) == proportion_interval(3, 4)


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=30))
def test_a_bootstrap_interval_contains_the_drop(pairs: list[tuple[float, float]]) -> None:
    fp32, quantized = zip(*pairs, strict=True)
    low, high = drop_interval(fp32, quantized) or (np.nan, np.nan)
    drop = float(np.mean(np.subtract(fp32, quantized)))
    assert low - 1e-9 <= drop <= high + 1e-9


def test_one_sample_has_no_interval() -> None:
    assert drop_interval([1.0], [0.0]) is None
    assert value_interval([1.0]) is None


def test_other_samples_have_no_paired_interval() -> None:
    assert drop_interval([1.0, 0.0, 1.0], [1.0, 0.0]) is None
    assert drop_interval([], [1.0, 0.0]) is None


def test_infinite_values_have_no_interval() -> None:
    assert drop_interval([1.0, np.inf], [0.5, 0.5]) is None


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.5, 0.99))
def test_a_share_s_interval_contains_it(right: int, wrong: int, confidence: float) -> None:
    n = right + wrong + 2
    low, high = proportion_interval(right, n, confidence=confidence)
    assert 0 <= low <= right / n <= high <= 1


def test_a_share_by_hand() -> None:
    """Wilson, 8 of 10: (0.8 + 0.19207) / 1.38415 +- 1.959964 / 1.38415 * sqrt(0.025604)."""
    assert proportion_interval(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-5)


@given(st.lists(st.floats(-9, 9), min_size=2, max_size=20), st.floats(-5, 5))
def test_an_interval_moves_with_the_value_that_it_is_of(values: list[float], shift: float) -> None:
    """Pseudo-values have the metric's error, but not quite its value for a mean."""
    x = [value + 0.5 for value in values]
    if set(x) <= {0.0, 1.0}:
        return
    plain = value_interval(x)
    moved = value_interval(x, value=float(np.mean(x)) + shift)
    assert plain is not None
    assert moved == pytest.approx((plain[0] + shift, plain[1] + shift), abs=1e-9)


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=20))
def test_more_confidence_takes_a_wider_interval(pairs: list[tuple[float, float]]) -> None:
    fp32, quantized = zip(*pairs, strict=True)
    narrow = drop_interval(fp32, quantized, confidence=0.8)
    wide = drop_interval(fp32, quantized, confidence=0.99)
    assert narrow is not None
    assert wide is not None
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]


def test_a_bootstrap_repeats_and_is_as_wide_as_the_theory() -> None:
    values = np.random.default_rng(0).normal(size=400)
    low, high = value_interval(values) or (0, 0)
    assert value_interval(values) == (low, high)
    # 2,000 resamples leave the quantiles of a normal mean within some 10 % of their place.
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_chunks_cover_every_resample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.metrics.interval.CHUNK", 70)
    assert bootstrap_means(np.arange(10.0), 25).shape == (25,)
