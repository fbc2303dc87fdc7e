"""All channels of a tensor at a few positions, inside the graph.

A grid is cut from a tensor of known size by one operation that works in any layout: for single
positions OpenVINO brings the whole tensor to another one. Others are picked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant.runtime import opset, ov
from quant.statistics.constants import Constants
from quant.statistics.need import POINTS

_SPREAD = np.modf(np.arange(1, POINTS + 1) * (5**0.5 - 1) / 2)[0]
"""Where picked points lie, from 0 to 1: evenly, but not in line. Source: the golden-ratio
sequence."""


NOTHING = np.float32(-2.718281828e38)
"""What stands for the points of a tensor without elements, of which OpenVINO picks whatever is in
memory: a number that no model computes, unlike the lowest one, which masks attention."""

Joined = tuple[int, tuple[int, ...]]
"""The axis of the channels, and how many positions there are on each."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The part of a tensor that is cut out: per axis where it begins, how far the next position is,
    and how many positions there are, of which 0 stands for all."""

    begin: tuple[int, ...]
    step: tuple[int, ...]
    count: tuple[int, ...]
    axis: int

    @property
    def is_single(self) -> bool:
        """Whether there is one position, so that it is what a reduction leaves."""
        return all(each <= 1 for each in self.count)

    @property
    def joined(self) -> Joined | None:
        """What is the same for grids that are joined along the channels as they are, and then lie
        one behind the other; None where there are positions in front of the channels, or one."""
        is_first = all(each == 1 for each in self.count[: self.axis])
        return (self.axis, self.count) if is_first and not self.is_single else None

    def columns(self, channels: int) -> NDArray[np.intp]:
        """Of the values as they are cut, those of `[POINTS, channels]`; a tensor with a single
        position has it at all points."""
        positions = int(np.prod([each or 1 for each in self.count]))
        places = np.arange(POINTS)[:, None] % positions
        channel = np.arange(channels)[None]
        found = places * channels + channel
        if self.joined:
            found = channel * positions + places
        return np.asarray(found.reshape(-1))

    def cut(self, tensor: ov.Output, constants: Constants) -> ov.Output:
        """Its operation; none where it is the whole tensor."""
        shape = tensor.get_partial_shape()
        if shape.is_static and all(
            n in (0, size) for n, size in zip(self.count, shape.to_shape(), strict=True)
        ):
            return tensor
        zipped = zip(self.begin, self.step, self.count, strict=True)
        end = [start + step * (count - 1) + 1 for start, step, count in zipped]
        every = [int(each == 0) for each in self.count]
        bounds = (constants(each) for each in (self.begin, end, self.step))
        found = opset.strided_slice(tensor, *bounds, every, every)
        if shape[0].is_dynamic and self.count[0]:  # of a batch without items zeros
            found = opset.reduce_sum(found, constants([0]), keep_dims=True)
        return found.output(0)


def grid(tensor: ov.Output, axis: int) -> Grid | None:
    """The grid of a tensor whose sizes are known, but for the batch in front of channels on axis 1,
    of which the first item is taken; none where there are too few positions."""
    shape = list(tensor.get_partial_shape())
    is_first = axis == 1 and len(shape) > 2
    places = [i for i in range(len(shape)) if i != axis and not (is_first and i == 0)]
    if axis not in (1, len(shape) - 1) or any(shape[i].is_dynamic for i in places):
        return None
    sizes = [1 if i not in places else shape[i].get_length() for i in range(len(shape))]
    counts = _counts([sizes[i] for i in places])
    if counts is None:
        return None
    count = [1] * len(shape)
    count[axis] = 0
    for i, each in zip(places, counts, strict=True):
        count[i] = each
    step = [max(size // max(each, 1), 1) for size, each in zip(sizes, count, strict=True)]
    rest = [
        size - 1 - each * (max(n, 1) - 1) for size, each, n in zip(sizes, step, count, strict=True)
    ]
    return Grid(
        begin=tuple(each // 2 for each in rest), step=tuple(step), count=tuple(count), axis=axis
    )


def _counts(sizes: Sequence[int]) -> list[int] | None:
    """Positions along each axis, POINTS or a single one in all.

    >>> _counts([7, 5]), _counts([1, 9]), _counts([1, 1]), _counts([3, 1])
    ([2, 2], [1, 4], [1, 1], None)
    """
    counts = [1] * len(sizes)
    if all(size == 1 for size in sizes):
        return counts
    largest, *others = sorted(range(len(sizes)), key=lambda i: -sizes[i])
    if others and sizes[others[0]] > 1:
        counts[largest] = counts[others[0]] = 2
    elif sizes[largest] >= POINTS:
        counts[largest] = POINTS
    else:
        return None
    return counts


LARGE = 1 << 18
"""Values per sample above which a tensor is too large for a core's cache, as a megabyte is."""

_STRIDE = 5
"""Of neighbours, which are alike, one is enough; a number that upsampling has not, which leaves
patterns of twos and threes."""


def thinned(tensor: ov.Output, axis: int) -> Grid | None:
    """Every fifth position along each axis of a large tensor, for means, which take another read of
    it from memory otherwise; None of one that is small, or short, or whose sizes are not known."""
    shape = list(tensor.get_partial_shape())
    if axis != 1 or len(shape) < 3 or any(each.is_dynamic for each in shape[1:]):
        return None
    sizes = [each.get_length() for each in shape[2:]]
    if np.prod(sizes) * shape[1].get_length() < LARGE or min(sizes) < 4 * _STRIDE:
        return None
    places = len(sizes)
    return Grid(
        begin=(0, 0, *[_STRIDE // 2] * places),
        step=(1, 1, *[_STRIDE] * places),
        count=(0, 0, *((size + _STRIDE // 2) // _STRIDE for size in sizes)),
        axis=1,
    )


def picked(tensor: ov.Output, axis: int, channels: int) -> ov.Node:
    """`[POINTS, channels]` of any tensor; where the channels are axis 1, of the first item of a
    batch."""
    rank = tensor.get_partial_shape().rank.get_length()
    if axis == 1 and rank > 2:  # picked before they are moved: a transposition would cost more
        first = opset.gather(tensor, np.int64(0), np.int64(0))
        rows = opset.reshape(first, np.array([channels, -1], np.int64), special_zero=False)
        return opset.transpose(_gathered(rows, 1), np.array([1, 0], np.int64))
    if axis != rank - 1:
        order = [*(i for i in range(rank) if i != axis), axis]
        tensor = opset.transpose(tensor, np.array(order, dtype=np.int64)).output(0)
    rows = opset.reshape(tensor, np.array([-1, channels], np.int64), special_zero=False)
    return _gathered(rows, 0)


def _gathered(rows: ov.Node, axis: int) -> ov.Node:
    """The points along an axis of a matrix."""
    size = rows.get_output_partial_shape(0)[axis]
    if size.is_static:  # few nodes: every one more takes time to compile
        places = opset.constant(np.floor(size.get_length() * _SPREAD).astype(np.int64))
    else:
        count = opset.gather(opset.shape_of(rows, "i64"), np.int64(axis), np.int64(0))
        spread = opset.multiply(opset.convert(count, "f64"), opset.constant(_SPREAD))
        places = opset.convert(opset.floor(spread), "i64")
        found = opset.convert(opset.gather(rows, places, np.int64(axis)), "f32")
        return opset.select(opset.equal(count, np.int64(0)), opset.constant(NOTHING), found)
    return opset.gather(rows, places, np.int64(axis))
