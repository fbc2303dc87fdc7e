"""Aggregators against plain numpy. Vectors: POT 2023.0.2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from quant.parameters import Aggregator
from quant.statistics.aggregate import aggregate

Array = NDArray[Any]

VALUES = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 100], dtype=np.float64)[:, None]

rows = arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 3)),
    elements=st.floats(-100, 100, width=32),
)


@pytest.mark.parametrize(
    ("aggregator", "expected"),
    [
        (Aggregator.MEAN, 14.5),
        (Aggregator.MAX, 100),
        (Aggregator.MIN, 1),
        (Aggregator.MEDIAN, 5.5),
        (Aggregator.MEAN_NO_OUTLIERS, 5.5),
        (Aggregator.MEDIAN_NO_OUTLIERS, 5.5),
        (Aggregator.HL_ESTIMATOR, 5.5),
    ],
)
def test_each_channel_is_aggregated_on_its_own(aggregator: Aggregator, expected: float) -> None:
    found = aggregate(np.concatenate([VALUES, VALUES * 2], axis=1), aggregator)
    assert found.tolist() == [expected, 2 * expected]


@pytest.mark.parametrize("aggregator", Aggregator)
def test_one_sample_is_its_own_aggregate(aggregator: Aggregator) -> None:
    assert aggregate(np.array([[3.0, -1.0]]), aggregator).tolist() == [3.0, -1.0]


@pytest.mark.parametrize("aggregator", [Aggregator.MEAN_NO_OUTLIERS, Aggregator.MEDIAN_NO_OUTLIERS])
def test_two_samples_are_not_both_outliers(aggregator: Aggregator) -> None:
    assert aggregate(np.array([[1.0], [3.0]]), aggregator).tolist() == [2.0]


@given(x=rows)
def test_hodges_lehmann_is_the_median_of_the_means_of_pairs(x: Array) -> None:
    pairs = [(a + b) / 2 for i, a in enumerate(x) for b in x[i + 1 :]] or [x[0]]
    found = aggregate(x, Aggregator.HL_ESTIMATOR)
    np.testing.assert_allclose(found, np.median(pairs, axis=0), rtol=1e-12, atol=1e-12)


@given(x=rows)
def test_outliers_are_what_lies_outside_the_inner_quantiles(x: Array) -> None:
    columns = []
    for column in x.T:
        low, high = np.quantile(column, [0.01, 0.99])
        columns.append(np.mean([v for v in column if low <= v <= high] or column))
    found = aggregate(x, Aggregator.MEAN_NO_OUTLIERS)
    np.testing.assert_allclose(found, columns, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("aggregator", Aggregator)
@settings(max_examples=30)
@given(x=rows, seed=st.integers(0, 99))
def test_the_order_of_samples_does_not_matter(aggregator: Aggregator, x: Array, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(x, axis=0)
    found = aggregate(shuffled, aggregator)
    np.testing.assert_allclose(found, aggregate(x, aggregator), rtol=1e-9, atol=1e-9)


@given(x=rows, more=st.floats(-100, 100))
def test_more_data_never_narrows_a_range(x: Array, more: float) -> None:
    longer = np.concatenate([x, np.full_like(x[:1], more)])
    assert (aggregate(longer, Aggregator.MAX) >= aggregate(x, Aggregator.MAX)).all()
    assert (aggregate(longer, Aggregator.MIN) <= aggregate(x, Aggregator.MIN)).all()
