"""Parts of a graph that compare a tensor with a statistic of itself, or take its magnitude.

A normalization that is spelled out (other than as OpenVINO fuses it), an L2 norm, a spectrum's
power, the scale of dynamic quantization: element-wise operations and reductions whose small values
count as much as large ones, where a uniform step is ruin (a byte classifier with JAX's LayerNorm
3 dB, a speech detector's spectrogram 11 dB), and which hold no product that integers would speed
up.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from quant.graph import Graph, Op, Port, Tensor
from quant.placement.tables import ACTIVATION_FUNCTIONS, ELEMENTWISE

_REDUCTIONS = frozenset(
    {"ReduceMean", "ReduceSum", "ReduceL1", "ReduceL2", "ReduceMax", "ReduceMin", "ReduceProd"}
)
_RESHAPING = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Transpose", "Broadcast", "Convert"})
_MAGNITUDES = frozenset({"Sqrt", "Log", "Exp"})
_CHEAP = (
    ELEMENTWISE
    | ACTIVATION_FUNCTIONS
    | _REDUCTIONS
    | _RESHAPING
    | _MAGNITUDES
    | {"Erf", "Abs", "Negative", "Select"}
)
"""What the parts consist of: no products of tensors with weights, no moves between places."""
_EVEN_POWERS = (1.0, 2.0, 3.0)
"""Exponents whose results a step of the input's size does not ruin."""


def functions_of_one(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Everything between one tensor and an element-wise operation all of whose inputs are computed
    from it: an activation function or a normalization."""
    dominators: list[frozenset[int]] = []
    for op in graph.ops:
        sources = _sources(graph, op)
        shared = _shared(dominators, sources) if op.type in _CHEAP else frozenset()
        dominators.append(shared | {op.index})
        if op.type in ELEMENTWISE and len(sources) > 1 and shared:
            reason = f"is computed from {graph.ops[max(shared)].name!r} alone, without weights"
            yield from ((each, reason) for each in _between(graph, op, max(shared)))


def magnitudes(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Roots, logarithms, exponentials and divisions by a tensor, and everything cheap that serves
    these alone."""
    purpose: dict[int, str] = {}
    for op in reversed(graph.ops):
        if any(_is_magnitude(graph, port) for port, _ in graph.data_inputs(op)):
            yield op, "small values count as much as large ones, which one step does not hold"
        readers = [reader for consumers in op.consumers for reader in consumers]
        found = [_purpose(graph, reader) or purpose.get(reader.op) for reader in readers]
        if op.type in _CHEAP and found and all(found):
            purpose[op.index] = str(found[0])
            yield op, f"serves {found[0]} only, where small values count as much as large ones"


def single_values(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Element-wise operations with one number per sample, such as a scale."""
    for op in graph.ops:
        if op.type in ELEMENTWISE and any(
            _is_single(graph, tensor) for _, tensor in graph.data_inputs(op)
        ):
            yield op, "one of its inputs is a single number, which needs no integers"


def _sources(graph: Graph, op: Op) -> list[Tensor]:
    return [tensor for _, tensor in graph.data_inputs(op)]


def _shared(dominators: list[frozenset[int]], sources: list[Tensor]) -> frozenset[int]:
    """The operations that all ways up from every source pass."""
    sets = [dominators[source.op] for source in sources]
    return sets[0].intersection(*sets[1:]) if sets else frozenset()


def _between(graph: Graph, end: Op, start: int) -> Iterator[Op]:
    """`end`, and what it depends on below `start`."""
    queue, seen = [end.index], {start}
    while queue:
        index = queue.pop()
        if index not in seen:
            seen.add(index)
            yield graph.ops[index]
            queue += [tensor.op for tensor in _sources(graph, graph.ops[index])]


def _purpose(graph: Graph, reader: Port) -> str:
    op = graph.op(reader)
    return f"{op.type} {op.name!r}" if _is_magnitude(graph, reader) else ""


def _is_magnitude(graph: Graph, port: Port) -> bool:
    """Whether a port takes the argument of a function that depends on its magnitude."""
    op = graph.op(port)
    is_root = op.type == "Power" and port.port == 0 and not _is_even_power(graph, op)
    is_divisor = op.type == "Divide" and port.port == 1
    return op.type in _MAGNITUDES or is_root or is_divisor


def _is_even_power(graph: Graph, op: Op) -> bool:
    exponent = graph.op(op.inputs[1])
    return exponent.type != "Constant" or bool(np.isin(exponent.node.data, _EVEN_POWERS).all())


def _is_single(graph: Graph, tensor: Tensor) -> bool:
    shape = graph.shape(tensor)
    if shape is None:
        return False
    return all(size == 1 or (axis == 0 and size is None) for axis, size in enumerate(shape))
