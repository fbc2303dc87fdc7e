"""Ranges that leave too many values outside, drawn out.

The mean of the samples' extremes clips what samples differ by: the whites of bright pictures, and
half of all samples' largest values. On 100,000 values a sample that is a share of 1e-5 or so, on a
pooled vector of 64 it is one value in a hundred, on a single number one in two. So where more of
the values lie outside than may, the range is drawn out to the value that leaves out just that
share. Single points tell, and of tensors with few values every sample's extremes as well. A wild
sample doubles a range at most. What few samples have not shown is drawn out to as well. Ranges of
16 bits hold twice what was seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.graph import Graph, Tensor
from quant.placement.estimators import FINE, PICTURE
from quant.placement.tables import CONVOLUTIONS, LINEAR
from quant.plan import ActivationQuantizer, BiasSite, MinMaxPlan
from quant.runtime import ov
from quant.scheme import Mode
from quant.statistics.need import POINTS, Need, Reduction, Statistics
from quant.steps import room
from quant.steps.fast_bias import COARSE, points_need, rounded_by, site
from quant.steps.room import Ends
from quant.work import Work

Array = NDArray[Any]

HEADROOM = 2.0
"""How far ranges of 16 bits and more reach, times what calibration has seen: it costs 6 of their 90
or so dB, and a value beyond the range all but 10 to 40."""


def sites(graph: Graph, activations: tuple[ActivationQuantizer, ...]) -> tuple[BiasSite, ...]:
    """Where the points of tensors are taken: at the linear operations that read them, moved or
    joined on the way as it may be, since FastBiasCorrection takes those as well; else at the
    tensors themselves, where they have few values or are pictures: of others that would cost more
    than it brings. Per channel or not, so that one pass serves plans with either."""
    found: dict[str, BiasSite] = {}
    for name, quantizer in rounded_by(activations).items():
        op = graph.by_name[name]
        if op.type in LINEAR and graph.is_constant(op.inputs[1]):
            place = site(graph, op)
            if place is not None:
                found.setdefault(quantizer, dataclasses.replace(place, quantizer=quantizer))
    for each in activations:
        if each.name not in found and each.scheme.bits <= COARSE:
            place = _itself(graph, each)
            if place is not None:
                found[each.name] = place
    return tuple(found.values())


def _itself(graph: Graph, quantizer: ActivationQuantizer) -> BiasSite | None:
    """A quantizer's own tensor, if its channels are known: on axis 1 of pictures, matrices and
    what convolutions read, on the last one of sequences."""
    op = graph.by_name[quantizer.tensor.op]
    shape = graph.shape(Tensor(op.index, quantizer.tensor.port))
    if shape is None or len(shape) < 2:
        return None
    readers = (graph.by_name[name].type for name in quantizer.operations)
    axis = 2 if len(shape) == 3 and CONVOLUTIONS.isdisjoint(readers) else 1
    channels = shape[axis]
    if channels is None or (quantizer.few is None and channels > PICTURE):
        return None
    return BiasSite(
        operation=quantizer.operations[0],
        tensor=quantizer.tensor,
        channel_axis=axis,
        channels=channels,
        quantizer=quantizer.name,
    )


def needs(plan: MinMaxPlan) -> Iterable[Need]:
    """The points of every site, every sample's extremes of tensors with few values, and what tells
    the reach of channels that have ranges of their own."""
    yield from (points_need(plan.subset, each) for each in plan.watched)
    for quantizer in plan.activations:
        if quantizer.scheme.bits >= FINE:
            continue
        if quantizer.channels is None and quantizer.few is not None:
            yield from _extremes(plan, quantizer)
        elif quantizer.channels is not None and quantizer.outside is not None:
            yield from _of_channels(plan, quantizer, quantizer.channels)


def _of_channels(plan: MinMaxPlan, quantizer: ActivationQuantizer, channels: int) -> Iterable[Need]:
    return room.needs(quantizer.tensor, plan.subset, 1, channels)


def _extremes(plan: MinMaxPlan, quantizer: ActivationQuantizer) -> tuple[Need, Need]:
    low, high = (
        Need(tensor=quantizer.tensor, reduction=each, aggregator=None, subset=plan.subset)
        for each in (Reduction.MIN, Reduction.MAX)
    )
    return low, high


def drawn_out(
    work: Work,
    plan: MinMaxPlan,
    quantizer: ActivationQuantizer,
    place: BiasSite | None,
    statistics: Statistics,
    ends: Ends,
) -> Ends:
    """The range, `[1]` or `[C]`, drawn out where it leaves too much outside on a side.

    A symmetric range is set by the magnitudes, and its low end tells but its sign.

    Args:
        place: where the tensor's points are taken.
        ends: the range's.
    """
    if quantizer.outside is None:
        return ends
    tensor = work.nodes[quantizer.tensor.op].output(quantizer.tensor.port)
    low, high = ends
    is_symmetric = quantizer.scheme.mode is Mode.SYMMETRIC
    if quantizer.scheme.bits >= FINE:
        if is_symmetric:
            return low, np.minimum(HEADROOM * high, np.maximum(high, _farthest(tensor)))
        return room.within((HEADROOM * low, HEADROOM * high), ends, tensor)
    if quantizer.channels is None:
        for least, most, count in _seen(plan, quantizer, place, statistics):
            high = np.maximum(high, _beyond(most, count, high))
            if is_symmetric:
                high = np.maximum(high, _beyond(-least, count, high))
            else:
                low = -np.maximum(-low, _beyond(-least, count, -low))
    for bottom, top in _expected(plan, quantizer, statistics, tensor):
        high = np.maximum(high, np.maximum(top, -bottom) if is_symmetric else top)
        low = low if is_symmetric else np.minimum(low, bottom)
    return low, high


def _farthest(tensor: ov.Output) -> float:
    """The largest magnitude that a tensor's values may have."""
    least, most = room.bounds(tensor)
    return max(-least, most)


def _expected(
    plan: MinMaxPlan, quantizer: ActivationQuantizer, statistics: Statistics, tensor: ov.Output
) -> Iterable[Ends]:
    """What new samples are expected to reach: each channel that has a range of its own, or the
    whole of a tensor with few values."""
    if quantizer.channels is not None:
        asked = _of_channels(plan, quantizer, quantizer.channels)
        yield room.reach(asked, statistics, quantizer.operations[0], tensor)
    elif quantizer.few is not None:
        lows, highs, count = _of_samples(plan, quantizer, statistics)
        low, high = (np.array([end]) for end in (-reached(-lows, count), reached(highs, count)))
        if np.isfinite([low, high]).all():
            usual = lows.mean(axis=0), highs.mean(axis=0)
            further = room.extended((low, high), usual, len(lows), quantizer.few)
            yield room.within(further, (low, high), tensor)


def _seen(
    plan: MinMaxPlan,
    quantizer: ActivationQuantizer,
    place: BiasSite | None,
    statistics: Statistics,
) -> Iterable[tuple[Array, Array, int]]:
    """What tells the low and the high end, a row for each sample, and how many values may lie
    outside."""
    share = quantizer.outside or 0
    if place is not None:
        points = statistics.of(points_need(plan.subset, place), place.operation)
        rows = points.reshape(-1, POINTS * place.channels)
        yield rows, rows, int(share * rows.size)
    if quantizer.few is not None:
        yield _of_samples(plan, quantizer, statistics)


def _of_samples(
    plan: MinMaxPlan, quantizer: ActivationQuantizer, statistics: Statistics
) -> tuple[Array, Array, int]:
    """Every sample's extremes, `[samples, 1]`, and how many values may lie outside."""
    found = (statistics.of(each, quantizer.operations[0]) for each in _extremes(plan, quantizer))
    low, high = (each.reshape(-1, 1) for each in found)
    return low, high, int((quantizer.outside or 0) * (quantizer.few or 0) * len(high))


def _beyond(seen: Array, count: int, end: Array) -> float:
    """What is reached, where any value lies beyond the end."""
    return reached(seen, count) if seen.max() > end.max() else -np.inf


def reached(seen: Array, count: int) -> float:
    """The largest of the values but for `count`; where one sample reaches more than twice as far as
    the others let expect, twice that.

    Args:
        seen: a row for each sample.

    >>> reached(np.array([[1.0, 2], [4, 0], [3, 0]]), 0), reached(np.array([[1.0], [90], [2]]), 0)
    (4.0, 4.0)
    """
    others = np.delete(seen, seen.max(axis=1).argmax(), axis=0).reshape(-1)
    if others.size <= count:
        return -np.inf
    expected = float(np.partition(others, -1 - count)[-1 - count])
    whole = float(np.partition(seen.reshape(-1), -1 - count)[-1 - count])
    return min(whole, max(2 * expected, 0))
