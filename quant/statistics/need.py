"""What a step wants to know of a tensor, and the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.parameters import Aggregator
from quant.plan import Subset, TensorRef
from quant.statistics.distribution import bin_count

Array = NDArray[Any]


class Reduction(StrEnum):
    """What is taken of one sample's tensor, or of each of its channels."""

    MIN = "min"
    MAX = "max"
    ABS_MAX = "abs_max"
    MEAN = "mean"
    MEAN_SQUARE = "mean_square"
    LOW_QUANTILE = "low_quantile"
    HIGH_QUANTILE = "high_quantile"
    ABS_QUANTILE = "abs_quantile"
    HISTOGRAM = "histogram"
    POINTS = "points"


POINTS = 4
"""Positions of a tensor at which all channels are taken, for each sample."""


def values_per_channel(reduction: Reduction, channels: int) -> int:
    """How many numbers a reduction makes of each channel: two per bin of a histogram, one per
    point, else one."""
    if reduction is Reduction.POINTS:
        return POINTS
    return 2 * bin_count(channels) if reduction is Reduction.HISTOGRAM else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One statistic.

    `aggregator`: None keeps the value of every sample.

    `channel_axis`: the axis whose `channels` entries keep their own value; None: one value for the
    tensor. `outlier_prob`: the share that a quantile leaves outside, on its own side. Of a
    histogram, whatever the aggregator, all samples' counts and sums of the bins are added up.
    """

    tensor: TensorRef
    reduction: Reduction
    aggregator: Aggregator | None
    subset: Subset
    channel_axis: int | None = None
    channels: int = 1
    outlier_prob: float | None = None

    @property
    def length(self) -> int:
        """How many numbers the answer has."""
        return self.channels * values_per_channel(self.reduction, self.channels)


def of_extremes(need: Need, low: Array, high: Array) -> Array | None:
    """The answer `[need.length]` to a need of a range, from the extremes `[C]` of each channel over
    all samples, whatever the aggregator: nothing more is known of a tensor that a step has changed.

    None where no extremes answer it, such as means. Of a histogram nothing is left, which makes
    the range that of the extremes.
    """
    if need.channel_axis is None:
        low, high = low.min(keepdims=True), high.max(keepdims=True)
    match need.reduction:
        case Reduction.MIN | Reduction.LOW_QUANTILE:
            return low
        case Reduction.MAX | Reduction.HIGH_QUANTILE:
            return high
        case Reduction.ABS_MAX | Reduction.ABS_QUANTILE:
            return np.maximum(np.abs(low), np.abs(high))
        case Reduction.HISTOGRAM:
            return np.zeros(need.length)
        case _:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The answers: for each need an array `[channels]` of f64, and how many samples they come from.

    Without an aggregator: `[samples, channels]`. POINTS: `[samples * POINTS, channels]` of f32.

    `replaced`: answers that a step has changed for one operation, by its name and the need.
    """

    values: Mapping[Need, Array]
    sample_count: int
    replaced: Mapping[tuple[str, Need], Array] = field(default_factory=dict)

    def of(self, need: Need, operation: str) -> Array:
        """The answer as the named operation sees the tensor."""
        return self.replaced.get((operation, need), self.values[need])


def by_tensor(statistics: Statistics) -> dict[TensorRef, list[Need]]:
    """The needs that were answered, by their tensor."""
    found: dict[TensorRef, list[Need]] = {}
    for need in statistics.values:
        found.setdefault(need.tensor, []).append(need)
    return found
