"""Attention, fused or as products around a Softmax, and what `model_type: transformer` keeps of it
in floating point. Source: NNCF 3.4.0, its ignored patterns of transformers."""

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
        if op.type == "MatMul" and any(
            _softmax_above(graph, tensor) is not None for tensor in op.inputs
        ):
            yield op, "model_type transformer keeps attention's output in floating point"


def first_attention(graph: Graph) -> Op | None:
    """The first product of attention weights with values, or fused attention; None without one."""
    return next((op for op in graph.ops if _is_attention(graph, op)), None)


def _is_attention(graph: Graph, op: Op) -> bool:
    if op.type == "ScaledDotProductAttention":
        return True
    if op.type != "MatMul" or not graph.joins(op):
        return False
    softmaxes = [_softmax_above(graph, tensor) for tensor in op.inputs]
    return any(
        True
        for softmax in softmaxes
        if softmax is not None
        for _ in ends(graph, softmax, frozenset({"MatMul"}), _SCORING)
    )


def _softmax_above(graph: Graph, tensor: Tensor) -> Op | None:
    """The softmax whose result a tensor is, masked and moved about at most."""
    op = graph.op(tensor)
    if op.type not in _HANDING_ON:
        return op if op.type in SOFTMAX else None
    sources = op.inputs[1:] if op.type == "Select" else op.inputs[:1]
    found = (_softmax_above(graph, source) for source in sources)
    return next((each for each in found if each is not None), None)
