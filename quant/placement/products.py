"""Quantizers that OpenVINO would compute together with a product of two tensors, and wrongly.

Its CPU plugin (2026.4.1) takes a MatMul of two tensors, those inside attention too, a constant for
each head or column that its result is scaled by, and a quantizer below for one operation, with the
constant's values on another axis: it does not compile, or, where the sizes are equal, computes
garbage (-2 dB), in integers and in floating point. Without the quantizer all is well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from quant.graph import Graph, Op, Tensor
from quant.placement.fused import is_fused
from quant.placement.kept import Kept
from quant.placement.sites import Site
from quant.placement.tables import COMPUTED_TOGETHER, MULTIPLYING

_PRODUCTS = MULTIPLYING | {"Einsum"}

_IN_ORDER = frozenset({"Concat", "Reshape", "Squeeze", "Unsqueeze"})

REASON = "OpenVINO gets a quantizer behind a product with a constant per head or column wrong"


def behind_products(graph: Graph, placed: Iterable[Site]) -> Kept:
    """The operations that would read such a quantizer, each with the reason to leave it alone."""
    broken = (site for site in placed if _is_scaled_product(graph, site.tensor))
    return {reader.port.op: REASON for site in broken for reader in site.readers}


def holds_product(graph: Graph, tensor: Tensor) -> bool:
    """Whether a tensor, or a part of it, is a product of two tensors of rank 3, in the order in
    which that is computed: a scale per column behind one does not compile either."""
    queue, seen = [tensor], set()
    while queue:
        op = graph.op(queue.pop())
        if op.index in seen:
            continue
        seen.add(op.index)
        if op.type in _PRODUCTS and op.ranks[0] == 3 and _multiplies_two(graph, op):
            return True
        if is_fused(graph, op) or op.type in _IN_ORDER or _is_in_order(graph, op):
            queue += [source for _, source in graph.data_inputs(op)]
    return False


def _multiplies_two(graph: Graph, op: Op) -> bool:
    """Whether two inputs of an operation vary; weights may be computed, too."""
    return sum(graph.op(tensor).varies for _, tensor in graph.data_inputs(op)) > 1


def _is_in_order(graph: Graph, op: Op) -> bool:
    """Whether a Transpose only moves axes of size 1, as OpenVINO's plugin knows."""
    if op.type != "Transpose" or not graph.is_constant(op.inputs[1]):
        return False
    shape = graph.shape(op.inputs[0]) or ()
    order = [int(axis) for axis in graph.op(op.inputs[1]).node.data.reshape(-1)]
    moved = [axis for axis in order if shape[axis] != 1] if shape else order
    return moved == sorted(moved)


def _is_scaled_product(graph: Graph, tensor: Tensor) -> bool:
    """Whether between a tensor and a product of two above it there are only element-wise
    operations, one of them with a constant of several values."""
    is_scaled = False
    for op in _chain(graph, tensor):
        if op.type in MULTIPLYING:
            return is_scaled and graph.joins(op)
        is_scaled = is_scaled or any(_has_many_values(graph, each) for each in op.inputs)
    return False


def _chain(graph: Graph, tensor: Tensor) -> Iterator[Op]:
    """The operations above a tensor, as long as they are functions of one other, element by
    element; and the one above those."""
    while True:
        op = graph.op(tensor)
        yield op
        sources = [source for _, source in graph.data_inputs(op)]
        if op.type not in COMPUTED_TOGETHER or len(sources) != 1:
            return
        tensor = sources[0]


def _has_many_values(graph: Graph, tensor: Tensor) -> bool:
    shape = graph.shape(tensor) if graph.is_constant(tensor) else None
    return shape is not None and any(size != 1 for size in shape)
