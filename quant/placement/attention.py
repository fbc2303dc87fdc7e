"""Attention, fused or as products around a Softmax, and what `model_type: transformer` keeps of it
in floating point. Source: NNCF 3.4.0, its ignored patterns of transformers; masks and moves of what
the Softmax computes are ours."""

from __future__ import annotations

from collections.abc import Iterator

from quant.graph import Graph, Op, Tensor
from quant.placement.tables import ELEMENTWISE, MOVING, TRANSFORMER_FLOAT
from quant.placement.walks import ends

SOFTMAX = frozenset({"Softmax", "LogSoftmax"})

_HANDING_ON = MOVING | {"Pad", "Select", "Slice", "StridedSlice"}
"""Operations whose results are values of their inputs: between a Softmax and the product with the
values stand masks, and moves where attention is banded."""

_SCORING = _HANDING_ON | ELEMENTWISE | {"Clamp", "Gather", "ScatterNDUpdate", "Tanh"}
"""What stands between the product of queries and keys and the Softmax."""


def transformer_types(graph: Graph) -> Iterator[tuple[Op, str]]:
    for op in graph.ops:
        if op.type in TRANSFORMER_FLOAT:
            yield op, f"model_type transformer keeps {op.type} in floating point"


def attention(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Products of attention weights (a Softmax's result) with values."""
    for op in graph.ops:
        if any(each is not None for each in _softmaxes(graph, op)):
            yield op, "model_type transformer keeps attention's output in floating point"


def first_attention(graph: Graph) -> Op | None:
    """The first product of attention weights with values, or fused attention; None without one."""
    return next((op for op in graph.ops if _is_attention(graph, op)), None)


def _is_attention(graph: Graph, op: Op) -> bool:
    if op.type == "ScaledDotProductAttention":
        return True
    return any(
        True
        for softmax in _softmaxes(graph, op)
        if softmax is not None
        for _ in ends(graph, softmax, frozenset({"MatMul"}), _SCORING)
    )


def _softmaxes(graph: Graph, op: Op) -> list[Op | None]:
    """Above each side of a product of two tensors, the softmax whose result it is, if any."""
    is_product = op.type == "MatMul" and graph.joins(op)
    return [_softmax_above(graph, tensor) for tensor in op.inputs] if is_product else []


def _softmax_above(graph: Graph, tensor: Tensor) -> Op | None:
    """The softmax whose result a tensor is, masked and moved about at most."""
    queue, seen = [tensor.op], set[int]()
    while queue:
        index = queue.pop()
        op = graph.ops[index]
        if op.type in SOFTMAX:
            return op
        if op.type in _HANDING_ON and index not in seen:
            sources = op.inputs[1:] if op.type == "Select" else op.inputs[:1]
            queue += [source.op for source in sources]
        seen.add(index)
    return None
