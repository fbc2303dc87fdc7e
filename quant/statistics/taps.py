"""The calibration model: the model with reductions at the tensors of interest and one output.

All reduced values of a sample leave the graph as one f32 vector, so that no Python object is made
per statistic and sample. A slot is a piece of that vector.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.parameters import Aggregator
from quant.placement.tables import is_nonnegative
from quant.runtime import opset, ov
from quant.statistics.distribution import histogram_node
from quant.statistics.need import POINTS, Need, Reduction, values_per_channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """One reduction in the graph: a need without its aggregator and subset."""

    op: str
    port: int
    reduction: Reduction
    channel_axis: int | None
    channels: int
    outlier_prob: float | None

    @property
    def length(self) -> int:
        """How many numbers it makes of a sample."""
        return self.channels * values_per_channel(self.reduction, self.channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where each tap's values stand in the vector; taps that are known to be zero have none.

    The first `length` values come from the graph. Behind them stand those that follow from these:
    the extremes of a tensor whose channels' extremes are there already, by the slots of the
    channels; and a zero.
    """

    slots: dict[Tap, slice]
    zeros: frozenset[Tap]
    length: int
    lowest: tuple[slice, ...] = ()
    highest: tuple[slice, ...] = ()

    def completed(self, values: NDArray[Any]) -> NDArray[Any]:
        """The graph's values with those behind them that follow."""
        low = [values[channels].min(initial=np.inf) for channels in self.lowest]
        high = [values[channels].max(initial=-np.inf) for channels in self.highest]
        return np.concatenate([values[: self.length], np.array([*low, *high, 0], np.float32)])


def tap(need: Need, reduction: Reduction) -> Tap:
    """The tap that serves a need through a reduction."""
    return Tap(
        op=need.tensor.op,
        port=need.tensor.port,
        reduction=reduction,
        channel_axis=need.channel_axis,
        channels=need.channels,
        outlier_prob=need.outlier_prob,
    )


def taps(need: Need) -> tuple[Tap, ...]:
    """The taps that a need lives on: a largest magnitude follows from minimum and maximum."""
    if need.reduction is Reduction.ABS_MAX:
        return tap(need, Reduction.MIN), tap(need, Reduction.MAX)
    return (tap(need, need.reduction),)


def calibration_model(model: ov.Model, needs: Iterable[Need]) -> tuple[ov.Model, Layout]:
    """A clone of the model whose only output is the vector of all taps' values, and its layout.

    Operations that no tap depends on are not executed.
    """
    clone = model.clone()
    nodes = {node.get_friendly_name(): node for node in clone.get_ordered_ops()}
    wanted = dict.fromkeys(each for need in needs for each in taps(need))
    zeros = frozenset(
        each
        for each in wanted
        if each.reduction is Reduction.MIN and _is_nonnegative(nodes[each.op])
    )
    following = _following(wanted)
    slots: dict[Tap, slice] = {}
    parts, start = [], 0
    for each in wanted:
        if each not in zeros and each not in following:
            parts.append(_reduced(nodes[each.op].output(each.port), each))
            slots[each] = slice(start, start + each.length)
            start += each.length
    layout = _with_following(Layout(slots=slots, zeros=zeros, length=start), following)
    if not parts:
        return clone, layout
    result = opset.result(opset.concat(parts, 0))
    return ov.Model([result], clone.get_sinks(), clone.get_parameters(), "calibration"), layout


def _following(wanted: Iterable[Tap]) -> dict[Tap, Tap]:
    """The extremes of whole tensors, with the taps of the channels that they follow from."""
    channels = {
        (each.op, each.port, each.reduction): each
        for each in wanted
        if each.reduction in _EXTREMES and each.channel_axis is not None
    }
    return {
        each: channels[key]
        for each in wanted
        if each.channel_axis is None and (key := (each.op, each.port, each.reduction)) in channels
    }


def _with_following(layout: Layout, following: dict[Tap, Tap]) -> Layout:
    """The layout with slots for the extremes that follow; those that are known to be zero do."""
    kinds = {
        kind: [tap for tap in following if tap.reduction is kind and tap not in layout.zeros]
        for kind in _EXTREMES
    }
    ordered = [each for kind in _EXTREMES for each in kinds[kind]]
    places = {tap: slice(i, i + 1) for i, tap in enumerate(ordered, start=layout.length)}
    spans = {kind: tuple(layout.slots[following[t]] for t in taps) for kind, taps in kinds.items()}
    return Layout(
        slots=layout.slots | places,
        zeros=layout.zeros,
        length=layout.length,
        lowest=spans[Reduction.MIN],
        highest=spans[Reduction.MAX],
    )


def _is_nonnegative(node: ov.Node) -> bool:
    return is_nonnegative(node.get_type_name(), node.get_attributes())


def _reduced(tensor: ov.Output, tap: Tap) -> ov.Node:
    """The tap's values as a vector of `length` f32 numbers."""
    if tap.reduction in (Reduction.LOW_QUANTILE, Reduction.HIGH_QUANTILE, Reduction.ABS_QUANTILE):
        values = _quantile(tensor, tap)
    elif tap.reduction is Reduction.HISTOGRAM:
        values = histogram_node(_rows(tensor, tap), tap.channels)
    elif tap.reduction is Reduction.POINTS:
        values = _points(tensor, tap)
    else:
        reduce = _REDUCE[tap.reduction]
        rank = tensor.get_partial_shape().rank.get_length()
        axes = [axis for axis in range(rank) if axis != _axis(tap, rank)]
        if tap.reduction is Reduction.MEAN_SQUARE:
            tensor = opset.multiply(tensor, tensor).output(0)
        values = reduce(tensor, np.array(axes, dtype=np.int64), keep_dims=False) if axes else tensor
    flat = values
    if not isinstance(values, ov.Node) or values.output(0).get_partial_shape().rank != 1:
        flat = opset.reshape(values, np.array([-1], dtype=np.int64), special_zero=False)
    return flat if tensor.get_element_type() == ov.Type.f32 else opset.convert(flat, "f32")


_EXTREMES = (Reduction.MIN, Reduction.MAX)
"""What follows for a tensor from what is known of its channels."""

_REDUCE = {
    Reduction.MIN: opset.reduce_min,
    Reduction.MAX: opset.reduce_max,
    Reduction.MEAN: opset.reduce_mean,
    Reduction.MEAN_SQUARE: opset.reduce_mean,
}


def _axis(tap: Tap, rank: int) -> int | None:
    return None if tap.channel_axis is None else tap.channel_axis % rank


def _quantile(tensor: ov.Output, tap: Tap) -> ov.Node:
    """The linearly interpolated quantile, from the largest (or smallest) values that TopK finds.

    With n values in order from the outside in, the quantile stands at position (n - 1) *
    outlier_prob.
    """
    assert tap.outlier_prob is not None
    rows = _rows(tensor, tap)
    if tap.reduction is Reduction.ABS_QUANTILE:
        rows = opset.absolute(rows)
    count = opset.gather(opset.shape_of(rows, "i64"), _int(1), _int(0))
    last = opset.subtract(count, _int(1))
    position = opset.multiply(
        opset.convert(last, "f64"), opset.constant(np.float64(tap.outlier_prob))
    )
    outer = opset.convert(opset.floor(position), "i64")
    inner = opset.minimum(opset.add(outer, _int(1)), last)
    mode = "min" if tap.reduction is Reduction.LOW_QUANTILE else "max"
    found = opset.topk(rows, opset.add(inner, _int(1)), 1, mode, "value").output(0)
    low, high = opset.gather(found, outer, _int(1)), opset.gather(found, inner, _int(1))
    share = opset.convert(opset.subtract(position, opset.floor(position)), "f32")
    return opset.add(low, opset.multiply(opset.subtract(high, low), share))


def _rows(tensor: ov.Output, tap: Tap) -> ov.Node:
    """The tensor as `[channels, values]` in f32."""
    rank = tensor.get_partial_shape().rank.get_length()
    axis = _axis(tap, rank)
    if axis is not None and axis != 0:
        order = [axis, *(i for i in range(rank) if i != axis)]
        tensor = opset.transpose(tensor, np.array(order, dtype=np.int64)).output(0)
    rows = opset.reshape(tensor, np.array([tap.channels, -1], dtype=np.int64), special_zero=False)
    return rows if tensor.get_element_type() == ov.Type.f32 else opset.convert(rows, "f32")


_SPREAD = np.modf(np.arange(1, POINTS + 1) * (5**0.5 - 1) / 2)[0]
"""Where the points lie, from 0 to 1: evenly, but on no grid. Source: the golden-ratio sequence."""


def _points(tensor: ov.Output, tap: Tap) -> ov.Node:
    """All channels at a few positions, `[POINTS, channels]`; where the channels are axis 1, of the
    first item of a batch."""
    rank = tensor.get_partial_shape().rank.get_length()
    axis = _axis(tap, rank)
    if axis == 1 and rank > 2:  # picked before they are moved: a transposition would cost more
        first = opset.gather(tensor, _int(0), _int(0))
        rows = opset.reshape(first, np.array([tap.channels, -1], np.int64), special_zero=False)
        return _picked(rows, 1)
    if axis != rank - 1:
        order = [*(i for i in range(rank) if i != axis), axis]
        tensor = opset.transpose(tensor, np.array(order, dtype=np.int64)).output(0)
    rows = opset.reshape(tensor, np.array([-1, tap.channels], np.int64), special_zero=False)
    return _picked(rows, 0)


def _picked(rows: ov.Node, axis: int) -> ov.Node:
    """The points along an axis of a matrix, which becomes the first one."""
    count = opset.gather(opset.shape_of(rows, "i64"), _int(axis), _int(0))
    places = opset.multiply(opset.convert(count, "f64"), opset.constant(_SPREAD))
    found = opset.gather(rows, opset.convert(opset.floor(places), "i64"), _int(axis))
    return opset.transpose(found, np.array([1, 0], np.int64)) if axis else found


def _int(value: int) -> ov.Node:
    return opset.constant(np.int64(value))


ONLINE = frozenset({Aggregator.MEAN, Aggregator.MAX, Aggregator.MIN})
"""Aggregators that need no sample's value again."""
