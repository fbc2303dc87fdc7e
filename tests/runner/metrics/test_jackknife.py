from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.data.sample import Array
from runner.metrics.interval import value_interval
from runner.metrics.jackknife import MOST_GROUPS, pseudo_values


@given(st.lists(st.floats(-99, 99), min_size=2, max_size=50))
def test_of_a_mean_they_are_the_samples_themselves(values: list[float]) -> None:
    x = np.array(values)
    found = pseudo_values(lambda weights: weights @ x / weights.sum(axis=1), len(x))
    assert found == pytest.approx(values, abs=1e-9)


def test_many_samples_are_left_out_in_groups() -> None:
    """Of a mean each number is its group's: samples k, k + 400 and so on."""
    x = np.arange(3.0 * MOST_GROUPS)
    found = pseudo_values(lambda weights: weights @ x / weights.sum(axis=1), len(x))
    assert found == pytest.approx(tuple(x.reshape(3, MOST_GROUPS).mean(axis=0)))


def test_their_mean_has_the_metric_s_error() -> None:
    """The logarithm of a mean: its standard error is that of the mean, divided by the mean."""
    x = np.random.default_rng(0).gamma(4.0, size=400)

    def log_of_mean(weights: Array) -> Array:
        return np.log(weights @ x / weights.sum(axis=1))

    low, high = value_interval(pseudo_values(log_of_mean, len(x))) or (0, 0)
    expected = 2 * 1.96 * x.std() / x.mean() / np.sqrt(len(x))
    # 2,000 resamples leave the quantiles of a normal mean within some 10 % of their place.
    assert high - low == pytest.approx(expected, rel=0.1)


def test_without_the_only_sample_that_counts_the_metric_is_taken_as_it_is() -> None:
    def first(weights: Array) -> Array:
        return np.where(weights[:, 0] > 0, 0.5, np.nan)

    assert pseudo_values(first, 3) == (0.5, 0.5, 0.5)
