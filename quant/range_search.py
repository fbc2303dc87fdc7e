"""Ranges that minimize the squared error of quantization, given that error for any range.

`mse` looks for the least error over all ranges, `histogram` for the first minimum on the way in
from the extremes, which clips less.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Range = tuple[Array, Array]
Error = Callable[[Array, Array], Array]
"""The error `[K, C]` of K ranges per channel, both ends `[K, C]`."""

WIDE = 2.0 ** (-np.arange(15) / 2)
"""Shares of an extreme that are tried: seven octaves in halves."""

NARROW = 2.0 ** (np.arange(-3, 4) / 12)
"""Factors that are tried on the best of them. The error is flat there: 3 % of range, half of one of
these steps, change it by about 1 %."""

CUT = 1e-5
"""Share of values that the first steps of `first_minimum` cut off. Source: PyTorch,
HistogramObserver; NNCF 3.4.0, its aggregator HISTOGRAM."""

CUTS = np.unique(np.rint(1.15 ** np.arange(67)))
"""All shares that are cut off on a side, in units of the first: up to 10 %, by 15 % more each."""


def least_error(low: Array, high: Array, error: Error, *, is_mirrored: bool) -> Range:
    """The ranges `[C]` with the least error, within the extremes `low` <= 0 <= `high`.

    `is_mirrored`: both sides move together, else each is searched in turn.
    """
    wide, narrow = WIDE[:, None], NARROW[:, None]
    least = _least(error, low * wide, high * wide)
    if is_mirrored:
        return _least(error, *_within(low, high, least[0] * narrow, least[1] * narrow))
    least = _least(error, *_pairs(least[0], high * wide))
    least = _least(error, *_pairs(low * wide, least[1]))
    for _ in range(2):
        least = _least(error, *_within(low, high, *_pairs(least[0], least[1] * narrow)))
        least = _least(error, *_within(low, high, *_pairs(least[0] * narrow, least[1])))
    return least


def _pairs(low: Array, high: Array) -> Range:
    lows, highs = np.broadcast_arrays(low, high)
    return lows, highs


def _within(low: Array, high: Array, lows: Array, highs: Array) -> Range:
    return np.maximum(lows, low), np.minimum(highs, high)


def _least(error: Error, lows: Array, highs: Array) -> Range:
    """Per channel the first of the ranges `[K, C]` that has the least error."""
    best = error(lows, highs).argmin(axis=0)
    channels = np.arange(lows.shape[1])
    return lows[best, channels], highs[best, channels]


def first_minimum(lows: Array, highs: Array, error: Error) -> Range:
    """The ranges `[C]` where narrowing them further first makes the error rise.

    Args:
        lows, highs: `[C, cuts + 1]`, the ends of the range after that many cuts on that side; the
            side whose next cut takes off more is cut.
    """
    rows, last = np.arange(len(lows)), lows.shape[1] - 1
    cuts = np.zeros((2, len(rows)), dtype=np.intp)
    least, is_open = error(lows[None, :, 0], highs[None, :, 0])[0], np.ones(len(rows), dtype=bool)
    for _ in range(last):
        low_gain = lows[rows, cuts[0] + 1] - lows[rows, cuts[0]]
        high_gain = highs[rows, cuts[1]] - highs[rows, cuts[1] + 1]
        cut_low = low_gain > high_gain
        new = cuts + np.stack([cut_low, ~cut_low])
        found = error(lows[None, rows, new[0]], highs[None, rows, new[1]])[0]
        is_open &= found <= least
        if not is_open.any():
            break
        least, cuts = np.where(is_open, found, least), np.where(is_open, new, cuts)
    return lows[rows, cuts[0]], highs[rows, cuts[1]]
