"""The way up a graph: what an operation depends on."""

from __future__ import annotations

from collections.abc import Iterator

from quant.graph import Graph, Op, Tensor


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
