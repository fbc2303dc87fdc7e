"""MinMaxQuantization: FakeQuantize operations where the target executes integers, ranged by
statistics."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant import advice
from quant.apart import apart_from_above
from quant.emulation import PLAIN, fake_quantize, quantizing
from quant.fake_quantize import Levels, activation_levels, halved, weight_levels
from quant.graph import Graph, Port
from quant.isa import saturates
from quant.joint_range import activation_range, weight_range
from quant.parameters import MAGNITUDES, Aggregator, Estimator, MinMaxParameters, SaturationFix
from quant.placement.place import place
from quant.placement.tables import LINEAR
from quant.plan import (
    ActivationQuantizer,
    Estimators,
    MinMaxPlan,
    OperationPlan,
    Side,
    Subset,
    WeightQuantizer,
)
from quant.scheme import Granularity
from quant.statistics.need import Need, Reduction, Statistics
from quant.steps import cell_inputs, level_moves, outside, saturating
from quant.target import Target
from quant.work import Work

Array = NDArray[Any]
Ranges = dict[str, tuple[Array, Array]]

_HIGH = {
    Estimator.MAX: Reduction.MAX,
    Estimator.ABS_MAX: Reduction.ABS_MAX,
    Estimator.QUANTILE: Reduction.HIGH_QUANTILE,
    Estimator.ABS_QUANTILE: Reduction.ABS_QUANTILE,
    Estimator.MSE: Reduction.MAX,
    Estimator.HISTOGRAM: Reduction.MAX,
}
_LOW = {
    **_HIGH,
    Estimator.MIN: Reduction.MIN,
    Estimator.QUANTILE: Reduction.LOW_QUANTILE,
    Estimator.MSE: Reduction.MIN,
    Estimator.HISTOGRAM: Reduction.MIN,
}
_MIRRORED = {Aggregator.MIN: Aggregator.MAX, Aggregator.MAX: Aggregator.MIN}


def quantization(
    graph: Graph,
    parameters: MinMaxParameters,
    target: Target,
    step: int,
    smoothed: frozenset[Port] = frozenset(),
) -> tuple[MinMaxPlan, tuple[OperationPlan, ...]]:
    """What will be inserted, and every operation's fate."""
    placement = place(graph, parameters, target, step, smoothed)
    fix = parameters.saturation_fix
    is_saturating = saturates(target.isa)
    if fix is SaturationFix.AUTO and not is_saturating:
        fix = SaturationFix.NO
    found = MinMaxPlan(
        subset=Subset.of(parameters),
        saturation_fix=fix,
        activations=placement.activations,
        weights=placement.weights,
        saturable=saturating.sites(graph, placement.weights) if is_saturating else (),
        watched=outside.sites(graph, placement.activations),
        movable=level_moves.sites(graph, placement.activations),
        cell_groups=cell_inputs.sites(graph, placement.activations, placement.weights),
    )
    return found, placement.operations


def plan(graph: Graph, parameters: MinMaxParameters, quantization: MinMaxPlan) -> MinMaxPlan:
    """What `quantization` found: the other steps' plans depend on it, so it is made first."""
    return quantization


def needs(plan: MinMaxPlan) -> Iterable[Need]:
    """Both sides of every activation quantizer's range, and all values' histogram where it takes
    that; constants are read without inference."""
    for quantizer in plan.activations:
        yield _need(plan, quantizer, quantizer.estimators.min, is_low=True)
        yield _need(plan, quantizer, quantizer.estimators.max, is_low=False)
        if advice.is_examined(quantizer):
            yield from advice.needs(plan, quantizer)
        if quantizer.estimators.is_joint:
            yield _histogram(plan, quantizer)
    yield from saturating.needs(plan)
    yield from outside.needs(plan)
    yield from level_moves.needs(plan)
    yield from cell_inputs.needs(plan)


def _need(plan: MinMaxPlan, quantizer: ActivationQuantizer, side: Side, *, is_low: bool) -> Need:
    per_channel = quantizer.scheme.granularity is Granularity.PERCHANNEL
    aggregator = side.aggregator
    if is_low and side.type in MAGNITUDES:  # which are negated once they are aggregated
        aggregator = _MIRRORED.get(aggregator, aggregator)
    return Need(
        tensor=quantizer.tensor,
        reduction=(_LOW if is_low else _HIGH)[side.type],
        aggregator=aggregator,
        subset=plan.subset,
        channel_axis=1 if per_channel else None,
        channels=quantizer.channels or 1,
        outlier_prob=side.outlier_prob,
    )


def _histogram(plan: MinMaxPlan, quantizer: ActivationQuantizer) -> Need:
    extreme = _need(plan, quantizer, quantizer.estimators.max, is_low=False)
    return dataclasses.replace(extreme, reduction=Reduction.HISTOGRAM)


def apply(work: Work, plan: MinMaxPlan, statistics: Statistics) -> Statistics:
    """Inserts the FakeQuantize operations and records their levels; statistics change where levels
    are moved."""
    ends = _ends(plan, work, statistics)
    factors = cell_inputs.scale(work, plan, ends, statistics)
    found = _levels(plan, _ranges(plan, work, ends, factors))
    after = level_moves.move(work, plan, found, statistics)
    work.saturation |= saturating.measure(work, plan, found, after)
    for quantizer in plan.weights:
        if _is_halved(quantizer, plan.saturation_fix, work):
            found[quantizer.name] = halved(found[quantizer.name])
            work.halved |= {port.op for port in quantizer.consumers}
        _insert(work, quantizer, found[quantizer.name])
    work.outcomes["saturation_fix"] = _outcome(plan, work)
    work.has_mixed_layers = _has_mixed_layers(plan, work)
    for activation in plan.activations:
        _insert(work, activation, _shaped(found[activation.name], activation, work))
    work.warnings += advice.asymmetric_advice(plan, work.levels, statistics)
    return after


def _has_mixed_layers(plan: MinMaxPlan, work: Work) -> bool:
    integer = {name for each in plan.activations for name in each.operations}
    readers = {port.op for each in plan.weights for port in each.consumers} - integer
    return any(work.nodes[name].get_type_name() in LINEAR for name in readers)


def _levels(plan: MinMaxPlan, ranges: Ranges) -> dict[str, Levels]:
    """Every quantizer's levels; a table's in a group with its rows are made as theirs."""
    found: dict[str, Levels] = {}
    rows = {each.group for each in plan.activations} - {None}
    for activation in plan.activations:
        ends = ranges[activation.group or activation.name]
        found[activation.name] = activation_levels(activation.scheme, *ends)
    for quantizer in plan.weights:
        make = activation_levels if quantizer.group in rows else weight_levels
        found[quantizer.name] = make(quantizer.scheme, *ranges[quantizer.group or quantizer.name])
    return found


def _ranges(plan: MinMaxPlan, work: Work, ends: Ranges, factors: Mapping[str, float]) -> Ranges:
    """Low and high per group, or per quantizer that has none: the widest of the members'.

    Args:
        ends: of the activations' tensors.
        factors: what quantizers divide by, if by anything.
    """
    found: Ranges = {}
    for quantizer in plan.activations:
        low, high = (end / factors.get(quantizer.name, 1.0) for end in ends[quantizer.name])
        if quantizer.covers is not None:
            low, high = np.minimum(low, quantizer.covers[0]), np.maximum(high, quantizer.covers[1])
        _widen(found, quantizer.group or quantizer.name, low, high)
    for constant in plan.weights:
        low, high = constant_range(constant, work.nodes[constant.constant].data)
        _widen(found, constant.group or constant.name, low, high)
    return found


def _ends(plan: MinMaxPlan, work: Work, statistics: Statistics) -> Ranges:
    """Low and high of every activation quantizer's tensor, as the estimators tell them."""
    found: Ranges = {}
    drawn_out, places = 0, {each.quantizer: each for each in plan.watched}
    for quantizer in plan.activations:
        sides, reader = quantizer.estimators, quantizer.operations[0]
        low = statistics.of(_need(plan, quantizer, sides.min, is_low=True), reader)
        high = statistics.of(_need(plan, quantizer, sides.max, is_low=False), reader)
        if sides.min.type in MAGNITUDES:
            low = -low
        if sides.is_joint:
            counts = statistics.of(_histogram(plan, quantizer), reader)
            low, high = activation_range(quantizer.scheme, sides.max.type, counts, low, high)
        place = places.get(quantizer.name)
        wide = outside.drawn_out(work, plan, quantizer, place, statistics, (low, high))
        drawn_out += not np.array_equal(wide, (low, high))
        found[quantizer.name] = _clipped(*wide, sides)
    if drawn_out:
        work.outcomes["ranges drawn out"] = f"{drawn_out} of {len(plan.activations)}"
    return found


def _widen(found: Ranges, key: str, low: Array, high: Array) -> None:
    if key in found:
        low, high = np.minimum(low, found[key][0]), np.maximum(high, found[key][1])
    found[key] = low, high


def _clipped(low: Array, high: Array, sides: Estimators) -> tuple[Array, Array]:
    """The range cut at the clipping values, before it is mirrored or aligned."""
    if sides.min.clipping_value is not None:
        low = np.maximum(low, sides.min.clipping_value)
    if sides.max.clipping_value is not None:
        high = np.minimum(high, sides.max.clipping_value)
    return low, high


def _shaped(levels: Levels, quantizer: ActivationQuantizer, work: Work) -> Levels:
    """The levels as scalars, or `[1, C, 1, ..]` where they are per channel."""
    shape: list[int] = []
    if quantizer.scheme.granularity is Granularity.PERCHANNEL:
        source = work.nodes[quantizer.tensor.op].output(quantizer.tensor.port)
        shape = [1, -1] + [1] * (source.get_partial_shape().rank.get_length() - 2)
    return dataclasses.replace(
        levels, low=levels.low.reshape(shape), high=levels.high.reshape(shape)
    )


def constant_range(quantizer: WeightQuantizer, weights: Array) -> tuple[Array, Array]:
    """The range of a constant, with the channel axes kept: `[O, 1, 1, 1]` for a convolution's."""
    axes = tuple(axis for axis in range(weights.ndim) if axis not in quantizer.channel_axes)
    sides = quantizer.estimators
    if sides.is_joint:
        return _clipped(*_joint_range(quantizer, weights), sides)
    low = _estimate(weights, sides.min, axes, is_low=True)
    high = _estimate(weights, sides.max, axes, is_low=False)
    if quantizer.gates > 1 and quantizer.channel_axes:
        low = _across_gates(low, quantizer, np.min)
        high = _across_gates(high, quantizer, np.max)
    return _clipped(low, high, sides)


def _joint_range(quantizer: WeightQuantizer, weights: Array) -> tuple[Array, Array]:
    """The range of a constant by an estimator of both sides; gates share theirs, so they are rows
    of the same channel."""
    kept = quantizer.channel_axes
    shape = [size if axis in kept else 1 for axis, size in enumerate(weights.shape)]
    channels = int(np.prod(shape))
    gates = quantizer.gates if kept else 1
    rows: Array = np.moveaxis(weights, kept, range(len(kept)))
    rows = np.moveaxis(rows.reshape(gates, channels // gates, -1), 0, 1)
    rows = rows.reshape(channels // gates, -1).astype(np.float32)
    found = weight_range(quantizer.scheme, quantizer.estimators.max.type, rows)
    low, high = (np.tile(end, gates).reshape(shape) for end in found)
    return low, high


def _across_gates(
    values: Array, quantizer: WeightQuantizer, extreme: Callable[..., Array]
) -> Array:
    """The widest of the gates for all of them, where the channel axis holds one gate after the
    other."""
    axis = quantizer.channel_axes[0]
    split = np.stack(np.split(values, quantizer.gates, axis=axis))
    return np.concatenate([extreme(split, axis=0)] * quantizer.gates, axis=axis)


def _is_halved(quantizer: WeightQuantizer, fix: SaturationFix, work: Work) -> bool:
    match fix:
        case SaturationFix.AUTO:
            risks = (work.saturation.get(port.op) for port in quantizer.consumers)
            return any(each is not None and each.is_risky for each in risks)
        case SaturationFix.ALL:
            return quantizer.is_saturable
        case SaturationFix.FIRST_LAYER:
            return quantizer.is_first_layer
        case _:
            return False


def _outcome(plan: MinMaxPlan, work: Work) -> str:
    """What the fix did, with the number of layers where the data decided."""
    if plan.saturation_fix is not SaturationFix.AUTO:
        return str(plan.saturation_fix)
    return f"auto: {len(work.halved)} of {len(work.saturation)} layers at risk"


def _estimate(weights: Array, side: Side, axes: tuple[int, ...], *, is_low: bool) -> Array:
    """One side of the range of constants over the given axes, which stay with size 1."""
    if side.type is Estimator.ABS_MAX:  # without a copy of the weights
        least, most = (each(weights, axis=axes, keepdims=True) for each in (np.min, np.max))
        largest = np.maximum(-least, most)
        return np.asarray(-largest if is_low else largest)
    if side.outlier_prob is not None:
        if side.type in MAGNITUDES:
            weights = -np.abs(weights) if is_low else np.abs(weights)
        share = side.outlier_prob if is_low else 1 - side.outlier_prob
        return np.asarray(np.quantile(weights, share, axis=axes, keepdims=True))
    return np.asarray((np.min if is_low else np.max)(weights, axis=axes, keepdims=True))


def _insert(work: Work, quantizer: ActivationQuantizer | WeightQuantizer, levels: Levels) -> None:
    """Puts one quantizer between a tensor and the input ports that are to read it.

    None where there are more levels than f32 can tell apart. Weights get a FakeQuantize of any
    number of levels, which becomes integers in the end.
    """
    work.levels[quantizer.name] = levels
    if not levels.is_executable:
        work.outcomes["int32"] = "left in f32, whose 24 bits can't tell 2^32 levels apart"
        return
    ports = [work.nodes[port.op].input(port.port) for port in quantizer.consumers]
    source = ports[0].get_source_output()
    stretch = work.stretches.get(quantizer.name, PLAIN)
    if isinstance(quantizer, WeightQuantizer):
        node = fake_quantize(source, levels, stretch)
    else:
        node = quantizing(apart_from_above(source, quantizer.name), levels, stretch)
    node.set_friendly_name(quantizer.name)
    for port in ports:
        port.replace_source_output(node.output(0))
    if any(port.get_node().get_type_name() == "Result" for port in ports):
        names = source.get_names()
        source.set_names(set())
        node.output(0).set_names(names)
    work.nodes[quantizer.name] = node
