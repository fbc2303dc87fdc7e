from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.metrics.interval import (
    bootstrap_means,
    bootstrap_weights,
    drop_interval_of_means,
    percentile_interval,
    proportion_drop_interval,
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
    found = drop_interval_of_means([1, 1, 1, 0], [1, 0, 0, 1])
    assert found == proportion_drop_interval(2, 1, 4)


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=30))
def test_a_bootstrap_interval_contains_the_drop(pairs: list[tuple[float, float]]) -> None:
    fp32, quantized = zip(*pairs, strict=True)
    low, high = drop_interval_of_means(fp32, quantized) or (np.nan, np.nan)
    drop = float(np.mean(np.subtract(fp32, quantized)))
    assert low - 1e-9 <= drop <= high + 1e-9


def test_one_sample_has_no_interval() -> None:
    assert drop_interval_of_means([1.0], [0.0]) is None


def test_a_bootstrap_repeats_and_is_as_wide_as_the_theory() -> None:
    values = np.random.default_rng(0).normal(size=400)
    low, high = percentile_interval(bootstrap_means(values)) or (0, 0)
    assert percentile_interval(bootstrap_means(values)) == (low, high)
    # 2,000 resamples leave the quantiles of a normal mean within some 10 % of their place.
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_chunks_cover_every_resample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.metrics.interval.CHUNK", 70)
    assert bootstrap_means(np.arange(10.0), 25).shape == (25,)


def test_weights_draw_as_many_samples_as_there_are() -> None:
    weights = bootstrap_weights(7, 50)
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()


def test_resamples_without_a_value_are_left_out() -> None:
    assert percentile_interval(np.array([np.nan, 2.0, 2.0])) == (2.0, 2.0)
    assert percentile_interval(np.array([np.nan])) is None
