"""Which shift and factor of a tensor's channels give the least quantization noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.fake_quantize import activation_levels, weight_levels
from quant.plan import AlignedPair
from quant.scheme import Granularity, Mode, Scheme
from quant.statistics.need import Need, Reduction, of_extremes

Array = NDArray[Any]

ALPHAS = (0.25, 0.5, 0.75, 1.0)
"""Candidates for f = a^alpha / w^(1 - alpha), with a the reach of a channel and w its largest
weight. Source: POT and NNCF take 1, Nagel et al. 2019 take 0.5."""

_SMALLEST, _LARGEST = 0.01, 100.0
"""Bounds of f around its median. Source: POT 2023.0.2, NNCF 3.4.0."""

NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """What is known of a tensor's channels, `[C]` each: extremes over all samples, and moments."""

    low: Array
    high: Array
    mean: Array
    mean_square: Array

    def changed(self, shift: Array, factor: Array) -> Channels:
        """The same of (x - shift) / factor.

        >>> x = Channels(low=np.zeros(1), high=np.full(1, 4.0), mean=np.ones(1),
        ...              mean_square=np.full(1, 2.0))
        >>> y = x.changed(np.full(1, 2.0), np.full(1, 2.0))
        >>> [float(each[0]) for each in (y.low, y.high, y.mean, y.mean_square)]
        [-1.0, 1.0, -0.5, 0.5]
        """
        return Channels(
            low=(self.low - shift) / factor,
            high=(self.high - shift) / factor,
            mean=(self.mean - shift) / factor,
            mean_square=(self.mean_square - 2 * shift * self.mean + shift**2) / factor**2,
        )

    def step(self, scheme: Scheme) -> float:
        """The distance of the levels of one range that holds every value of all channels."""
        return float(steps(scheme, [self])[0])

    def answer(self, need: Need) -> Array | None:
        """What a need comes to, but for single points; see `of_extremes`."""
        if need.reduction in (Reduction.MEAN, Reduction.MEAN_SQUARE):
            found = self.mean if need.reduction is Reduction.MEAN else self.mean_square
            return found if need.channel_axis is not None else found.mean(keepdims=True)
        return of_extremes(need, self.low, self.high)


def steps(scheme: Scheme, tensors: Sequence[Channels]) -> Array:
    """The distance of the levels of one range that holds every value of a tensor, for each of
    several that are alike in whether they have negative values."""
    low = np.array([each.low.min() for each in tensors])
    high = np.array([each.high.max() for each in tensors])
    reach = np.maximum(high, -low) if scheme.mode is Mode.SYMMETRIC else high
    return np.asarray(activation_levels(scheme, low, reach).scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """A candidate: what is taken from the channels, `[C]`, and what they are then divided by."""

    name: str
    shift: Array
    factor: Array


def best_alignment(pair: AlignedPair, channels: Channels, weights: Array) -> Alignment:
    """The candidate with the least expected noise; `none` where no other one lowers it.

    Args:
        weights: of the consumer, `[C_out, C, taps]`.
    """
    found, *others = _candidates(pair, channels, weights)
    least = _noise(pair, channels, weights, found)
    for candidate in others:
        noise = _noise(pair, channels, weights, candidate)
        if noise < least:
            least, found = noise, candidate
    return found


def _candidates(pair: AlignedPair, channels: Channels, weights: Array) -> Iterator[Alignment]:
    """Nothing at all, then each shift with each factor."""
    nothing, ones = np.zeros(pair.channels), np.ones(pair.channels)
    middle = (channels.low + channels.high) / 2
    largest = np.abs(weights).max(axis=(0, 2))
    for name, shift in (
        {"": nothing, "shift": middle}.items() if pair.is_shifted else [("", nothing)]
    ):
        yield Alignment(name=name or NONE, shift=shift, factor=ones)
        reach = np.maximum(channels.high - shift, shift - channels.low)
        for alpha in ALPHAS if pair.is_scaled else ():
            full = f"{name}, alpha {alpha}" if name else f"alpha {alpha}"
            yield Alignment(name=full, shift=shift, factor=_factor(reach, largest, alpha))


def _factor(reach: Array, largest: Array, alpha: float) -> Array:
    """The factors around their median; 1 for channels that are dead or not read.

    >>> _factor(np.array([1.0, 2.0, 0.0, 8.0]), np.ones(4), 1.0).tolist()
    [0.5, 1.0, 1.0, 4.0]
    """
    is_live = (reach > 0) & (largest > 0)
    factor = np.ones_like(reach)
    if is_live.any():
        live = reach[is_live] ** alpha / largest[is_live] ** (1 - alpha)
        factor[is_live] = np.clip(live / np.median(live), _SMALLEST, _LARGEST)
    return factor


def _noise(pair: AlignedPair, channels: Channels, weights: Array, found: Alignment) -> float:
    """Expected squared error at the consumer's outputs, each rounding being uniform: a step's
    square over 12.

    The weights' error counts on what varies; its mean is taken back by bias correction.
    """
    after = channels.changed(found.shift, found.factor)
    step = after.step(pair.activations)
    scaled = np.abs(weights) * found.factor[:, None]
    peak = scaled.max(axis=(1, 2))
    if pair.weights.granularity is Granularity.PERTENSOR:
        peak = np.full_like(peak, peak.max())
    steps = weight_levels(pair.weights, -peak, peak).scale
    power = np.maximum(after.mean_square - after.mean**2, 0).sum() * weights.shape[2]
    return float(step**2 * np.square(scaled).sum() + np.square(steps).sum() * power)
