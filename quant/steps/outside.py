"""Ranges that leave too many values outside, widened.

The mean of the samples' extremes clips what samples differ by: the whites of bright pictures, and
half of the samples' largest values. On 100,000 values a sample that is a share of 1e-5 or so, on a
pooled vector of 64 it is one value in a hundred. So where more of the values seen lie outside than
may, the range is drawn out to the value that leaves out just that share.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.graph import Graph
from quant.placement.estimators import OUTSIDE
from quant.placement.tables import LINEAR
from quant.plan import ActivationQuantizer, BiasSite, MinMaxPlan
from quant.scheme import Mode
from quant.statistics.need import POINTS, Need, Statistics
from quant.steps.fast_bias import points_need, rounded_by, site

Array = NDArray[Any]


def sites(graph: Graph, activations: tuple[ActivationQuantizer, ...]) -> tuple[BiasSite, ...]:
    """The tensors whose points tell what lies outside, each with its quantizer: those that linear
    operations read, whose points FastBiasCorrection takes as well, and others of few values.

    Whatever their scheme, so that one pass serves plans with other schemes, too.
    """
    linear = _linear(graph, activations)
    found = ((each, linear.get(each.name) or _small(graph, each)) for each in activations)
    return tuple(
        dataclasses.replace(place, quantizer=each.name)
        for each, place in found
        if place is not None
    )


def _linear(graph: Graph, activations: tuple[ActivationQuantizer, ...]) -> dict[str, BiasSite]:
    """What a linear operation reads through each quantizer, moved or joined on the way as it may
    be."""
    found: dict[str, BiasSite] = {}
    for name, quantizer in rounded_by(activations).items():
        op = graph.by_name[name]
        if op.type in LINEAR and graph.is_constant(op.inputs[1]):
            place = site(graph, op)
            if place is not None:
                found.setdefault(quantizer, place)
    return found


def _small(graph: Graph, quantizer: ActivationQuantizer) -> BiasSite | None:
    """A tensor of so few values that its largest one is a larger share than may lie outside."""
    op = graph.by_name[quantizer.tensor.op]
    sizes = list(op.node.output(quantizer.tensor.port).get_partial_shape())
    if len(sizes) < 2 or any(each.is_dynamic for each in sizes[1:]):
        return None
    if np.prod([each.get_length() for each in sizes[1:]]) > 1 / OUTSIDE:
        return None
    axis = len(sizes) - 1 if len(sizes) == 3 else 1
    return BiasSite(
        operation=quantizer.operations[0],
        tensor=quantizer.tensor,
        channel_axis=axis,
        channels=sizes[axis].get_length(),
    )


def needs(plan: MinMaxPlan) -> Iterable[Need]:
    """The points of every site."""
    return (points_need(plan.subset, each) for each in plan.watched)


def seen_points(plan: MinMaxPlan, statistics: Statistics) -> Mapping[str, Array]:
    """The values seen of each watched quantizer's tensor, by its name."""
    return {
        each.quantizer: _distinct(
            statistics.of(points_need(plan.subset, each), each.operation), each.channels
        )
        for each in plan.watched
        if each.quantizer is not None
    }


def _distinct(points: Array, channels: int) -> Array:
    """All values seen, without the positions that a tensor of fewer than POINTS repeats."""
    positions = points.reshape(-1, POINTS, channels).swapaxes(0, 1)
    kept = [
        each
        for i, each in enumerate(positions)
        if not any(np.array_equal(each, other) for other in positions[:i])
    ]
    return np.concatenate(kept).reshape(-1)


def widened(
    quantizer: ActivationQuantizer, low: Array, high: Array, seen: Array
) -> tuple[Array, Array]:
    """The range `[1]` drawn out where it leaves too many of the values seen outside, on a side.

    A symmetric range is set by the magnitudes, and `low` tells but its sign.
    """
    if quantizer.outside is None:
        return low, high
    count = int(quantizer.outside * len(seen))
    if quantizer.scheme.mode is Mode.SYMMETRIC:
        return low, np.maximum(high, np.partition(np.abs(seen), -1 - count)[-1 - count])
    ordered = np.partition(seen, (count, len(seen) - 1 - count))
    return np.minimum(low, ordered[count]), np.maximum(high, ordered[-1 - count])
