"""How often an 8-bit layer would saturate where pairs of products are added in 16 bits.

`vpmaddubsw` multiplies the unsigned integers of two neighbouring input channels with the signed
weights and adds the two products in 16 bits, which saturate. Activations are unsigned there, also
signed ones: the CPU plugin moves them up by 128. So both enter as the number of their level.
Source: Intel's instruction reference; OpenVINO 2026.4.1 held to AVX2 and AVX-512 without VNNI gives
the very numbers of `products`, see the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LOW, HIGH = -(1 << 15), (1 << 15) - 1
"""What a 16-bit sum can hold."""

_AT_ONCE = 1 << 22
"""How many pair sums are held at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saturation:
    """What saturation would do to a layer; `noise` and `halving` in squared integer products.

    Attributes:
        share: of all pair sums, those that saturate.
        noise: mean square of what an output loses.
        halving: mean square of the rounding that half the weights' range adds to an output.
    """

    share: float
    noise: float
    halving: float

    @property
    def is_risky(self) -> bool:
        """Whether half-range weights cost less than saturation does."""
        return self.noise > self.halving


def saturation(levels: Array, weights: Array, zero: float) -> Saturation:
    """An estimate from a sample of the layer's input: at every tap the same positions are taken.

    Args:
        levels: `[points, groups, C_in]`, the number of each value's level, from 0.
        weights: integers `[groups, C_out, C_in, taps]`.
        zero: the level of zero.
    """
    low, high = _pairs(weights, axis=2)
    halving = 0.25 * weights.shape[3] * float(np.square(levels - zero).sum(axis=2).mean())
    places = np.argwhere(_can_saturate(low, high, *_pairs(levels.max(axis=0), axis=1)))
    lost = np.zeros((len(levels), weights.shape[0] * weights.shape[1]))
    count, size = 0, max(1, _AT_ONCE // len(levels))
    first, second = _pairs(levels, axis=2)
    for start in range(0, len(places), size):
        group, out, pair, tap = places[start : start + size].T
        sums = first[:, group, pair] * low[group, out, pair, tap]
        sums += second[:, group, pair] * high[group, out, pair, tap]
        sums -= np.clip(sums, LOW, HIGH)
        count += int(np.count_nonzero(sums))
        output = group * weights.shape[1] + out
        starts = np.flatnonzero(np.diff(output, prepend=-1))
        lost[:, output[starts]] += np.add.reduceat(sums, starts, axis=1)
    total = len(levels) * low.size
    return Saturation(share=count / total, noise=float(np.square(lost).mean()), halving=halving)


def products(levels: Array, weights: Array) -> Array:
    """`[points, C_out]`: what the instruction gives for rows of levels and weights `[C_out, C_in]`.

    >>> products(np.array([[255, 255]]), np.array([[127, 127], [127, -127]])).tolist()
    [[32767, 0]]
    """
    first, second = _pairs(levels.astype(np.int64)[:, None], axis=2)
    low, high = _pairs(weights.astype(np.int64)[None], axis=2)
    return np.asarray(np.clip(first * low + second * high, LOW, HIGH).sum(axis=2))


def _pairs(values: Array, axis: int) -> tuple[Array, Array]:
    """The even and the odd channels; a zero stands behind an odd number of them."""
    if values.shape[axis] % 2:
        pads = [(0, int(i == axis)) for i in range(values.ndim)]
        values = np.pad(values, pads)
    even, odd = (np.arange(start, values.shape[axis], 2) for start in (0, 1))
    return values.take(even, axis=axis), values.take(odd, axis=axis)


def _can_saturate(low: Array, high: Array, first: Array, second: Array) -> Array:
    """Whether a pair sum can leave 16 bits, given the highest level of each channel, `[groups,
    pairs]`: an upper bound, which clears most layers without looking at their samples."""
    first, second = first[:, None, :, None], second[:, None, :, None]
    most = np.maximum(low, 0) * first + np.maximum(high, 0) * second
    least = np.minimum(low, 0) * first + np.minimum(high, 0) * second
    return np.asarray((most > HIGH) | (least < LOW))
