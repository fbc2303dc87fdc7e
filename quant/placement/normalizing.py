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
from quant.placement.tables import ACTIVATION_FUNCTIONS, ELEMENTWISE, LINEAR, MOVING

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
_VALUE_BY_VALUE = (
    ELEMENTWISE
    | _RESHAPING
    | MOVING
    | {"VariadicSplit", "Slice", "StridedSlice", "Pad", "Relu", "Clamp", "Abs", "Negative"}
)
"""What keeps small values small and large ones large."""
_HARMLESS_EXPONENTS = (1.0, 2.0, 3.0)
"""Powers whose results a step of the input's size does not ruin."""


def functions_of_one(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Everything between one tensor and an element-wise operation all of whose inputs are computed
    from it: an activation function or a normalization."""
    origins = _Origins()
    found: dict[Tensor, set[int]] = {}
    for op in graph.ops:
        if op.type not in _CHEAP:
            continue
        sources = _sources(graph, op)
        start = origins.add(Tensor(op.index, 0), sources)
        if start is not None and op.type in ELEMENTWISE and len(sources) > 1:
            reason = f"is computed from {graph.op(start).name!r} alone, without weights"
            seen = found.setdefault(start, {start.op})
            yield from ((each, reason) for each in _between(graph, op, seen))


class _Origins:
    """The nearest tensor that all ways up from a tensor pass, as a tree."""

    def __init__(self) -> None:
        self._above: dict[Tensor, Tensor | None] = {}
        self._depth: dict[Tensor, int] = {}

    def add(self, tensor: Tensor, sources: list[Tensor]) -> Tensor | None:
        """Adds a tensor that is computed from others; what all of these have in common."""
        shared = sources[0] if sources else None
        for source in sources[1:]:
            shared = self._common(shared, source)
        self._above[tensor] = shared
        self._depth[tensor] = 0 if shared is None else self._depth.get(shared, 0) + 1
        return shared

    def _common(self, one: Tensor | None, other: Tensor | None) -> Tensor | None:
        while one != other and one is not None and other is not None:
            if self._depth.get(one, 0) >= self._depth.get(other, 0):
                one = self._above.get(one)
            else:
                other = self._above.get(other)
        return one if one == other else None


def magnitudes(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Roots, logarithms, exponentials and divisions by a tensor, and everything cheap that serves
    these alone."""
    purpose: dict[int, str] = {}
    for op in reversed(graph.ops):
        is_kept = _needs_a_reason(graph, op)
        if is_kept and any(_is_magnitude(graph, port) for port, _ in graph.data_inputs(op)):
            yield op, "small values count as much as large ones, which one step does not hold"
        readers = [reader for consumers in op.consumers for reader in consumers]
        found = [_purpose(graph, reader) or purpose.get(reader.op) for reader in readers]
        if op.type in _CHEAP and found and all(found):
            purpose[op.index] = str(found[0])
            if is_kept:
                yield op, f"serves {found[0]} only, where small values count as much as large ones"


def spectra(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Layers whose results only serve roots and logarithms, such as those that compute a spectrum
    or its bands, and what is cheap above them: the noise of integers is one for all values, and
    drowns the small ones.

    Not what is summed up first, as under a generalized mean, since large values rule sums; nor the
    layers above.
    """
    purpose: dict[int, str] = {}
    layers: set[int] = set()
    for op in reversed(graph.ops):
        readers = [reader for consumers in op.consumers for reader in consumers]
        found = [_root(graph, each) or purpose.get(each.op) for each in readers]
        if not found or not all(found):
            continue
        is_above = any(each.op in layers for each in readers)
        reason = f"serves {found[0]} only, where small values count as much as large ones"
        if op.type in LINEAR and not is_above:
            yield op, reason
        elif op.type in _VALUE_BY_VALUE or _is_of_pairs(graph, op):
            if is_above and _needs_a_reason(graph, op):
                yield op, reason
        else:
            continue
        purpose[op.index] = str(found[0])
        if is_above or op.type in LINEAR:
            layers.add(op.index)


def _root(graph: Graph, reader: Port) -> str:
    """The logarithm or power below one that a port is the argument of."""
    op = graph.op(reader)
    is_root = op.type in ("Sqrt", "Log")
    if op.type == "Power" and reader.port == 0:
        exponent = graph.op(op.inputs[1])
        is_root = exponent.type == "Constant" and bool((exponent.node.data < 1).all())
    return _name(op) if is_root else ""


def _is_of_pairs(graph: Graph, op: Op) -> bool:
    """Whether an operation sums up a real and an imaginary part."""
    if op.type != "ReduceSum":
        return False
    axes, shape = graph.op(op.inputs[1]), graph.shape(op.inputs[0])
    if axes.type != "Constant" or shape is None:
        return False
    return [shape[i] for i in np.ravel(axes.node.data)] == [2]


def single_values(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Element-wise operations of two tensors one of which is a number per sample, such as a
    scale."""
    for op in graph.ops:
        sources = _sources(graph, op) if op.type in ELEMENTWISE else []
        if len(sources) > 1 and any(_is_single(graph, tensor) for tensor in sources):
            yield op, "one of its inputs is a single number, which needs no integers"


def _sources(graph: Graph, op: Op) -> list[Tensor]:
    return [tensor for _, tensor in graph.data_inputs(op)]


def _between(graph: Graph, end: Op, seen: set[int]) -> Iterator[Op]:
    """`end`, and what it depends on below what was `seen`, which gets all of that."""
    queue = [end.index]
    while queue:
        index = queue.pop()
        if index not in seen:
            seen.add(index)
            if _needs_a_reason(graph, graph.ops[index]):
                yield graph.ops[index]
            queue += [tensor.op for tensor in _sources(graph, graph.ops[index])]


def _needs_a_reason(graph: Graph, op: Op) -> bool:
    """Whether an operation is none that is fused into the one above it anyway."""
    if op.type in ELEMENTWISE:
        return len(_sources(graph, op)) > 1
    return op.type not in ACTIVATION_FUNCTIONS | _RESHAPING


def _purpose(graph: Graph, reader: Port) -> str:
    return _name(graph.op(reader)) if _is_magnitude(graph, reader) else ""


def _name(op: Op) -> str:
    return f"{op.type} {op.name!r}"


def _is_magnitude(graph: Graph, port: Port) -> bool:
    """Whether a port takes the argument of a function that depends on its magnitude."""
    op = graph.op(port)
    is_root = op.type == "Power" and port.port == 0 and not _is_harmless(graph, op)
    is_divisor = op.type == "Divide" and port.port == 1
    return op.type in _MAGNITUDES or is_root or is_divisor


def _is_harmless(graph: Graph, power: Op) -> bool:
    exponent = graph.op(power.inputs[1])
    return exponent.type == "Constant" and bool(
        np.isin(exponent.node.data, _HARMLESS_EXPONENTS).all()
    )


def _is_single(graph: Graph, tensor: Tensor) -> bool:
    """Whether a tensor is a number per sample; axis 0 counts samples, if there are others."""
    shape = graph.shape(tensor)
    return shape is not None and all(size == 1 for size in shape[len(shape) > 1 :])
