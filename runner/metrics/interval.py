"""Paired 95 % intervals of a drop: both models saw the same samples, so differences count."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from runner.data.sample import Array

Z95 = 1.959964  # 97.5 % quantile of the standard normal distribution
RESAMPLES = 2000
SEED = 0
CHUNK = 2_000_000  # drawn indices held at a time

Interval = tuple[float, float]


def drop_interval_of_means(fp32: Sequence[float], quantized: Sequence[float]) -> Interval | None:
    """The interval of mean(fp32) - mean(quantized), for values of which higher is better.

    Values of 0 and 1 alone: Bonett-Price; others: bootstrap. None for fewer than two samples.
    """
    before, after = np.asarray(fp32, float), np.asarray(quantized, float)
    if len(before) < 2:
        return None
    if np.isin(before, (0, 1)).all() and np.isin(after, (0, 1)).all():
        lost = int(np.count_nonzero(before > after))
        gained = int(np.count_nonzero(before < after))
        return proportion_drop_interval(lost, gained, len(before))
    return percentile_interval(bootstrap_means(before - after))


def proportion_drop_interval(lost: int, gained: int, n: int) -> Interval:
    """The interval of (lost - gained) / n, of `n` samples that were right or wrong twice.

    Adjusted Wald: one is added to each discordant cell, so no change at all still has a width.

    Source: Bonett and Price (2012), Adjusted Wald Confidence Interval for a Difference of Binomial
    Proportions Based on Paired Data, J. Educational and Behavioral Statistics 37(4), 479-488.

    >>> low, high = proportion_drop_interval(0, 0, 100)
    >>> round(low, 4), round(high, 4)
    (-0.0272, 0.0272)
    """
    p, q = (lost + 1) / (n + 2), (gained + 1) / (n + 2)
    half = Z95 * sqrt((p + q - (p - q) ** 2) / (n + 2))
    return max(-1.0, p - q - half), min(1.0, p - q + half)


def bootstrap_means(values: Array, resamples: int = RESAMPLES) -> Array:
    """Means `[resamples]` of `values` `[n]` drawn with replacement; the seed is fixed."""
    rng, n = np.random.default_rng(SEED), len(values)
    rows = max(1, CHUNK // n)
    sizes = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    return np.concatenate([values[rng.integers(n, size=(k, n))].mean(axis=1) for k in sizes])


def bootstrap_weights(n: int, resamples: int) -> Array:
    """How often each of `n` samples is drawn, int64 `[resamples, n]`; every row sums to `n`."""
    rng = np.random.default_rng(SEED)
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples)


def percentile_interval(values: Array) -> Interval | None:
    """The middle 95 % of resampled values, those that are not a number left out.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 13.3.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, high = np.percentile(known, (2.5, 97.5))
    return float(low), float(high)
