"""What SmoothQuant may smooth: tensors whose channels only layers read that can make up for it.

MatMuls and convolutions do, each with weights of its own for every channel. Between the quantizer
and them there may be what keeps channels apart: pooling of maxima, nearest resizing, and a Concat,
whose parts share a range and are smoothed together then.
"""

from __future__ import annotations

from collections.abc import Iterator

from quant.graph import Graph, Op, Port, Tensor, attributes
from quant.parameters import Overrides, SmoothParameters
from quant.placement.estimators import estimators
from quant.placement.fused import is_reduced, takes_channels
from quant.placement.products import holds_product
from quant.placement.tables import (
    CHANNEL_KEEPING,
    behind_matmuls,
    descriptor_type,
    is_value_preserving,
)
from quant.plan import (
    ActivationQuantizer,
    MinMaxPlan,
    SmoothGroup,
    SmoothPart,
    SmoothReader,
    TensorRef,
)
from quant.steps.pairs import is_padded
from quant.target import DEPTHWISE

Runs = list[tuple[int, int, int]]
"""Which channels an operation's input holds: the first one's place there, its place in the group,
and how many."""


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
    none into MatMuls of rank 4, and is slower by a quarter on a ConvNeXt then. Behind a product of
    two tensors of rank 3, as attention's of a single head, it does not compile one.
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
        and not holds_product(graph, op.inputs[0])
    )


def _is_stretchable(graph: Graph, tensor: Tensor, axis: int) -> bool:
    """Whether a quantizer of a tensor can stretch its channels itself, at no cost.

    OpenVINO's CPU plugin (2026.4.1) refuses to quantize tensors of dynamic shape so, unless their
    channels are on axis 1.
    """
    shape = graph.shape(tensor)
    is_static = shape is not None and None not in shape
    return (is_static or axis == 1) and takes_channels(graph, tensor, axis)


def groups(graph: Graph, quantization: MinMaxPlan) -> Iterator[SmoothGroup]:
    """The groups of layers on tensors of one range, in the order of the graph."""
    behind = behind_matmuls(graph)
    tables = {each.group for each in quantization.weights} - {None}
    quantized = frozenset(
        Port(graph.by_name[port.op].index, port.port)
        for each in quantization.activations
        for port in each.consumers
    )
    together: dict[str, list[ActivationQuantizer]] = {}
    for quantizer in quantization.activations:
        together.setdefault(quantizer.group or quantizer.name, []).append(quantizer)
    for name, quantizers in together.items():
        if name in tables:  # whose rows are not scaled
            continue
        if quantizers[0].is_smoothed or all(_is_plain(graph, each) for each in quantizers):
            found = _of_matmuls(graph, quantizers, behind)
            found = found or _of_convolutions(graph, quantizers, behind, quantized)
            if found is not None:
                yield found


def _is_plain(graph: Graph, quantizer: ActivationQuantizer) -> bool:
    """Whether a quantizer is one of 8 bits per tensor whose scaling costs no operation.

    One with estimators that the user chose is left alone: of a scaled tensor only the extremes are
    known. So is the result of a Clamp, which bounds all channels alike: OpenVINO's CPU plugin
    (2026.4.1) multiplies behind it, where behind a Relu it scales the weights above.
    """
    return (
        quantizer.channels is None
        and quantizer.scheme.bits <= 8
        and quantizer.estimators == estimators(quantizer.scheme, None, Overrides())
        and graph.by_name[quantizer.tensor.op].type != "Clamp"
    )


def _of_matmuls(
    graph: Graph, quantizers: list[ActivationQuantizer], behind: frozenset[int]
) -> SmoothGroup | None:
    """The group of a quantizer that MatMuls alone read, all directly."""
    (quantizer, *others) = quantizers
    ops = [graph.by_name[port.op] for port in quantizer.consumers]
    tensor = ops[0].inputs[0]
    axis = (graph.op(tensor).ranks[tensor.port] or 0) - 1
    is_stretched = _is_stretchable(graph, tensor, axis)
    if others or not (
        quantizer.is_smoothed or all(_is_smoothable(graph, op, behind) for op in ops)
    ):
        return None
    if not (is_stretched or quantizer.is_smoothed):
        return None
    weights = graph.shape(ops[0].inputs[1])
    assert weights is not None
    channels = weights[1 if attributes(ops[0])["transpose_b"] else 0]
    assert channels is not None  # constants have static shapes
    part = _part(graph, quantizer, axis, channels)
    readers = tuple(
        SmoothReader(operation=name, tensor=part.tensor, channel_axis=axis, places=((0, channels),))
        for name in quantizer.operations
    )
    return SmoothGroup(
        parts=(part,),
        readers=readers,
        scheme=quantizer.scheme,
        is_stretched=is_stretched,
        is_shifted=is_stretched,
    )


def _of_convolutions(
    graph: Graph,
    quantizers: list[ActivationQuantizer],
    behind: frozenset[int],
    quantized: frozenset[Port],
) -> SmoothGroup | None:
    """The group of quantizers whose channels convolutions alone read, channel by channel."""
    held: dict[int, Runs] = {}
    parts: list[SmoothPart] = []
    start = 0
    for quantizer in quantizers:
        op = graph.by_name[quantizer.tensor.op]
        tensor = Tensor(op.index, quantizer.tensor.port)
        shape = graph.shape(tensor)
        channels = shape[1] if shape is not None and len(shape) > 2 else None
        if channels is None or tensor.op in behind or not _is_stretchable(graph, tensor, 1):
            return None
        ports = [Port(graph.by_name[each.op].index, each.port) for each in quantizer.consumers]
        run = (0, start, channels)
        if not all(_follow(graph, port, run, held, quantized) for port in ports):
            return None
        parts.append(_part(graph, quantizer, 1, channels))
        start += channels
    ops = [graph.ops[i] for i in sorted(held)]
    readers = [_reader(graph, op, held[op.index]) for op in ops]
    if any(each is None for each in readers):
        return None
    return SmoothGroup(
        parts=tuple(parts),
        readers=tuple(each for each in readers if each is not None),
        scheme=quantizers[0].scheme,
        is_stretched=True,
        is_shifted=not any(is_padded(op) for op in ops),
    )


def _follow(
    graph: Graph,
    port: Port,
    run: tuple[int, int, int],
    held: dict[int, Runs],
    quantized: frozenset[Port],
) -> bool:
    """Follows a run of channels down to the convolutions that read it; whether nothing else does.

    Args:
        held: gets what each of them reads.
        quantized: the ports below quantizers, which begin a tensor of their own.
    """
    op = graph.op(port)
    if op.type == "ShapeOf":
        return True
    if port.port == 0 and _is_convolution(graph, op):
        held.setdefault(op.index, []).append(run)
        return True
    if op.type == "Concat":
        before = [_channels(graph, tensor) for tensor in op.inputs[: port.port]]
        if attributes(op)["axis"] not in (1, 1 - (op.ranks[0] or 0)) or None in before:
            return False
        run = (run[0] + sum(each or 0 for each in before), *run[1:])
    elif port.port != 0 or not _keeps_channels(op):
        return False
    if any(op.consumers[1:]):  # places of maxima
        return False
    below = op.consumers[0]
    return quantized.isdisjoint(below) and all(
        _follow(graph, each, run, held, quantized) for each in below
    )


def _keeps_channels(op: Op) -> bool:
    """Whether an operation only picks values of each channel; of a resizing, one that adds no zeros
    around them."""
    if op.type in CHANNEL_KEEPING:
        return True
    kept = attributes(op)
    return is_value_preserving(op) and not any((*kept["pads_begin"], *kept["pads_end"]))


def _is_convolution(graph: Graph, op: Op) -> bool:
    """Whether an operation is a convolution with weights of its own for each channel it reads."""
    name = descriptor_type(graph, op)
    return (
        name in ("Convolution", DEPTHWISE)
        and graph.is_constant(op.inputs[1])
        and len(graph.consumers(op.inputs[1])) == 1
    )


def _channels(graph: Graph, tensor: Tensor) -> int | None:
    shape = graph.shape(tensor)
    return shape[1] if shape is not None and len(shape) > 1 else None


def _reader(graph: Graph, op: Op, runs: Runs) -> SmoothReader | None:
    """A convolution that reads these channels; None where it reads others too."""
    weights = graph.shape(op.inputs[1])
    assert weights is not None
    is_depthwise = op.type == "GroupConvolution"
    place = 0
    for first, _, count in sorted(runs):
        if first != place:
            return None
        place += count
    if place != weights[0 if is_depthwise else 1]:
        return None
    return SmoothReader(
        operation=op.name,
        tensor=TensorRef(graph.op(op.inputs[0]).name, op.inputs[0].port),
        channel_axis=1,
        places=tuple((start, start + count) for _, start, count in sorted(runs)),
        is_depthwise=is_depthwise,
    )


def _part(graph: Graph, quantizer: ActivationQuantizer, axis: int, channels: int) -> SmoothPart:
    return SmoothPart(
        quantizer=quantizer.name,
        tensor=quantizer.tensor,
        operations=quantizer.operations,
        channel_axis=axis,
        channels=channels,
        is_open=quantizer.outside is not None,
    )
