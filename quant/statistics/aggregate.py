"""Aggregators: the values of N samples, `[N, K]`, become one row, `[K]`.

Source: POT 2023.0.2, its aggregation functions; Hodges & Lehmann (1963) for `hl_estimator`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.parameters import Aggregator

Rows = NDArray[Any]

OUTLIER_SHARE = 0.01
"""Share of samples cut off at each end by the `no_outliers` aggregators. Source: POT 2023.0.2."""


def aggregate(rows: Rows, aggregator: Aggregator) -> NDArray[np.float64]:
    """One row of K values from the `[N, K]` values of N samples, N >= 1.

    >>> aggregate(np.array([[1.0], [2.0], [6.0]]), Aggregator.MEDIAN)
    array([2.])
    """
    return np.asarray(
        _AGGREGATORS[aggregator](np.asarray(rows, dtype=np.float64)), dtype=np.float64
    )


def _without_outliers(rows: Rows) -> Rows:
    """The values outside the inner quantiles replaced by NaN, column by column.

    Of one or two samples none is an outlier.
    """
    if len(rows) < 3:
        return rows
    low, high = np.quantile(rows, [OUTLIER_SHARE, 1 - OUTLIER_SHARE], axis=0)
    return np.where((rows >= low) & (rows <= high), rows, np.nan)


def _hodges_lehmann(rows: Rows) -> Rows:
    """The median of the means of all pairs of different samples; one sample is its own estimate."""
    if len(rows) == 1:
        return np.array(rows[0])
    first, second = np.triu_indices(len(rows), k=1)
    return np.array([np.median((column[first] + column[second]) / 2) for column in rows.T])


_AGGREGATORS: dict[Aggregator, Callable[[Rows], Rows]] = {
    Aggregator.MEAN: lambda rows: np.add.accumulate(rows, axis=0)[-1] / len(rows),
    Aggregator.MAX: lambda rows: rows.max(axis=0),
    Aggregator.MIN: lambda rows: rows.min(axis=0),
    Aggregator.MEDIAN: lambda rows: np.median(rows, axis=0),
    Aggregator.MEAN_NO_OUTLIERS: lambda rows: np.nanmean(_without_outliers(rows), axis=0),
    Aggregator.MEDIAN_NO_OUTLIERS: lambda rows: np.nanmedian(_without_outliers(rows), axis=0),
    Aggregator.HL_ESTIMATOR: _hodges_lehmann,
}
"""The mean adds up in the order of the samples, as one does who keeps none of them."""
