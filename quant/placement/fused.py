"""Where OpenVINO would quantize channels on another axis than theirs.

Its CPU plugin (2026.4.1) computes a quantizer together with the operation above it, and takes
axis 1 for the channels then, of a reduction as it is before axes are dropped. A scale per channel
for any other axis does not compile, or becomes garbage (4 dB for a ViT whose normalizations have no
weights). A quantizer moves up through a Concat and meets the same there.
"""

from __future__ import annotations

from collections.abc import Iterator

from quant.graph import Graph, Op, Tensor, attributes
from quant.placement.tables import ACTIVATION_FUNCTIONS, CONVOLUTIONS, ELEMENTWISE

_ON_AXIS_ONE = CONVOLUTIONS | {"MVN", "AvgPool"}
_LEAST_RANK = 4
"""From this rank on the plugin knows which axis a quantizer's channels are on."""


def takes_channels(graph: Graph, tensor: Tensor, axis: int) -> bool:
    """Whether a quantizer of a tensor of known rank may have a scale for each entry of `axis`."""
    is_misread = axis != 1 and graph.op(tensor).ranks[tensor.port] == _LEAST_RANK - 1
    if is_misread and any(op.type in _ON_AXIS_ONE for op in _fused(graph, tensor, axis)):
        return False
    return not is_reduced(graph, tensor, axis)


def is_reduced(graph: Graph, tensor: Tensor, axis: int) -> bool:
    """Whether a tensor is computed together with a reduction that has its channels elsewhere."""
    found = _fused(graph, tensor, None)
    return any(op.type.startswith("Reduce") and not _keeps(graph, op, axis) for op in found)


def _keeps(graph: Graph, op: Op, axis: int) -> bool:
    """Whether a reduction drops no axis in front of the one that becomes `axis`."""
    rank = graph.op(op.inputs[0]).ranks[op.inputs[0].port]
    if rank is None or rank < _LEAST_RANK or not graph.is_constant(op.inputs[1]):
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
        sources = [source for _, source in graph.data_inputs(op)]
        is_unary = op.type in ELEMENTWISE | ACTIVATION_FUNCTIONS and len(sources) == 1
        if op.type == "Concat" or (is_unary and not _has_entries(graph, op, axis)):
            queue += sources


def _has_entries(graph: Graph, op: Op, axis: int | None) -> bool:
    """Whether an element-wise operation has a constant with several values along `axis`."""
    if axis is None:
        return False
    from_end = axis - (op.ranks[0] or 0)
    shapes = [graph.shape(each) or () for each in op.inputs if graph.is_constant(each)]
    return any(len(shape) >= -from_end and shape[from_end] != 1 for shape in shapes)
