"""SmoothQuant: moves the spread between channels from activations into the weights that read them.

Where layers read one tensor, channel c of it is divided by s[c] and column c of their weights
multiplied by it, with s = a^alpha / w^(1 - alpha) of the largest magnitudes a of the channel and
w of its weights. Where nothing is padded, the middle m[c] of the channel is taken off first, and
goes into the layers' biases: a symmetric range has no levels then that one-sided channels, such as
a Swish's or a Gelu's, never use.
Source: Xiao et al. 2023, "SmoothQuant", equation 4; Wei et al. 2023, "Outlier Suppression+",
equation 3 for the shift. Both are chosen per group from the statistics: those with the least
expected noise at the layers' outputs, or none where none lowers it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.emulation import Stretch
from quant.graph import Graph, Op, Port, Tensor, attributes
from quant.parameters import Aggregator, Overrides, SmoothParameters
from quant.placement.estimators import estimators
from quant.placement.fused import is_reduced, takes_channels
from quant.placement.tables import behind_matmuls
from quant.plan import ActivationQuantizer, MinMaxPlan, SmoothGroup, SmoothPlan, Subset, TensorRef
from quant.runtime import opset, ov
from quant.statistics.need import Need, Reduction, Statistics, by_tensor
from quant.steps import room
from quant.steps.alignment import NONE, Alignment, Channels
from quant.steps.alphas import ALPHAS, best_smoothing
from quant.steps.bias import add_to_bias, output_axis
from quant.steps.fast_bias import points_need
from quant.steps.pairs import is_padded
from quant.work import Work

Array = NDArray[Any]


def candidates(graph: Graph, parameters: SmoothParameters) -> frozenset[Port]:
    """The activation ports of MatMuls with a matrix of weights that nothing else reads."""
    if not parameters.separate:
        return frozenset()
    behind = behind_matmuls(graph)
    return frozenset(Port(op.index, 0) for op in graph.ops if _is_smoothable(graph, op, behind))


def _is_smoothable(graph: Graph, op: Op, behind: frozenset[int]) -> bool:
    """Whether a MatMul's activations may have a scale per channel.

    Not matrices that another MatMul computes, nor what some reductions do: OpenVINO's CPU plugin
    (2026.4.1) computes garbage where it fuses such a quantizer, or a scaling, into those. It fuses
    none into MatMuls of rank 4, and is slower by a quarter on a ConvNeXt then.
    """
    if (
        op.type != "MatMul"
        or not graph.is_constant(op.inputs[1])
        or graph.is_constant(op.inputs[0])
    ):
        return False
    weights = graph.shape(op.inputs[1])
    rank = graph.op(op.inputs[0]).ranks[op.inputs[0].port]
    is_matrix = weights is not None and len(weights) == 2
    if rank is None or rank < 2 or (rank != 3 and op.inputs[0].op in behind):
        return False
    return (
        is_matrix
        and not attributes(op)["transpose_a"]
        and len(graph.consumers(op.inputs[1])) == 1
        and not is_reduced(graph, op.inputs[0], rank - 1)
    )


def _is_stretchable(graph: Graph, tensor: Tensor, axis: int) -> bool:
    """Whether a quantizer of a tensor can stretch its channels itself, at no cost.

    OpenVINO's CPU plugin (2026.4.1) refuses to quantize tensors of dynamic shape so, unless their
    channels are on axis 1.
    """
    shape = graph.shape(tensor)
    is_static = shape is not None and None not in shape
    return (is_static or axis == 1) and takes_channels(graph, tensor, axis)


def plan(graph: Graph, parameters: SmoothParameters, quantization: MinMaxPlan) -> SmoothPlan:
    """The groups of MatMuls and of convolutions, each on one tensor, that are quantized later."""
    behind = behind_matmuls(graph)
    groups = [
        _group(graph, quantizer)
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
    tensor = ops[0].inputs[0]
    if all(_is_smoothable(graph, op, behind) for op in ops):
        return _is_stretchable(graph, tensor, (graph.op(tensor).ranks[tensor.port] or 0) - 1)
    return (
        tensor.op not in behind
        and not is_reduced(graph, tensor, 1)
        and all(
            op.type == "Convolution"
            and graph.is_constant(op.inputs[1])
            and len(graph.consumers(op.inputs[1])) == 1
            for op in ops
        )
    )


def _group(graph: Graph, quantizer: ActivationQuantizer) -> SmoothGroup:
    ops = [graph.by_name[name] for name in quantizer.operations]
    first = ops[0]
    tensor = first.inputs[0]
    rank = graph.op(tensor).ranks[tensor.port]
    weights = graph.shape(first.inputs[1])
    assert rank is not None
    assert weights is not None
    is_matmul = first.type == "MatMul"
    channels = weights[0 if is_matmul and not attributes(first)["transpose_b"] else 1]
    assert channels is not None  # constants have static shapes
    axis = rank - 1 if is_matmul else 1
    is_stretched = _is_stretchable(graph, tensor, axis)
    return SmoothGroup(
        quantizer=quantizer.name,
        tensor=TensorRef(graph.op(tensor).name, tensor.port),
        operations=quantizer.operations,
        channel_axis=axis,
        channels=channels,
        scheme=quantizer.scheme,
        is_open=quantizer.outside is not None,
        is_stretched=is_stretched,
        is_shifted=is_stretched
        and not any(op.type == "Convolution" and is_padded(op) for op in ops),
    )


def needs(plan: SmoothPlan) -> Iterable[Need]:
    """What tells the reach and the mean of every channel of the groups' tensors, and points."""
    for group in plan.groups:
        yield from _extremes(plan, group)
        yield _mean(plan, group)
        yield points_need(plan.subset, group)


def _extremes(plan: SmoothPlan, group: SmoothGroup) -> Iterable[Need]:
    return room.needs(group.tensor, plan.subset, group.channel_axis, group.channels)


def _mean(plan: SmoothPlan, group: SmoothGroup) -> Need:
    return Need(
        tensor=group.tensor,
        reduction=Reduction.MEAN,
        aggregator=Aggregator.MEAN,
        subset=plan.subset,
        channel_axis=group.channel_axis,
        channels=group.channels,
    )


def apply(work: Work, plan: SmoothPlan, statistics: Statistics) -> Statistics:
    """Smooths each group where that lowers the noise; returns statistics as they are after it."""
    replaced, asked = dict(statistics.replaced), by_tensor(statistics)
    for group in plan.groups:
        channels = _channels(work, plan, group, statistics)
        weights = [_rows(work, name) for name in group.operations]
        found = best_smoothing(group, channels, weights, plan.alphas)
        work.outcomes[f"smooth {group.quantizer}"] = found.name
        if found.name != NONE:
            _absorb(work, group, found, weights)
            replaced |= _smoothed(group, asked[group.tensor], statistics, channels, found)
    return Statistics(
        values=statistics.values, sample_count=statistics.sample_count, replaced=replaced
    )


def _channels(work: Work, plan: SmoothPlan, group: SmoothGroup, statistics: Statistics) -> Channels:
    """What is known of a group's tensor; the points tell how its channels vary, which takes another
    look at the whole tensor otherwise."""
    reader = group.operations[0]
    tensor = work.nodes[group.tensor.op].output(group.tensor.port)
    asked = _extremes(plan, group)
    low, high = room.reach(asked, statistics, reader, tensor, is_open=group.is_open)
    mean = statistics.of(_mean(plan, group), reader)
    points = statistics.of(points_need(plan.subset, group), reader)
    return Channels(
        low=low, high=high, mean=mean, mean_square=mean**2 + points.var(axis=0, dtype=np.float64)
    )


def _rows(work: Work, name: str) -> Array:
    """An operation's weights as `[C_out, C_in, taps]`."""
    node = work.nodes[name]
    weights: Array = node.input_value(1).get_node().data
    if node.get_type_name() == "MatMul":
        weights = weights if node.get_attributes()["transpose_b"] else weights.T
    return weights.reshape(*weights.shape[:2], -1)


def _absorb(work: Work, group: SmoothGroup, found: Alignment, weights: list[Array]) -> None:
    """Stretches the channels on the way in, and has the layers that read them make up for it.

    The quantizer stretches them: its input range is per channel, its output range is not. Where it
    can't, a division is an operation of its own.
    """
    shape = work.nodes[group.tensor.op].output(group.tensor.port).get_partial_shape()
    spread = [-1 if axis == group.channel_axis else 1 for axis in range(shape.rank.get_length())]
    factor, shift = found.factor.reshape(spread), found.shift.reshape(spread)
    if group.is_stretched:
        work.stretches[group.quantizer] = Stretch(factor=factor, shift=shift)
    else:
        _divide(work, group, factor)
    for name, rows in zip(group.operations, weights, strict=True):
        node = work.nodes[name]
        if found.shift.any():
            kind = np.result_type(rows.dtype, np.float32)
            taps = np.repeat(found.shift, rows.shape[2]).astype(kind)
            add_to_bias(node, output_axis(node), rows.reshape(len(rows), -1) @ taps)
        _multiply(work, node, found.factor)


def _multiply(work: Work, node: ov.Node, factor: Array) -> None:
    """Multiplies a layer's weights by input channel."""
    constant = node.input_value(1).get_node()
    axis = 1 if node.get_type_name() != "MatMul" or node.get_attributes()["transpose_b"] else 0
    shape = [-1 if i == axis else 1 for i in range(constant.data.ndim)]
    scaled = constant.data * factor.reshape(shape).astype(constant.data.dtype)
    changed = opset.constant(scaled, shared_memory=True)  # which holds the array
    changed.set_friendly_name(constant.get_friendly_name())
    node.input(1).replace_source_output(changed.output(0))
    work.nodes[constant.get_friendly_name()] = changed


def _divide(work: Work, group: SmoothGroup, factor: Array) -> None:
    source = work.nodes[group.operations[0]].input_value(0)
    kind = source.get_element_type().to_dtype()
    divided = opset.multiply(source, opset.constant((1 / factor).astype(kind)))
    divided.set_friendly_name(f"{group.quantizer}/smooth")
    for name in group.operations:
        work.nodes[name].input(0).replace_source_output(divided.output(0))


def _smoothed(
    group: SmoothGroup,
    needs: Iterable[Need],
    statistics: Statistics,
    channels: Channels,
    smoothing: Alignment,
) -> dict[tuple[str, Need], Array]:
    """What later steps asked of the tensor, as it is after smoothing, for the group's operations.

    Ranges become what the channels are expected to reach.
    """
    after = channels.changed(smoothing.shift, smoothing.factor)
    found: dict[tuple[str, Need], Array] = {}
    for need in needs:
        if need.channel_axis not in (None, group.channel_axis):
            continue  # of other readers, which take another axis for the channels
        new = after.answer(need)
        if new is None:  # single points
            new = (statistics.of(need, group.operations[0]) - smoothing.shift) / smoothing.factor
        found |= {(name, need): new for name in group.operations}
    return found
