"""Ranges that leave too many values outside, drawn out.

The mean of the samples' extremes clips what samples differ by: the whites of bright pictures, and
half of all samples' largest values. On 100,000 values a sample that is a share of 1e-5 or so, on a
pooled vector of 64 it is one value in a hundred, on a single number one in two. So where more of
the values lie outside than may, the range is drawn out to the value that leaves out just that
share. Of tensors with few values every sample's extremes tell; of others that linear operations
read, single points. A wild sample doubles a range at most.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.graph import Graph
from quant.placement.tables import LINEAR
from quant.plan import ActivationQuantizer, BiasSite, MinMaxPlan
from quant.scheme import Mode
from quant.statistics.need import POINTS, Need, Reduction, Statistics
from quant.steps.fast_bias import points_need, rounded_by, site

Array = NDArray[Any]


def sites(graph: Graph, activations: tuple[ActivationQuantizer, ...]) -> tuple[BiasSite, ...]:
    """What linear operations read through quantizers of tensors that have not few values, moved or
    joined on the way as it may be; FastBiasCorrection takes the points of the same."""
    quantizers = {each.name: each for each in activations}
    found: dict[str, BiasSite] = {}
    for name, quantizer in rounded_by(activations).items():
        op = graph.by_name[name]
        if quantizers[quantizer].few is not None or quantizer in found:
            continue
        if op.type in LINEAR and graph.is_constant(op.inputs[1]):
            place = site(graph, op)
            if place is not None:
                found[quantizer] = dataclasses.replace(place, quantizer=quantizer)
    return tuple(found.values())


def needs(plan: MinMaxPlan) -> Iterable[Need]:
    """The points of every site, and every sample's extremes of tensors with few values."""
    yield from (points_need(plan.subset, each) for each in plan.watched)
    for quantizer in plan.activations:
        if quantizer.few is not None:
            yield from _extremes(plan, quantizer)


def _extremes(plan: MinMaxPlan, quantizer: ActivationQuantizer) -> tuple[Need, Need]:
    low, high = (
        Need(tensor=quantizer.tensor, reduction=each, aggregator=None, subset=plan.subset)
        for each in (Reduction.MIN, Reduction.MAX)
    )
    return low, high


def drawn_out(
    plan: MinMaxPlan,
    quantizer: ActivationQuantizer,
    statistics: Statistics,
    low: Array,
    high: Array,
) -> tuple[Array, Array]:
    """The range `[1]`, drawn out where it leaves too much outside on a side.

    A symmetric range is set by the magnitudes, and `low` tells but its sign.
    """
    if quantizer.outside is None:
        return low, high
    least, most = _ends(plan, quantizer, statistics)
    if quantizer.scheme.mode is Mode.SYMMETRIC:
        return low, np.maximum(high, np.maximum(-least, most))
    return np.minimum(low, least), np.maximum(high, most)


def _ends(
    plan: MinMaxPlan, quantizer: ActivationQuantizer, statistics: Statistics
) -> tuple[float, float]:
    """What at least the range has to hold; (inf, -inf) where nothing is known."""
    share = quantizer.outside or 0
    if quantizer.few is not None:
        reader = quantizer.operations[0]
        rows = (statistics.of(each, reader) for each in _extremes(plan, quantizer))
        low, high = (each.reshape(-1, 1) for each in rows)
        count = int(share * quantizer.few * len(high))
        return -reached(-low, count), reached(high, count)
    for place in plan.watched:
        if place.quantizer == quantizer.name:
            points = statistics.of(points_need(plan.subset, place), place.operation)
            seen = points.reshape(-1, POINTS * place.channels)
            count = int(share * seen.size)
            return -reached(-seen, count), reached(seen, count)
    return np.inf, -np.inf


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
