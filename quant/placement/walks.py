"""The way up a graph, what an operation depends on, and down from what chooses by values."""

from __future__ import annotations

from collections.abc import Iterator

from quant.graph import Graph, Op, Tensor

_CHOOSING = frozenset(
    {"NonZero", "Unique", "NonMaxSuppression", "MulticlassNms", "MatrixNms", "NMSRotated"}
)
"""Operations whose results are as long as their inputs' values say."""


def uneven(graph: Graph) -> frozenset[str]:
    """The names of operations whose results' lengths depend on values, so that those of a quantized
    model may differ."""
    found: set[int] = set()
    for op in graph.ops:  # what is scattered is as long as what it is written into
        sources = op.inputs[:1] if op.type.startswith("Scatter") else op.inputs
        if op.type in _CHOOSING or any(tensor.op in found for tensor in sources):
            found.add(op.index)
    return frozenset(graph.ops[i].name for i in found)


def above(
    graph: Graph,
    start: Op,
    *,
    stop: frozenset[str],
    through: frozenset[str] | None = None,
    port: int | None = None,
) -> Iterator[Op]:
    """The operations that `start` depends on (by `port` alone, if one is given), up to but without
    those of the types in `stop`."""
    sources = start.inputs if port is None else start.inputs[port : port + 1]
    return (op for op in _walk(graph, sources, stop, through) if op.type not in stop)


def ends(graph: Graph, start: Op, stop: frozenset[str], through: frozenset[str]) -> Iterator[Op]:
    """The operations of the types in `stop` that end the way up from `start`."""
    return (op for op in _walk(graph, start.inputs, stop, through) if op.type in stop)


def _walk(
    graph: Graph, sources: tuple[Tensor, ...], stop: frozenset[str], through: frozenset[str] | None
) -> Iterator[Op]:
    seen: set[int] = set()
    queue = [tensor.op for tensor in sources]
    while queue:
        index = queue.pop()
        op = graph.ops[index]
        if index in seen or op.type in ("Constant", "Parameter"):
            continue
        seen.add(index)
        yield op
        if op.type not in stop and (through is None or op.type in through):
            queue += [tensor.op for tensor in op.inputs]
