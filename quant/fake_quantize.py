"""Ranges -> FakeQuantize parameters, and the arithmetic of FakeQuantize itself.

FakeQuantize maps x to the nearest of `levels` values evenly spaced over [low, high].
Source: OpenVINO operation set, FakeQuantize-1; formulas of ranges: POT 2023.0.2 and NNCF 3.4.0,
with the differences that the docstrings name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.scheme import F32_BITS, Mode, Scheme, grid

Array = NDArray[Any]

_DEAD = 1e-30
"""Ranges narrower than this can't be told from zero in f32 once they are divided by levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """FakeQuantize's parameters: `low` and `high` in f32, of one shape, and the number of levels.

    `first` is the integer of the lowest level, so that level i stands for the integer `first + i`.
    `bits` is the width of the scheme, which may have more integers than there are levels.
    """

    low: Array
    high: Array
    levels: int
    first: int
    bits: int = 8

    @property
    def is_executable(self) -> bool:
        """Whether f32 can tell the levels apart; if not, a tensor is left as it is."""
        return self.bits <= F32_BITS

    @property
    def scale(self) -> Array:
        """The distance between neighbouring levels."""
        return (self.high - self.low) / np.float32(self.levels - 1)

    @property
    def flat(self) -> Levels:
        """The parameters as `[channels]`."""
        return replace(self, low=self.low.reshape(-1), high=self.high.reshape(-1))

    def of(self, channels: slice) -> Levels:
        """The parameters of some of the channels, which are axis 0."""
        return replace(self, low=self.low[channels], high=self.high[channels])

    @property
    def zero_point(self) -> NDArray[np.int64]:
        """The integer that stands for zero."""
        return np.rint(self.first - self.low / self.scale).astype(np.int64)


def activation_levels(scheme: Scheme, low: Array, high: Array) -> Levels:
    """FakeQuantize's parameters for activations from estimated ranges of one shape.

    Symmetric: unsigned, [0, high], if no low is below zero and the scheme does not fix its
    levels. A channel that was silent in calibration gets the widest channel's range; unlike POT
    and NNCF, quiet channels keep their own, however narrow.
    """
    first, last = grid(scheme, is_weights=False)
    low, high = _finite(low), _finite(high)
    if scheme.mode is Mode.ASYMMETRIC:
        return replace(asymmetric(low, high, first, last), bits=scheme.bits)
    high = np.where(high > _DEAD, high, high.max(initial=0))
    if scheme.level_low is None and not (low < 0).any():
        first, last = 0, last - first
    return replace(symmetric(high, first, last), bits=scheme.bits)


def weight_levels(scheme: Scheme, low: Array, high: Array) -> Levels:
    """FakeQuantize's parameters for weights from their ranges."""
    first, last = grid(scheme, is_weights=True)
    low, high = _finite(low), _finite(high)
    if scheme.mode is Mode.SYMMETRIC:
        found = symmetric(high, first, last)
    elif scheme.unified_zero_point:
        found = _one_zero_point(low, high, first, last)
    else:
        found = asymmetric(low, high, first, last)
    return replace(found, bits=scheme.bits)


def halved(found: Levels) -> Levels:
    """The range doubled on the same grid: integers stay within half of it, and pairs of products
    can't overflow 16 bits. Source: OpenVINO, saturation issue."""
    return replace(found, low=found.low * 2, high=found.high * 2)


def symmetric(magnitude: Array, first: int, last: int) -> Levels:
    """A grid with zero on the integer 0 and `magnitude` on the last integer that both sides have.

    An empty range becomes [.., 1]: any scale represents zero.

    >>> float(symmetric(np.float32(127), -128, 127).low)
    -128.0
    """
    reach = last if first >= 0 else min(-first, last)
    scale = np.where(magnitude > _DEAD, magnitude, 1.0).astype(np.float64) / reach
    return Levels(
        low=(first * scale).astype(np.float32),
        high=(last * scale).astype(np.float32),
        levels=last - first + 1,
        first=first,
    )


def asymmetric(low: Array, high: Array, first: int, last: int) -> Levels:
    """A grid over [low, high] with zero on a level: widened for that, but for an end less than half
    a step away from zero, which becomes zero.

    Unlike POT and NNCF, zero is moved onto a level also where its rounded level is the first or
    last.

    >>> found = asymmetric(np.array(-0.3), np.array(5.0), -128, 127)
    >>> float(found.low), round(float(found.high), 7)
    (-0.30000001192092896, 5.1642857)
    """
    steps = last - first
    low = np.minimum(low, 0).astype(np.float64)
    high = np.maximum(high, 0).astype(np.float64)
    high = np.where(high - low > _DEAD, high, 1.0)
    zero = np.rint(-low * steps / (high - low))
    # candidate A keeps high, candidate B keeps low; at the ends only one of them exists
    with np.errstate(divide="ignore", invalid="ignore"):
        low_a = np.where(zero < steps, -zero / (steps - zero) * high, low)
        high_b = np.where(zero > 0, -(steps - zero) / zero * low, high)
    takes_a = (high - low_a > high_b - low) & (zero < steps)
    takes_a |= zero == 0
    new_low = np.where(takes_a, low_a, low)
    new_high = np.where(takes_a, high, high_b)
    return Levels(
        low=new_low.astype(np.float32),
        high=new_high.astype(np.float32),
        levels=steps + 1,
        first=first,
    )


def _one_zero_point(low: Array, high: Array, first: int, last: int) -> Levels:
    """Ranges widened until all channels share their mean zero point. Source: POT 2023.0.2."""
    steps = last - first
    low = np.minimum(low, 0).astype(np.float64)
    high = np.maximum(high, 0).astype(np.float64)
    high = np.where(high - low > _DEAD, high, 1.0)
    zero = float(np.clip(np.rint(np.mean(-low * steps / (high - low))), 1, steps - 1))
    low_a, high_b = -zero / (steps - zero) * high, -(steps - zero) / zero * low
    takes_a = high - low_a > high_b - low
    return Levels(
        low=np.where(takes_a, low_a, low).astype(np.float32),
        high=np.where(takes_a, high, high_b).astype(np.float32),
        levels=steps + 1,
        first=first,
    )


_AT_ONCE = 1 << 16
"""How many values are worked on at a time, so that they stay in the processor's cache."""


def to_integers(x: Array, levels: Levels, *, out: Array | None = None) -> Array:
    """The integers that stand for x, `first .. first + levels - 1`, in f32 or as the type of an
    array that takes them."""
    return _row_by_row(_integers, np.asarray(x), levels, out)


def from_integers(integers: Array, levels: Levels) -> Array:
    """The numbers that integers stand for, in f32.

    >>> from_integers(np.int8([1, -2]), symmetric(np.float32(1), -127, 127)).round(4).tolist()
    [0.007899999618530273, -0.015699999406933784]
    """
    found = integers - levels.zero_point.astype(np.float32)
    found *= levels.scale
    return np.asarray(found)


def quantize(x: Array, levels: Levels) -> Array:
    """FakeQuantize of x: the nearest representable value.

    >>> quantize(np.float32([0.6, 9.0]), symmetric(np.float32(2), 0, 2)).tolist()
    [1.0, 2.0]
    """
    return _row_by_row(_values, np.asarray(x), levels)


def _row_by_row(
    function: Callable[[Array, Levels], Array],
    x: Array,
    levels: Levels,
    out: Array | None = None,
) -> Array:
    """The function of a few rows of x at a time, with the levels that are theirs."""
    found = out
    if found is None:
        found = np.empty(np.broadcast_shapes(x.shape, levels.low.shape), dtype=np.float32)
    if found.size <= _AT_ONCE or found.shape != x.shape:
        found[...] = function(x, levels)
        return found
    has_rows = levels.low.ndim == x.ndim and len(levels.low) > 1
    step = max(_AT_ONCE * len(x) // x.size, 1)
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        found[rows] = function(x[rows], levels.of(rows) if has_rows else levels)
    return found


def _integers(x: Array, levels: Levels) -> Array:
    q = np.asarray((x - levels.low) / levels.scale)
    np.rint(q, out=q)
    np.clip(q, 0, levels.levels - 1, out=q)
    q += np.float32(levels.first)
    return q


def _values(x: Array, levels: Levels) -> Array:
    return from_integers(_integers(x, levels), levels)


def _finite(values: Array) -> Array:
    """Statistics of f32 tensors as f64, infinities cut to f32's range."""
    limit = float(np.finfo(np.float32).max) / 1024
    return np.clip(np.nan_to_num(np.asarray(values, dtype=np.float64)), -limit, limit)
