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

Few samples are few rows X, and G = X'X and a diagonal. R is found without G then, and what the
rows' errors add up to, X e, stands for e: of D inputs and N rows that takes D N steps for each
output instead of D^2. Source: Woodbury 1950, "Inverting modified matrices", one block of inputs
after the other, as in recursive least squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.one_thread import product

Array = NDArray[Any]

_BLOCK = 16
"""Inputs whose integers are found one by one before a product of matrices tells the others."""

OUTPUTS = 4096
"""Outputs, of all groups, that are worked on at once: what they need stays near the processor."""

_LARGEST = 1e30
"""What numbers are cut to, infinities among them."""

_UNSEEN = 0.3
"""Variance that no position shows, as a share of all inputs' mean. Source: noise on other data of
the layers of 18 nets, see docs/choices.md."""


@dataclass(frozen=True, slots=True)
class Covariances:
    """Of the inputs of layers: `rows' @ rows` of what goes together, and each one's own variance.

    Attributes:
        rows: `[G, N, D]`.
        own: `[G, D]`, zero only where no input of the group moves.
    """

    rows: Array
    own: Array


def covariances(points: Array) -> Covariances:
    """The covariances of inputs, as far as the samples agree on them, in units of the largest
    variance of the group, each variance with what was not seen of it.

    Args:
        points: `[G, samples, positions, D]`.

    >>> found = covariances(np.float32([[[[0, 0]], [[2, 2]], [[0, 0]], [[2, 2]]]]))
    >>> (found.rows[0].T @ found.rows[0]).round(2).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    >>> (10 * found.own).round().tolist()
    [[3.0, 3.0]]
    """
    groups, width = points.shape[0], points.shape[3]
    exact = np.clip(np.nan_to_num(points.astype(np.float64)), -_LARGEST, _LARGEST)
    exact -= exact.mean(axis=(1, 2), keepdims=True)
    spread = np.sqrt(np.square(exact).mean(axis=(1, 2)))
    x = (exact / np.where(spread > 0, spread, 1)[:, None, None]).astype(np.float32)
    spread /= np.maximum(spread.max(axis=1, keepdims=True), 1 / _LARGEST)
    rows, kept, power = x.reshape(groups, -1, width), _kept(x)[:, None], np.square(spread)
    rows *= (np.sqrt(kept / rows.shape[1]) * spread)[:, None].astype(np.float32)
    own = (1 - kept) * power + _UNSEEN * power.mean(axis=1, keepdims=True)
    return Covariances(rows, own.astype(np.float32))


def _kept(x: Array) -> Array:
    """The share `[G]` of the correlations that is not by chance, from how samples scatter.

    Whole samples are compared: their positions are alike.
    """
    groups, samples, positions, width = x.shape
    if samples == 1:
        return np.zeros(groups, np.float32)
    rows = x.reshape(groups, -1, width)
    across = product(rows, rows.swapaxes(1, 2)) / np.float32(rows.shape[1])
    seen = np.square(across).sum(axis=(1, 2))  # the same of rows as of columns
    seen -= np.square(np.square(rows).mean(axis=1)).sum(axis=1)
    of_samples = np.square(x @ x.swapaxes(2, 3) / np.float32(positions)).sum(axis=(1, 2, 3))
    of_samples -= np.square(np.square(x).mean(axis=2)).sum(axis=(1, 2))
    chance = (of_samples / samples - seen) / (samples - 1)
    shrinkage = np.divide(chance, seen, out=np.ones_like(seen), where=seen > 0)
    return np.asarray(1 - np.clip(shrinkage, 0, 1), np.float32)


def closest(real: Array, inputs: Covariances, low: Array, high: Array) -> Array:
    """Integers within bounds, so that what the layer computes stays close: found one after the
    other, for inputs of wide spread first, since the others make up for what that leaves.

    Args:
        real: `[G, D, O]` of f32, one column for each output.
        inputs: of the layers' inputs.
        low, high: bounds of each group, `[G, 1, 1]`.

    >>> real = np.float32([[[0.4], [0.4]]])
    >>> bounds = np.float32([[[-8]]]), np.float32([[[8]]])
    >>> inputs = Covariances(np.float32([[[0.95, 0.95]]]), np.float32([[0.1, 0.1]]))
    >>> closest(real, inputs, *bounds).tolist()
    [[[1.0], [0.0]]]
    """
    groups = np.arange(len(real))[:, None]
    powers = np.einsum("gnd,gnd->gd", inputs.rows, inputs.rows) + inputs.own
    order = np.argsort(powers, axis=1, kind="stable")
    columns = inputs.rows.swapaxes(1, 2)[groups, order]
    factor = _factor(columns, inputs.own[groups, order])
    found, some = np.empty_like(real), max(OUTPUTS // len(real), 1)
    for start in range(0, real.shape[2], some):
        part = slice(start, start + some)
        found[groups, order, part] = _integers(real[groups, order, part], factor, low, high)
    return found


@dataclass(frozen=True, slots=True)
class _Factor:
    """How inputs make up for errors of those behind them, which is R over its diagonal.

    Attributes:
        near: `[G, D, _BLOCK]`, within a block.
        far: `[G, D, N]`, of what the errors behind the block add up to in each row.
        columns: `[G, D, N]`, the rows of the covariances.
    """

    near: Array
    far: Array
    columns: Array


def _factor(columns: Array, own: Array) -> _Factor:
    groups, width, count = columns.shape
    near, far = np.empty((groups, width, _BLOCK), np.float32), np.empty_like(columns)
    rest = np.tile(np.eye(count, dtype=np.float32), (groups, 1, 1))
    own = np.where(own > 0, own, 1)
    for here in _blocks(width):
        block, size = columns[:, here], here.stop - here.start
        seen = product(block, rest)
        corner = product(seen, block.swapaxes(1, 2))
        corner[:, range(size), range(size)] += own[:, here]
        lower = np.linalg.cholesky(corner)
        seen = np.linalg.inv(lower) @ seen
        rest -= product(seen.swapaxes(1, 2), seen)
        diagonal = np.einsum("gdd->gd", lower)[..., None]
        near[:, here, :size], far[:, here] = lower.swapaxes(1, 2) / diagonal, seen / diagonal
    return _Factor(near, far, columns)


def _blocks(width: int) -> list[slice]:
    return [slice(i, min(i + _BLOCK, width)) for i in range(0, width, _BLOCK)]


def _integers(real: Array, factor: _Factor, low: Array, high: Array) -> Array:
    """The last input's first, each with what makes up for the errors of those behind it."""
    groups, width, outputs = real.shape
    found, total = np.empty_like(real), np.zeros((groups, factor.far.shape[2], outputs), np.float32)
    error, shares = np.empty((2, groups, _BLOCK, outputs), np.float32)
    for here in reversed(_blocks(width)):
        wanted = product(factor.far[:, here], total)
        wanted += real[:, here]
        near = factor.near[:, here]
        for j in range(here.stop - here.start - 1, -1, -1):
            one, place = slice(j, j + 1), slice(here.start + j, here.start + j + 1)
            integers = np.rint(wanted[:, one], out=found[:, place])
            np.maximum(integers, low, out=integers)
            np.minimum(integers, high, out=integers)
            np.subtract(real[:, place], integers, out=error[:, one])
            np.multiply(near[:, :j, one], error[:, one], out=shares[:, :j])
            wanted[:, :j] += shares[:, :j]
        total += product(factor.columns[:, here].swapaxes(1, 2), error[:, : wanted.shape[1]])
    return found
