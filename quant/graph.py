"""A read-only view of an `ov.Model`: operations in topological order with their wiring as plain
numbers.

Crossing into OpenVINO for each neighbour is what makes graph passes slow in Python; this crosses
once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from quant.runtime import ov

_SOURCES = frozenset({"Parameter", "ReadValue", "RandomUniform", "Multinomial"})


class Tensor(NamedTuple):
    """Output `port` of the operation `op` (its position in `Graph.ops`)."""

    op: int
    port: int


class Port(NamedTuple):
    """Input `port` of the operation `op` (its position in `Graph.ops`)."""

    op: int
    port: int


@dataclass(slots=True, kw_only=True)
class Op:
    """One operation.

    Attributes:
        inputs: the tensor that each input port reads.
        consumers: per output port, the input ports that read it.
        is_real: per output port, whether its elements are floating point.
        ranks: per output port, the rank, or None where it is dynamic.
        varies: whether it is, or depends on, what is not the same in every inference.
    """

    index: int
    name: str
    type: str
    node: ov.Node
    inputs: tuple[Tensor, ...]
    is_real: tuple[bool, ...]
    ranks: tuple[int | None, ...]
    varies: bool
    consumers: tuple[tuple[Port, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """The main graph of a model; bodies of If, Loop and TensorIterator are not entered."""

    ops: tuple[Op, ...]
    by_name: dict[str, Op] = field(repr=False)

    def op(self, tensor: Tensor | Port) -> Op:
        """The operation that a tensor comes from, or that a port belongs to."""
        return self.ops[tensor.op]

    def consumers(self, tensor: Tensor) -> tuple[Port, ...]:
        """The input ports that read a tensor."""
        return self.ops[tensor.op].consumers[tensor.port]

    def is_constant(self, tensor: Tensor) -> bool:
        """Whether a tensor is a Constant."""
        return self.ops[tensor.op].type == "Constant"

    def is_real(self, tensor: Tensor) -> bool:
        """Whether a tensor's elements are floating point."""
        return self.ops[tensor.op].is_real[tensor.port]

    def shape(self, tensor: Tensor) -> tuple[int | None, ...] | None:
        """The tensor's shape with None for dynamic dimensions; None where the rank is dynamic."""
        shape = self.ops[tensor.op].node.output(tensor.port).get_partial_shape()
        if shape.rank.is_dynamic:
            return None
        return tuple(d.get_length() if d.is_static else None for d in shape)

    def data_inputs(self, op: Op) -> Iterator[tuple[Port, Tensor]]:
        """The input ports of `op` that read floating-point tensors which are not constants."""
        for number, tensor in enumerate(op.inputs):
            if self.is_real(tensor) and not self.is_constant(tensor):
                yield Port(op.index, number), tensor

    def joins(self, op: Op) -> bool:
        """Whether two such tensors or more meet in `op`."""
        return sum(1 for _ in self.data_inputs(op)) > 1


def view(model: ov.Model) -> Graph:
    """The view of a model whose operations have unique names (`load_model` sees to that)."""
    nodes = model.get_ordered_ops()
    index = {node.get_name(): i for i, node in enumerate(nodes)}
    ops: list[Op] = []
    for i, node in enumerate(nodes):
        ops.append(_op(i, node, index, ops))
    consumers: list[list[list[Port]]] = [[[] for _ in op.is_real] for op in ops]
    for op in ops:
        for number, tensor in enumerate(op.inputs):
            consumers[tensor.op][tensor.port].append(Port(op.index, number))
    for op, ports in zip(ops, consumers, strict=True):
        op.consumers = tuple(tuple(each) for each in ports)
    return Graph(tuple(ops), {op.name: op for op in ops})


def _op(number: int, node: ov.Node, index: dict[str, int], above: Sequence[Op]) -> Op:
    outputs = node.outputs()
    inputs = tuple(
        Tensor(index[value.get_node().get_name()], value.get_index())
        for value in node.input_values()
    )
    shapes = [output.get_partial_shape() for output in outputs]
    return Op(
        index=number,
        name=node.get_friendly_name(),
        type=node.get_type_name(),
        node=node,
        inputs=inputs,
        is_real=tuple(bool(output.get_element_type().is_real()) for output in outputs),
        ranks=tuple(None if s.rank.is_dynamic else s.rank.get_length() for s in shapes),
        varies=node.get_type_name() in _SOURCES or any(above[t.op].varies for t in inputs),
    )


def attributes(op: Op) -> dict[str, Any]:
    """The operation's attributes in IR notation."""
    return dict(op.node.get_attributes())
