"""Both ends of a range at once, for the estimators `mse` and `histogram`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.fake_quantize import activation_levels, quantize, weight_levels
from quant.parameters import Estimator
from quant.range_search import CUT, CUTS, Error, Range, first_minimum, least_error
from quant.scheme import Mode, Scheme
from quant.statistics.distribution import distribution, expected_error, quantiles

Array = NDArray[Any]

BLOCK = 1 << 16
"""Weights that are quantized at once in the search: a processor's cache holds them."""


def activation_range(
    scheme: Scheme, kind: Estimator, histogram: Array, low: Array, high: Array
) -> Range:
    """The range `[C]` of activations that lie between `low` and `high`, `[C]`.

    Args:
        histogram: as `histogram_node` counts them, `[C * 2 * bins]`. All zeros where nothing is
            known of them, as after SmoothQuant has changed the tensor: then it is the extremes.
    """
    found = distribution(histogram, low, high)
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    if not histogram.any():
        return low, _reach(scheme, low, high)
    step = max(1, BLOCK // found.counts.size)

    def error(lows: Array, highs: Array) -> Array:
        levels = activation_levels(scheme, lows, _reach(scheme, lows, highs))
        blocks = (slice(start, start + step) for start in range(0, len(lows), step))
        return np.concatenate([expected_error(found, levels.of(block)) for block in blocks])

    shares = CUT * np.append(0, CUTS)
    cuts = quantiles(found, np.concatenate([shares, 1 - shares]))
    return _search(scheme, kind, (low, high), error, cuts)


def weight_range(scheme: Scheme, kind: Estimator, rows: Array) -> Range:
    """The range `[C]` of weights `[C, N]`; their error is computed, not estimated."""
    low, high = np.minimum(rows.min(axis=1), 0), np.maximum(rows.max(axis=1), 0)
    step = max(1, BLOCK // rows.shape[1])
    blocks = [slice(start, start + step) for start in range(0, len(rows), step)]

    def error(lows: Array, highs: Array) -> Array:
        found = np.empty(lows.shape)
        for i, (low, high) in enumerate(zip(lows, _reach(scheme, lows, highs), strict=True)):
            levels = weight_levels(scheme, low[:, None], high[:, None])
            for block in blocks:
                difference = quantize(rows[block], levels.of(block)) - rows[block]
                found[i, block] = np.einsum("cn,cn->c", difference, difference)
        return found

    shares = np.unique(np.maximum(CUT * np.append(0, CUTS), 1 / rows.shape[1]).clip(max=0.5))
    shares = np.append(0, shares)
    cuts = np.quantile(rows, np.concatenate([shares, 1 - shares]), axis=1).T
    return _search(scheme, kind, (low, high), error, cuts)


def _reach(scheme: Scheme, low: Array, high: Array) -> Array:
    """The upper end, which a symmetric range mirrors."""
    return np.maximum(-low, high) if scheme.mode is Mode.SYMMETRIC else high


def _search(scheme: Scheme, kind: Estimator, ends: Range, error: Error, cuts: Array) -> Range:
    """`cuts`: for `histogram`, `[C, 2 * cuts]`, the lower ends and then the upper ones."""
    if kind is Estimator.MSE:
        low, high = least_error(*ends, error, is_mirrored=scheme.mode is Mode.SYMMETRIC)
    else:
        lows, highs = np.split(cuts, 2, axis=1)
        low, high = first_minimum(np.minimum(lows, 0), np.maximum(highs, 0), error)
    return low, _reach(scheme, low, high)
