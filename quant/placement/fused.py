"""Where OpenVINO would quantize channels on another axis than theirs.

Its CPU plugin (2026.4.1) computes a quantizer together with the operation above it, and takes
axis 1 for the channels then, of a reduction as it is before axes are dropped. A scale per channel
for any other axis does not compile, or becomes garbage (4 dB for a ViT whose normalizations have no
weights). A quantizer moves up through a Concat and meets the same there.
"""

from __future__ import annotations

from collections.abc import Iterator

from quant.graph import Graph, Op, Tensor, attributes
from quant.placement.tables import COMPUTED_TOGETHER, CONVOLUTIONS

_ON_AXIS_ONE = CONVOLUTIONS | {"MVN", "AvgPool"}
_LEAST_RANK = 4
"""From this rank on the plugin knows which axis a quantizer's channels are on."""


def takes_channels(graph: Graph, tensor: Tensor, axis: int) -> bool:
    """Whether a quantizer of a tensor of known rank may have a scale for each entry of `axis`."""
    is_misread = axis != 1 and graph.op(tensor).ranks[tensor.port] == _LEAST_RANK - 1
    if is_misread and any(op.type in _ON_AXIS_ONE for op in _fused(graph, tensor, axis)):
        return False
    return not (is_reduced(graph, tensor, axis) or may_be_vector(graph, tensor))


def may_be_vector(graph: Graph, tensor: Tensor) -> bool:
    """Whether a tensor that a convolution computes has nothing but channels once a dynamic batch
    turns out to be 1. OpenVINO's CPU plugin computes garbage then from a scale per channel, as
    behind a global pooling: 5 dB."""
    batch, *others = graph.shape(tensor) or (1,)
    return (
        batch is None
        and len(others) > 1
        and set(others[1:]) <= {1}
        and any(op.type in CONVOLUTIONS for op in _fused(graph, tensor, None))
    )


def is_reduced(graph: Graph, tensor: Tensor, axis: int) -> bool:
    """Whether a tensor is computed together with a reduction that has its channels elsewhere."""
    found = _fused(graph, tensor, None)
    return any(op.type.startswith("Reduce") and not _keeps(graph, op, axis) for op in found)


def is_scaled_reduction(graph: Graph, tensor: Tensor) -> bool:
    """Whether a tensor is computed together with such a reduction and a constant per channel, which
    no quantizer below may join."""
    return any(
        is_reduced(graph, source, axis)
        for op in _fused(graph, tensor, None)
        for axis in _constant_axes(graph, op)
        for _, source in graph.data_inputs(op)
    )


def is_fused(graph: Graph, op: Op) -> bool:
    """Whether an operation is element-wise with constants only."""
    return op.type in COMPUTED_TOGETHER and sum(1 for _ in graph.data_inputs(op)) == 1


def _keeps(graph: Graph, op: Op, axis: int) -> bool:
    """Whether a reduction drops no axis in front of the one that becomes `axis`, nor one above it,
    with which it would become one."""
    source = graph.op(op.inputs[0])
    rank = source.ranks[op.inputs[0].port]
    if rank is None or rank < _LEAST_RANK or not graph.is_constant(op.inputs[1]):
        return False
    if source.type.startswith("Reduce"):
        return False
    if attributes(op)["keep_dims"]:
        return True
    dropped = graph.op(op.inputs[1]).node.data.reshape(-1) % rank
    return bool((dropped > axis).all())


def _fused(graph: Graph, tensor: Tensor, axis: int | None) -> Iterator[Op]:
    """The operations that a tensor is computed together with: those above it, up to the first that
    is not element-wise with constants.

    One with a constant of its own for each entry of `axis` ends it.
    """
    queue, seen = [tensor], set()
    while queue:
        op = graph.op(queue.pop())
        if op.index in seen:
            continue
        seen.add(op.index)
        yield op
        if op.type == "Concat" or (is_fused(graph, op) and axis not in _constant_axes(graph, op)):
            queue += [source for _, source in graph.data_inputs(op)]


def _constant_axes(graph: Graph, op: Op) -> list[int]:
    """The axes along which an element-wise operation has a constant with several values."""
    rank = op.ranks[0]
    if rank is None or not is_fused(graph, op):
        return []
    shapes = [graph.shape(each) or () for each in op.inputs if graph.is_constant(each)]
    return [rank - len(shape) + i for shape in shapes for i, size in enumerate(shape) if size != 1]
