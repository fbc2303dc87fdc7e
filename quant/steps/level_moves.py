"""The levels of what depthwise layers read, moved by a part of a step.

Behind a Swish half of a channel's values lie within a step or two of its minimum, and neighbours
are alike: what rounding does to one it does to all that a kernel sums up, and in a depthwise layer
no other channel's error cancels it. So it matters where the levels lie. Each channel's are moved to
where rounding errs least, and the layer's bias makes up for the move. Zeros around the tensor lie
off the levels then, and their error counts as well. Layers that sum up channels are left alone:
moved levels make the errors of their channels alike.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.emulation import Stretch
from quant.fake_quantize import Levels
from quant.graph import Graph, Op
from quant.placement.tables import descriptor_type
from quant.plan import ActivationQuantizer, BiasSite, MinMaxPlan
from quant.runtime import ov
from quant.statistics.need import Need, Reduction, Statistics, by_tensor
from quant.steps.bias import add_to_bias, output_axis
from quant.steps.fast_bias import COARSE, inside_shares, points_need, shift_of, site
from quant.steps.pairs import is_padded
from quant.target import DEPTHWISE
from quant.work import Work

Array = NDArray[Any]

_MOVES = np.array([0, *range(-7, 0), *range(1, 9)], np.float32) / 16
"""Of a step; none comes first."""

_ERRORS = 2.5
"""Standard errors of a mean square by which a move has to lower it."""

_LEAST = 0.05
"""Of a layer's noise: less is not worth the time. Behind a Relu, OpenVINO's CPU plugin (2026.4.1)
needs one addition per value more for levels that zero is not among."""

_SPREAD = 0.8
"""Of the mean square of uniform errors over n values: its relative standard error is the root of
this over n. Source: the kurtosis of 1.8, less one."""

_SHIFTED = frozenset(
    {Reduction.POINTS, Reduction.MEAN, Reduction.MIN, Reduction.MAX}
    | {Reduction.LOW_QUANTILE, Reduction.HIGH_QUANTILE}
)
"""Statistics of channels that move as their values do; others stay what they are of the tensor."""


def sites(graph: Graph, activations: tuple[ActivationQuantizer, ...]) -> tuple[BiasSite, ...]:
    """The inputs of depthwise layers, where no others read a quantizer with a range per channel."""
    found: list[BiasSite] = []
    for quantizer in activations:
        if quantizer.channels is None or quantizer.scheme.bits > COARSE:
            continue
        ops = [graph.by_name[port.op] for port in quantizer.consumers]
        places = [site(graph, op) for op in ops if _is_known(graph, op)]
        known = [dataclasses.replace(each, quantizer=quantizer.name) for each in places if each]
        found += known if len(known) == len(ops) else []
    return tuple(found)


def _is_known(graph: Graph, op: Op) -> bool:
    """Whether an operation is a depthwise layer, and the share of zeros around its input known."""
    if descriptor_type(graph, op) != DEPTHWISE or not graph.is_constant(op.inputs[1]):
        return False
    sizes = (graph.shape(op.inputs[0]) or (None,))[1:]
    return None not in sizes or not is_padded(op)


def needs(plan: MinMaxPlan) -> Iterable[Need]:
    """The points of every layer's input."""
    return (points_need(plan.subset, each) for each in plan.movable)


def move(
    work: Work, plan: MinMaxPlan, levels: Mapping[str, Levels], statistics: Statistics
) -> Statistics:
    """Moves levels where that leaves less noise; returns what later steps see of the tensors.

    Args:
        levels: of all quantizers, by name.
    """
    replaced, asked = dict(statistics.replaced), by_tensor(statistics)
    layers: dict[str, list[BiasSite]] = {}
    for each in plan.movable:
        layers.setdefault(str(each.quantizer), []).append(each)
    count = 0
    for name, readers in layers.items():
        first, nodes = readers[0], [work.nodes[each.operation] for each in readers]
        points = statistics.of(points_need(plan.subset, first), first.operation)
        outside = max(1 - float(inside_shares(node).mean()) for node in nodes)
        found = levels[name].flat
        steps = np.clip((points - found.low) / found.scale, 0, found.levels - 1)
        power = sum(_power(node) for node in nodes) * np.square(found.scale)
        moved = best_moves(steps, outside, power) * found.scale
        if not moved.any():
            continue
        count += int(np.count_nonzero(moved))
        rank = nodes[0].input(0).get_partial_shape().rank.get_length()
        work.stretches[name] = Stretch(shift=moved.reshape(1, -1, *[1] * (rank - 2)))
        for each, node in zip(readers, nodes, strict=True):
            weights = node.input_value(1).get_node().data
            add_to_bias(node, output_axis(node), shift_of(node, weights, moved))
            replaced |= {
                (each.operation, need): statistics.of(need, each.operation) - moved
                for need in asked[each.tensor]
                if need.reduction in _SHIFTED and need.channel_axis == each.channel_axis
            }
    if count:
        total = sum(readers[0].channels for readers in layers.values())
        work.outcomes["levels moved"] = f"{count} of {total} channels"
    return dataclasses.replace(statistics, replaced=replaced)


def _power(node: ov.Node) -> Array:
    """What a depthwise layer makes of a unit of each channel's noise, `[C]`."""
    weights: Array = node.input_value(1).get_node().data
    squares = np.square(weights.reshape(len(weights), -1), dtype=np.float32)
    return np.asarray(squares.sum(axis=1))


def best_moves(points: Array, outside: float, power: Array) -> Array:
    """By how much to move the levels of each channel, `[C]` in steps, at most half of one; none
    where the layer gains too little.

    Args:
        points: some values of each channel in steps from the lowest level, `[N, C]`, within all.
        outside: the share of what a layer reads that is zeros around the tensor, whose error is the
            move itself.
        power: what the layer makes of each channel's noise, `[C]`.

    >>> float(best_moves(np.float32([[0.4], [0.6]] * 8), 0.0, np.ones(1))[0])
    0.5
    """
    noise = np.stack([_noise(points - move) + outside * move**2 for move in _MOVES])
    needed = 1 - _ERRORS * math.sqrt(_SPREAD / len(points))
    before, after = noise[0], noise.min(axis=0)
    is_better = after < needed * before
    gain = ((before - after) * is_better) @ power
    is_worthwhile = is_better & (gain > _LEAST * (before @ power))
    return np.where(is_worthwhile, _MOVES[noise.argmin(axis=0)], np.float32(0))


def _noise(values: Array) -> Array:
    """The mean square of the error that rounding makes of each channel."""
    error = np.rint(values)
    np.subtract(error, values, out=error)
    return np.asarray(np.square(error, out=error).mean(axis=0))
