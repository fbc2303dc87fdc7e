"""Paired intervals: both models saw the same samples, so differences count.

Metrics hand over one number per sample (see `Metric.contributions`), whose mean is the metric.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import sqrt
from statistics import NormalDist

import numpy as np

from runner.data.sample import Array

CONFIDENCE = 0.95
RESAMPLES = 2000
SEED = 0
CHUNK = 2_000_000  # drawn indices held at a time

Interval = tuple[float, float]


def drop_interval(
    before: Sequence[float],
    after: Sequence[float],
    *,
    drop: float | None = None,
    confidence: float = CONFIDENCE,
) -> Interval | None:
    """The interval of mean(before) - mean(after), of the same samples in one order.

    Values of 0 and 1 alone: Bonett-Price; others: bootstrap, moved by what `drop` differs from the
    mean of the differences. None for fewer than two samples, values that
    are not finite, or as many of one model as there are not of the other.
    """
    x, y = np.asarray(before, float), np.asarray(after, float)
    if len(x) != len(y):
        return None
    if _is_binary(x) and _is_binary(y) and len(x) > 1:
        lost = int(np.count_nonzero(x > y))
        gained = int(np.count_nonzero(x < y))
        return proportion_drop_interval(lost, gained, len(x), confidence=confidence)
    return _bootstrap_interval(x - y, drop, confidence)


def value_interval(
    values: Sequence[float], *, value: float | None = None, confidence: float = CONFIDENCE
) -> Interval | None:
    """The interval of mean(values). Of 0 and 1 alone: Wilson; others as in `drop_interval`."""
    x = np.asarray(values, float)
    if _is_binary(x) and len(x) > 1:
        return proportion_interval(int(np.count_nonzero(x)), len(x), confidence=confidence)
    return _bootstrap_interval(x, value, confidence)


def proportion_drop_interval(
    lost: int, gained: int, n: int, *, confidence: float = CONFIDENCE
) -> Interval:
    """The interval of (lost - gained) / n, of `n` samples that were right or wrong twice.

    Adjusted Wald: one is added to each discordant cell, so no change at all still has a width.

    Source: Bonett and Price (2012), Adjusted Wald Confidence Interval for a Difference of Binomial
    Proportions Based on Paired Data, J. Educational and Behavioral Statistics 37(4), 479-488.

    >>> low, high = proportion_drop_interval(0, 0, 100)
    >>> round(low, 4), round(high, 4)
    (-0.0272, 0.0272)
    """
    p, q = (lost + 1) / (n + 2), (gained + 1) / (n + 2)
    half = quantile(confidence) * sqrt((p + q - (p - q) ** 2) / (n + 2))
    return max(-1.0, p - q - half), min(1.0, p - q + half)


def proportion_interval(right: int, n: int, *, confidence: float = CONFIDENCE) -> Interval:
    """The interval of right / n.

    Source: Wilson (1927), Probable Inference, the Law of Succession, and Statistical Inference,
    J. American Statistical Association 22(158), 209-212.

    >>> low, high = proportion_interval(100, 100)
    >>> round(low, 4), high
    (0.963, 1.0)
    """
    z, p = quantile(confidence), right / n
    center = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return (0.0 if right == 0 else center - half), (1.0 if right == n else center + half)


@cache
def quantile(confidence: float) -> float:
    """The half width of the middle share of the standard normal distribution.

    >>> round(quantile(0.95), 6)
    1.959964
    """
    return NormalDist().inv_cdf((1 + confidence) / 2)


def bootstrap_means(values: Array, resamples: int = RESAMPLES) -> Array:
    """Means `[resamples]` of `values` `[n]` drawn with replacement; the seed is fixed."""
    rng, n = np.random.default_rng(SEED), len(values)
    rows = max(1, CHUNK // n)
    sizes = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    return np.concatenate([values[rng.integers(n, size=(k, n))].mean(axis=1) for k in sizes])


def _bootstrap_interval(values: Array, mean: float | None, confidence: float) -> Interval | None:
    """The middle share of resampled means.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 13.3.
    """
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    tails = 50 * (1 - confidence)
    low, high = np.percentile(bootstrap_means(values), (tails, 100 - tails))
    shift = 0.0 if mean is None else mean - float(values.mean())
    return float(low) + shift, float(high) + shift


def _is_binary(values: Array) -> bool:
    return bool(np.isin(values, (0, 1)).all())
