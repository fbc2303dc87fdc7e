"""Quantized weights by least squares: the integers whose outputs come closest to FP32's.

For an output channel with weights w over inputs x, the mean of (y - w x - b)^2 over samples
depends on data through second moments alone. With the bias in closed form what is left is
w G w - 2 C w, G and C being the covariances of x with itself and with y, and is lowered integer by
integer, each time to the exact minimum over one of them.
Source: Behdin et al. 2023, "QuantEase", section 3; Nagel et al. 2020 for the target y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

RATIOS = (1.0, 0.96, 0.92, 0.88, 0.84, 0.8)
"""Candidates for a channel's scale, times the one that holds its largest weight."""

_BLOCK = 64
"""Columns that are updated together before the others hear of it: small enough for the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Sums over positions of all samples, per group of channels.

    Attributes:
        inputs: `[G, D + 1, D + 1]`, products of inputs, the last of which is always 1.
        cross: `[G, O, D + 1]`, products of outputs and inputs.
        outputs: `[G, O]`, squares of outputs.
    """

    inputs: Array
    cross: Array
    outputs: Array

    @property
    def count(self) -> float:
        """How many positions were seen."""
        return float(self.inputs[0, -1, -1])

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            inputs=self.inputs + other.inputs,
            cross=self.cross + other.cross,
            outputs=self.outputs + other.outputs,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Weights on a grid, and biases: w = scale * (integers - zero).

    Attributes:
        integers: `[G, O, D]`.
        scale, zero: `[G, O]`.
        bias: `[G, O]`.
    """

    integers: Array
    scale: Array
    zero: Array
    bias: Array

    @property
    def values(self) -> Array:
        """The weights as numbers, `[G, O, D]`."""
        return np.asarray(self.scale[..., None] * (self.integers - self.zero[..., None]))


def squared_error(moments: Moments, weights: Array, bias: Array) -> Array:
    """The mean of (y - w x - b)^2 per output channel, `[G, O]`.

    >>> one = np.ones((1, 1, 1))
    >>> seen = Moments(inputs=np.array([[[4.0, 2], [2, 1]]]), cross=np.array([[[6.0, 3]]]),
    ...     outputs=9 * one[0])
    >>> squared_error(seen, one, 0 * one[0]).tolist()
    [[1.0]]
    """
    full = np.concatenate([weights, bias[..., None]], axis=-1)
    total = moments.outputs - 2 * (moments.cross * full).sum(axis=-1)
    total = total + ((full @ moments.inputs) * full).sum(axis=-1)
    return np.asarray(np.maximum(total, 0) / moments.inputs[:, -1:, -1])


def tuned(
    moments: Moments, original: Array, start: Weights, *, sweeps: int, decay: float, rescales: bool
) -> Weights:
    """Weights that lower the error on the moments, from those at the start.

    Args:
        original: the weights in floating point, `[G, O, D]`.
        sweeps: how often every integer is looked at.
        decay: pull towards the original weights, as a share of the inputs' mean variance.
        rescales: whether each channel's scale may shrink.
    """
    gram, cross = _centered(moments)
    ridge = decay * np.einsum("gdd->g", gram)[:, None, None] / gram.shape[-1]
    gram = gram + ridge * np.eye(gram.shape[-1])
    cross = cross + ridge * original
    bounds = start.integers.min(), start.integers.max()
    scale = _best_scale(gram, original, start, bounds) if rescales else start.scale
    integers = _rounded(original, scale, start.zero, bounds)
    for _ in range(sweeps):
        _sweep(gram, cross, integers, scale, start.zero, bounds)
    return with_best_bias(
        moments, Weights(integers=integers, scale=scale, zero=start.zero, bias=start.bias)
    )


def with_best_bias(moments: Moments, weights: Weights) -> Weights:
    """The same weights with the biases that keep the outputs' means."""
    count = moments.inputs[:, -1:, -1]
    means = moments.inputs[:, None, :-1, -1] / count[..., None]
    bias = moments.cross[..., -1] / count - (weights.values * means).sum(axis=-1)
    return Weights(integers=weights.integers, scale=weights.scale, zero=weights.zero, bias=bias)


def _centered(moments: Moments) -> tuple[Array, Array]:
    """The covariances of the inputs `[G, D, D]`, and of outputs with inputs `[G, O, D]`."""
    count = moments.inputs[:, -1:, -1:]
    total = moments.inputs[:, :-1, -1:]
    gram = moments.inputs[:, :-1, :-1] / count - total * total.swapaxes(1, 2) / count**2
    cross = moments.cross[..., :-1] / count
    return gram, cross - moments.cross[..., -1:] * total.swapaxes(1, 2) / count**2


def _rounded(weights: Array, scale: Array, zero: Array, bounds: tuple[Array, Array]) -> Array:
    return np.asarray(np.clip(np.rint(weights / scale[..., None] + zero[..., None]), *bounds))


def _best_scale(gram: Array, original: Array, start: Weights, bounds: tuple[Array, Array]) -> Array:
    """Per channel, the scale whose rounded weights make the least error on the inputs."""
    best, least = start.scale, np.full(start.scale.shape, np.inf)
    for ratio in RATIOS:
        scale = start.scale * ratio
        integers = _rounded(original, scale, start.zero, bounds)
        error = scale[..., None] * (integers - start.zero[..., None]) - original
        loss = ((error @ gram) * error).sum(axis=-1)
        best, least = np.where(loss < least, scale, best), np.minimum(loss, least)
    return best


def _sweep(
    gram: Array,
    cross: Array,
    integers: Array,
    scale: Array,
    zero: Array,
    bounds: tuple[Array, Array],
) -> None:
    """Moves every integer once, in place, to where the error is least with all others fixed."""
    width = gram.shape[-1]
    for first in range(0, width, _BLOCK):
        block = slice(first, min(first + _BLOCK, width))
        weights = scale[..., None] * (integers - zero[..., None])
        rest = cross[..., block] - weights @ gram[..., block]
        part = gram[:, block, block]
        for j in range(part.shape[-1]):
            power = part[:, j, j][:, None]
            wanted = weights[..., first + j] + np.divide(
                rest[..., j], power, out=np.zeros_like(rest[..., j]), where=power > 0
            )
            moved = np.clip(np.rint(wanted / scale + zero), *bounds)
            step = scale * (moved - integers[..., first + j])
            integers[..., first + j] = moved
            rest -= step[..., None] * part[:, None, j]
