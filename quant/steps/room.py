"""How far ranges reach beyond what calibration has seen.

The largest value of a channel differs from sample to sample, and new samples go beyond all that
were seen, the more so the fewer those are. Where the samples' largest values follow Gumbel's
distribution, as those of many values do in the end, the largest of n samples lies ln(n) of its
scales above their mean. That tells the scale, and with it what the largest of more would be.
Source: Gumbel 1958, "Statistics of Extremes".

What one or no sample has moved, as a column for a rare category or a unit that seldom fires, will
move one day as others do. SmoothQuant would give it steps of next to nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from quant.parameters import Aggregator
from quant.plan import Subset, TensorRef
from quant.runtime import ov
from quant.statistics.need import Need, Reduction, Statistics

Array = NDArray[np.float64]
Ends = tuple[Array, Array]

ENOUGH = 2000
"""Values after which what is still unseen costs less than the wider steps would. More is better for
normal and wider distributions, less for bounded ones (docs/choices.md)."""

LEAST = 0.05
"""Share of a range below which it stays as it is: what a Tanh bounds hardly scatters, and many of
its values lie at the very ends, which are levels now."""

_UNKNOWN = 32
"""Positions along an axis of unknown size, as words of a sentence."""

_SIDES = (Reduction.MIN, Aggregator.MIN), (Reduction.MAX, Aggregator.MAX)


def needs(tensor: TensorRef, subset: Subset, axis: int, channels: int) -> Iterable[Need]:
    """The extremes of every channel, over all samples and of each on average."""
    for reduction, aggregator in _SIDES:
        extreme = Need(
            tensor=tensor,
            reduction=reduction,
            aggregator=aggregator,
            subset=subset,
            channel_axis=axis,
            channels=channels,
        )
        yield extreme
        yield dataclasses.replace(extreme, aggregator=Aggregator.MEAN)


def reach(asked: Iterable[Need], statistics: Statistics, reader: str, values: int) -> Ends:
    """Both ends `[C]` of what each channel is expected to reach, from the answers to `needs`.

    Args:
        values: of a channel, in a sample.
    """
    wanted = tuple(asked)
    low, usual_low, high, usual_high = (statistics.of(each, reader) for each in wanted)
    samples = min(statistics.sample_count, wanted[0].subset.size or statistics.sample_count)
    return extended((low, high), (usual_low, usual_high), samples, values)


def extended(ends: Ends, usual: Ends, samples: int, values: int) -> Ends:
    """Both ends of what `ENOUGH` values would reach.

    All channels get the same share of their width: few samples tell little of a single one. Those
    that stand still but for k samples get an end of 1 / (1 + k) of the others' at least. A sample
    counts as the square root of its values: neighbours are alike.

    Args:
        ends: of all samples' values, `[C]`.
        usual: the means of each sample's own, `[C]`.
        values: of a channel, in a sample.

    >>> ends, usual = (np.float64([0, 0]), np.float64([4, 0])), (np.zeros(2), np.float64([1, 0]))
    >>> [end.round(2).tolist() for end in extended(ends, usual, samples=20, values=1)]
    [[0.0, 0.0], [8.61, 4.0]]
    """
    seen = samples * math.sqrt(values)
    low, high = ends
    width = high - low
    is_live = width > 0
    if seen >= ENOUGH or not is_live.any():
        return ends
    scales = math.log(ENOUGH / seen) / math.log(samples) if samples > 1 else 0.0
    out: list[Array] = []
    for sign, end, mean in ((-1, low, usual[0]), (1, high, usual[1])):
        scatter = np.divide(np.abs(end - mean), width, out=np.ones_like(width), where=is_live)
        share = scales * float(scatter[is_live].mean())
        wider = end + sign * (share if share >= LEAST else 0.0) * width
        moved = samples * (1 - scatter)
        others = np.median(end[is_live]) / (1 + moved)
        out.append(sign * np.maximum(sign * wider, sign * others))
    return out[0], out[1]


def positions(tensor: ov.Output, axis: int) -> int:
    """How many values of a channel a sample has; axis 0, if it is not the channels', is a batch."""
    shape = tensor.get_partial_shape()
    places = [shape[i] for i in range(1, len(shape)) if i != axis % len(shape)]
    return math.prod(each.get_length() if each.is_static else _UNKNOWN for each in places)
