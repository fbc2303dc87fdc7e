"""Real numbers to integers, so that what a layer computes of correlated inputs stays closest.

Errors e of a layer's weights put e G e of noise on its output, G being the covariances of its
inputs. With G = R'R, R upper triangular, each integer in turn is the nearest one to what would
make up for the errors made already, without regard to those to come. Source: Babai 1986, "nearest
plane", which is what Frantar et al. 2023, "GPTQ", compute in another way.

Few samples find correlations where there are none, so those that are seen are shrunk by as much
as the samples disagree. Source: Schaefer and Strimmer 2005, "A shrinkage approach to large-scale
covariance matrix estimation", target D. And few positions do not show all that an input does, at
borders for one: where they show one that hardly moves, an integer far off would cost nothing. So
every input has a share of all inputs' mean variance on top, as in GPTQ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.one_thread import cholesky, product

Array = NDArray[Any]

_BLOCK = 16
"""Inputs whose integers are found one by one before a product of matrices tells the others."""

_OUTPUTS = 2048
"""Outputs that are worked on at once: a table of words has many."""

_LARGEST = 1e30
"""What numbers are cut to, infinities among them."""

_UNSEEN = 0.3
"""Variance that no position shows, as a share of all inputs' mean. Source: noise on other data of
the layers of 18 nets, see docs/choices.md."""


def covariances(points: Array) -> Array:
    """The covariances `[G, D, D]` of inputs, as far as the samples agree on them, in units of the
    largest variance of the group, each variance with what was not seen of it.

    Args:
        points: `[G, samples, positions, D]`.

    >>> seen = np.float32([[[[0, 0]], [[2, 2]], [[0, 0]], [[2, 2]]]])
    >>> (10 * covariances(seen)).round().tolist()
    [[[13.0, 10.0], [10.0, 13.0]]]
    """
    width = points.shape[3]
    exact = np.clip(np.nan_to_num(points.astype(np.float64)), -_LARGEST, _LARGEST)
    exact -= exact.mean(axis=(1, 2), keepdims=True)
    spread = np.sqrt(np.square(exact).mean(axis=(1, 2)))
    x = (exact / np.where(spread > 0, spread, 1)[:, None, None]).astype(np.float32)
    spread /= np.maximum(spread.max(axis=1, keepdims=True), 1 / _LARGEST)
    rows = x.reshape(len(x), -1, width)
    found = product(rows.swapaxes(1, 2), rows) / np.float32(rows.shape[1])
    found *= _kept(x, found)[:, None, None]
    found *= (spread[:, :, None] * spread[:, None]).astype(np.float32)
    power = np.square(spread)
    power += _UNSEEN * power.mean(axis=1, keepdims=True)
    found[:, range(width), range(width)] = power
    return found


def _kept(x: Array, correlations: Array) -> Array:
    """The share `[G]` of the correlations that is not by chance, from how samples scatter.

    Whole samples are compared: their positions are alike.
    """
    samples, positions = x.shape[1:3]
    if samples == 1:
        return np.zeros(len(x), np.float32)
    of_samples = np.square(x @ x.swapaxes(2, 3) / np.float32(positions)).sum(axis=(1, 2, 3))
    of_samples -= np.square(np.square(x).mean(axis=2)).sum(axis=(1, 2))
    seen = np.square(correlations).sum(axis=(1, 2))
    seen -= np.square(np.einsum("gdd->gd", correlations)).sum(axis=1)
    chance = (of_samples / samples - seen) / (samples - 1)
    shrinkage = np.divide(chance, seen, out=np.ones_like(seen), where=seen > 0)
    return np.asarray(1 - np.clip(shrinkage, 0, 1), np.float32)


def closest(real: Array, gram: Array, low: Array, high: Array) -> Array:
    """Integers within bounds, so that what the layer computes stays close: found one after the
    other, for inputs of wide spread first, since the others make up for what that leaves.

    Args:
        real: `[G, D, O]` of f32, one column for each output.
        gram: `[G, D, D]`, the inputs' covariances.
        low, high: bounds of each group, `[G, 1, 1]`.

    >>> real = np.float32([[[0.4], [0.4]]])
    >>> bounds = np.float32([[[-8]]]), np.float32([[[8]]])
    >>> closest(real, np.float32([[[1, 0.9], [0.9, 1]]]), *bounds).tolist()
    [[[1.0], [0.0]]]
    """
    groups = np.arange(len(gram))[:, None]
    spread = np.sqrt(np.einsum("gdd->gd", gram))
    spread[spread == 0] = 1
    order = np.argsort(spread, axis=1, kind="stable")
    ordered = gram[groups[..., None], order[:, :, None], order[:, None]]
    upper = _made_up(ordered, spread[groups, order])
    found = np.empty_like(real)
    for start in range(0, real.shape[2], _OUTPUTS):
        some = slice(start, start + _OUTPUTS)
        found[groups, order, some] = _integers(real[groups, order, some], upper, low, high)
    return found


def _made_up(gram: Array, spread: Array) -> Array:
    """By how much each input makes up for errors of those behind it: R over its diagonal."""
    gram /= spread[:, :, None] * spread[:, None]
    gram[:, range(gram.shape[1]), range(gram.shape[1])] = 1
    lower = cholesky(gram)
    lower *= spread[..., None] / (np.einsum("gdd->gd", lower) * spread)[:, None]
    return np.ascontiguousarray(lower.swapaxes(1, 2))


def _integers(real: Array, upper: Array, low: Array, high: Array) -> Array:
    """The last input's first, each with what makes up for the errors of those behind it."""
    found, error = np.empty_like(real), np.empty_like(real)
    shares = np.empty((len(real), _BLOCK, real.shape[2]), np.float32)
    for stop in range(real.shape[1], 0, -_BLOCK):
        first = max(stop - _BLOCK, 0)
        wanted = product(upper[:, first:stop, stop:], error[:, stop:])
        wanted += real[:, first:stop]
        for j in range(stop - 1, first - 1, -1):
            one, count = slice(j, j + 1), j - first
            integers = np.rint(wanted[:, count : count + 1], out=found[:, one])
            np.maximum(integers, low, out=integers)
            np.minimum(integers, high, out=integers)
            np.subtract(real[:, one], integers, out=error[:, one])
            np.multiply(upper[:, first:j, one], error[:, one], out=shares[:, :count])
            wanted[:, :count] += shares[:, :count]
    return found
