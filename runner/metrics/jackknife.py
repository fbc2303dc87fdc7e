"""One number per sample for metrics that are no mean of samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from runner.data.sample import Array

MOST_GROUPS = 400
"""Beyond so many samples, groups of them are left out: each costs an evaluation of the metric."""


def pseudo_values(metric: Callable[[Array], Array], n: int) -> tuple[float, ...]:
    """Numbers whose mean has the error that the metric has: `m v - (m - 1) v_i`, where `v_i` is the
    metric without the i-th of `m` groups; sample `k` is in group `k mod m`. For a mean over `m`
    samples these are the samples' own values.

    Args:
        metric: values `[r]` of datasets that hold sample k `weights[:, k]` times, `[r, n]`; NaN for
            one without a value, which is taken to be that of the whole.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 11.5.

    >>> x = np.array([1.0, 2.0, 6.0])
    >>> [round(each, 9) for each in pseudo_values(lambda w: w @ x / w.sum(axis=1), 3)]
    [1.0, 2.0, 6.0]
    """
    groups = min(n, MOST_GROUPS)
    left_out = np.arange(n) % groups == np.arange(groups)[:, None]
    (whole,) = metric(np.ones((1, n), int))
    without = metric((~left_out).astype(int))
    without = np.where(np.isnan(without), whole, without)
    found: list[float] = (groups * whole - (groups - 1) * without).tolist()
    return tuple(found)
