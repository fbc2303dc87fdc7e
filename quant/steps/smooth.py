"""SmoothQuant: moves the spread between channels from activations into the weights that read them.

Where MatMuls read one tensor, channel c of it is divided by s[c] and row c of their weights
multiplied by it, with s = a^alpha / w^(1 - alpha) of the largest magnitudes a of the channel and
w of its weights.
Source: Xiao et al. 2023, "SmoothQuant", equation 4. Alpha is chosen per group from the
statistics: the one with the least expected noise at the MatMuls' outputs, or none where no alpha
lowers it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.graph import Graph, Op, Port, attributes
from quant.parameters import Aggregator, Overrides, SmoothParameters
from quant.placement.estimators import estimators
from quant.placement.tables import behind_matmuls
from quant.plan import ActivationQuantizer, MinMaxPlan, SmoothGroup, SmoothPlan, Subset, TensorRef
from quant.runtime import opset
from quant.statistics.need import Need, Reduction, Statistics, by_tensor, of_extremes
from quant.work import Work

Array = NDArray[Any]

ALPHAS = (0.15, 0.25, 0.35, 0.5, 0.65, 0.75, 0.85, 0.95)
"""Candidates for alpha. Source: the range that NNCF 3.4.0 and the paper search."""

_SMALLEST = 1e-5
"""Floor of magnitudes, so that dead channels have a finite scale. Source: NNCF 3.4.0."""

_LOW_QUANTILE = 0.1
"""Scales below this quantile are raised to it. Source: NNCF 3.4.0."""


def candidates(graph: Graph, parameters: SmoothParameters) -> frozenset[Port]:
    """The activation ports of MatMuls with a matrix of weights that nothing else reads."""
    if not parameters.separate:
        return frozenset()
    behind = behind_matmuls(graph)
    return frozenset(Port(op.index, 0) for op in graph.ops if _is_smoothable(graph, op, behind))


def _is_smoothable(graph: Graph, op: Op, behind: frozenset[int]) -> bool:
    """Whether a MatMul's activations may have a scale per channel.

    Not matrices that another MatMul computes: OpenVINO's CPU plugin (2026.4.1) computes garbage
    where it fuses such a quantizer into that one.
    """
    if (
        op.type != "MatMul"
        or not graph.is_constant(op.inputs[1])
        or graph.is_constant(op.inputs[0])
    ):
        return False
    weights = graph.shape(op.inputs[1])
    rank = graph.op(op.inputs[0]).ranks[op.inputs[0].port]
    is_matrix = weights is not None and len(weights) == 2 and rank is not None and rank >= 2
    if rank == 2 and op.inputs[0].op in behind:
        return False
    return (
        is_matrix and not attributes(op)["transpose_a"] and len(graph.consumers(op.inputs[1])) == 1
    )


def plan(graph: Graph, parameters: SmoothParameters, quantization: MinMaxPlan) -> SmoothPlan:
    """The groups of MatMuls and of convolutions, each on one tensor, that are quantized later."""
    behind = behind_matmuls(graph)
    groups = [
        _group(graph, quantizer.name, quantizer.operations)
        for quantizer in quantization.activations
        if quantizer.is_smoothed or _reads_directly(graph, quantizer, behind)
    ]
    return SmoothPlan(
        subset=Subset.of(parameters),
        alphas=ALPHAS if parameters.alpha is None else (parameters.alpha,),
        groups=tuple(groups),
    )


def _reads_directly(graph: Graph, quantizer: ActivationQuantizer, behind: frozenset[int]) -> bool:
    """Whether layers of one kind, with weights of their own, are all that reads a quantizer of 8
    bits per tensor whose scaling costs no operation.

    One with estimators that the user chose is left alone: of a scaled tensor only the extremes are
    known. So is the result of a Clamp, which bounds all channels alike: OpenVINO's CPU plugin
    (2026.4.1) multiplies behind it, where behind a Relu it scales the weights above.
    """
    if quantizer.group is not None or quantizer.channels is not None or quantizer.scheme.bits > 8:
        return False
    if quantizer.estimators != estimators(quantizer.scheme, None, Overrides()):
        return False
    if graph.by_name[quantizer.tensor.op].type == "Clamp":
        return False
    ops = [graph.by_name[port.op] for port in quantizer.consumers]
    if all(_is_smoothable(graph, op, behind) for op in ops):
        shape = graph.shape(ops[0].inputs[0])
        return shape is not None and (None not in shape or len(shape) == 2)
    return ops[0].inputs[0].op not in behind and all(
        op.type == "Convolution"
        and graph.is_constant(op.inputs[1])
        and len(graph.consumers(op.inputs[1])) == 1
        for op in ops
    )


def _group(graph: Graph, quantizer: str, operations: tuple[str, ...]) -> SmoothGroup:
    first = graph.by_name[operations[0]]
    tensor = first.inputs[0]
    rank = graph.op(tensor).ranks[tensor.port]
    weights = graph.shape(first.inputs[1])
    assert rank is not None
    assert weights is not None
    is_matmul = first.type == "MatMul"
    channels = weights[0 if is_matmul and not attributes(first)["transpose_b"] else 1]
    assert channels is not None  # constants have static shapes
    return SmoothGroup(
        quantizer=quantizer,
        tensor=TensorRef(graph.op(tensor).name, tensor.port),
        operations=operations,
        channel_axis=rank - 1 if is_matmul else 1,
        channels=channels,
    )


def needs(plan: SmoothPlan) -> Iterable[Need]:
    """The extremes and the mean square of every channel of the groups' tensors."""
    for group in plan.groups:
        yield from (_need(plan, group, reduction) for reduction in _AGGREGATORS)


_AGGREGATORS = {
    Reduction.MIN: Aggregator.MIN,
    Reduction.MAX: Aggregator.MAX,
    Reduction.MEAN_SQUARE: Aggregator.MEAN,
}


def _need(plan: SmoothPlan, group: SmoothGroup, reduction: Reduction) -> Need:
    return Need(
        tensor=group.tensor,
        reduction=reduction,
        aggregator=_AGGREGATORS[reduction],
        subset=plan.subset,
        channel_axis=group.channel_axis,
        channels=group.channels,
    )


def apply(work: Work, plan: SmoothPlan, statistics: Statistics) -> Statistics:
    """Smooths each group where that lowers the noise; returns statistics as they are after it."""
    replaced, asked = dict(statistics.replaced), by_tensor(statistics)
    for group in plan.groups:
        reader = group.operations[0]
        low, high, energy = (
            statistics.of(_need(plan, group, each), reader) for each in _AGGREGATORS
        )
        weights = [_rows(work, name) for name in group.operations]
        alpha, scale = best_scale(np.maximum(-low, high), energy, weights, plan.alphas)
        work.outcomes[f"smooth {group.quantizer}"] = "none" if alpha is None else f"alpha {alpha}"
        if alpha is not None:
            _absorb(work, group, scale)
            needs = asked[group.tensor]
            replaced |= _smoothed(group, needs, statistics, (low / scale, high / scale), scale)
    return Statistics(
        values=statistics.values, sample_count=statistics.sample_count, replaced=replaced
    )


def best_scale(
    peak: Array, energy: Array, weights: list[Array], alphas: tuple[float, ...]
) -> tuple[float | None, Array]:
    """The alpha with the least expected noise and its scales `[C]`; None and ones where none helps.

    Args:
        peak: largest magnitude of each channel, `[C]`.
        energy: mean square of each channel, `[C]`.
        weights: `[C_out, C, taps]` of every operation that reads the channels.
    """
    peak = np.maximum(peak, _SMALLEST)
    rows = [_Weights.of(each) for each in weights]
    largest = np.maximum(np.max([w.largest.max(axis=0) for w in rows], axis=0), _SMALLEST)
    found: tuple[float | None, Array] = (None, np.ones_like(peak))
    least = _noise(peak, energy, rows, found[1], limit=np.inf)
    for alpha in alphas:
        scale = peak**alpha / largest ** (1 - alpha)
        scale = np.maximum(scale, np.quantile(scale, _LOW_QUANTILE))
        noise = _noise(peak, energy, rows, scale, limit=least)
        if noise < least:
            least, found = noise, (alpha, scale)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weights:
    """What matters of weights `[C_out, C, taps]`: the largest magnitude for each pair of channels,
    `[C_out, C]`, and the sum of squares of each channel that is read, `[C]`."""

    largest: Array
    energy: Array
    taps: int

    @classmethod
    def of(cls, weights: Array) -> _Weights:
        outputs, channels, taps = weights.shape
        flat = weights.reshape(outputs, -1)
        magnitudes = np.abs(weights)
        largest = magnitudes[..., 0]
        for tap in range(1, taps):  # several times faster than over a short axis at once
            largest = np.maximum(largest, magnitudes[..., tap])
        energy = np.einsum("ox,ox->x", flat, flat).reshape(channels, taps).sum(axis=1)
        return cls(largest=largest, energy=energy, taps=taps)


_AT_ONCE = 1 << 17
"""How many weights are scaled at a time, so that they stay in the processor's cache."""


def _noise(
    peak: Array, energy: Array, weights: list[_Weights], scale: Array, limit: float
) -> float:
    """Expected squared error at the outputs, each rounding being uniform: a step's square over 12.

    Activations: one step for the tensor, over 8 bits. Weights: one step per output channel.

    Args:
        limit: no more is computed once the error is seen to be above it.
    """
    step = float((peak / scale).max()) / 127
    power = float((energy / scale**2).sum())
    factors = scale.astype(np.float32)
    total = sum(step**2 * float(scale**2 @ each.energy) / 12 for each in weights)
    for each in weights:
        count = max(_AT_ONCE // len(scale), 1)
        for start in range(0, len(each.largest), count):
            if total > limit:
                return total
            steps = (each.largest[start : start + count] * factors).max(axis=1) / 127
            total += float(steps @ steps) * power * each.taps / 12
    return total


def _rows(work: Work, name: str) -> Array:
    """An operation's weights as `[C_out, C_in, taps]`."""
    node = work.nodes[name]
    weights: Array = node.input_value(1).get_node().data
    if node.get_type_name() == "MatMul":
        weights = weights if node.get_attributes()["transpose_b"] else weights.T
    return weights.reshape(*weights.shape[:2], -1)


def _absorb(work: Work, group: SmoothGroup, scale: Array) -> None:
    """Divides the channels on the way in, and multiplies the weights that read them.

    The division is the quantizer's: its input range is per channel, its output range is not. It is
    an operation of its own only for tensors of dynamic shape with channels on another axis than 1,
    which OpenVINO's CPU plugin (2026.4.1) refuses to quantize so.
    """
    shape = work.nodes[group.tensor.op].output(group.tensor.port).get_partial_shape()
    rank = shape.rank.get_length()
    spread = scale.reshape([-1 if axis == group.channel_axis else 1 for axis in range(rank)])
    if shape.is_static or group.channel_axis == 1:
        work.scales[group.quantizer] = spread
    else:
        _divide(work, group, spread)
    for name in group.operations:
        node = work.nodes[name]
        constant = node.input_value(1).get_node()
        axis = 1 if node.get_type_name() != "MatMul" or node.get_attributes()["transpose_b"] else 0
        factor = scale.reshape([-1 if i == axis else 1 for i in range(constant.data.ndim)])
        changed = opset.constant(constant.data * factor.astype(constant.data.dtype))
        changed.set_friendly_name(constant.get_friendly_name())
        node.input(1).replace_source_output(changed.output(0))
        work.nodes[constant.get_friendly_name()] = changed


def _divide(work: Work, group: SmoothGroup, spread: Array) -> None:
    source = work.nodes[group.operations[0]].input_value(0)
    kind = source.get_element_type().to_dtype()
    divided = opset.multiply(source, opset.constant((1 / spread).astype(kind)))
    divided.set_friendly_name(f"{group.quantizer}/smooth")
    for name in group.operations:
        work.nodes[name].input(0).replace_source_output(divided.output(0))


def _smoothed(
    group: SmoothGroup,
    needs: Iterable[Need],
    statistics: Statistics,
    extremes: tuple[Array, Array],
    scale: Array,
) -> dict[tuple[str, Need], Array]:
    """What later steps asked of the tensor, as it is after smoothing, for the group's operations.

    Ranges become the extremes over the subset.
    """
    found: dict[tuple[str, Need], Array] = {}
    for need in needs:
        if need.channel_axis not in (None, group.channel_axis):
            continue  # of other readers, which take another axis for the channels
        new = of_extremes(need, *extremes)
        if new is None and need.channel_axis is not None:
            power = 2 if need.reduction is Reduction.MEAN_SQUARE else 1
            new = statistics.of(need, group.operations[0]) / scale**power
        if new is None:
            continue  # a mean of all channels, which none of the group's operations asks for
        found |= {(name, need): new for name in group.operations}
    return found
