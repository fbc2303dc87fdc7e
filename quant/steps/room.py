"""How far ranges reach beyond what calibration has seen.

The largest value of a channel differs from sample to sample, and new samples go beyond all that
were seen, the more so the fewer those are. Where the samples' largest values follow Gumbel's
distribution, as those of many values do in the end, the largest of n samples lies ln(n) of its
scales above their mean. That tells the scale, and with it what the largest of more would be.
Source: Gumbel 1958, "Statistics of Extremes".
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

    All channels get the same share of their width: few samples tell little of a single one. A
    sample counts as the square root of its values: neighbours are alike.

    Args:
        ends: of all samples' values, `[C]`.
        usual: the means of each sample's own, `[C]`.
        values: of a channel, in a sample.

    >>> ends, usual = (np.float64([0]), np.float64([4])), (np.float64([0]), np.float64([1]))
    >>> [float(end[0].round(2)) for end in extended(ends, usual, samples=20, values=1)]
    [0.0, 8.61]
    """
    seen = samples * math.sqrt(values)
    low, high = ends
    width = high - low
    is_live = width > 0
    if samples < 2 or seen >= ENOUGH or not is_live.any():
        return ends
    scatter = (
        np.mean(each[is_live] / width[is_live]) for each in (usual[0] - low, high - usual[1])
    )
    shares = (math.log(ENOUGH / seen) / math.log(samples) * each for each in scatter)
    below, above = (each if each >= LEAST else 0.0 for each in shares)
    return low - below * width, high + above * width


def positions(tensor: ov.Output, axis: int) -> int:
    """How many values of a channel a sample has; axis 0, if it is not the channels', is a batch."""
    shape = tensor.get_partial_shape()
    places = [shape[i] for i in range(1, len(shape)) if i != axis % len(shape)]
    return math.prod(each.get_length() if each.is_static else _UNKNOWN for each in places)
