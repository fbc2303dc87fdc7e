"""Which tensors are wanted in integers by everything that reads them.

One pass upward over the graph. A tensor is *full* when each of its readers either executes in
integers, or passes it on to readers that all do, so that one quantizer above them serves all.
Linear in the graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from quant.graph import Graph, Op, Port, Tensor
from quant.placement.kept import Kept
from quant.placement.tables import (
    ELEMENTWISE,
    MULTI_INPUT_PASSTHROUGH,
    RECURRENT,
    activation_ports,
    bias_add,
    descriptor_type,
    is_value_preserving,
)
from quant.target import Target


class Role(Enum):
    """What an operation does with a quantized tensor."""

    INTEGER = auto()
    """executes in integers"""
    PASS = auto()
    """moves values about without changing them"""
    NEUTRAL = auto()
    """element-wise with a constant: takes either, asks for neither"""
    UNSEEN = auto()
    """reads the shape only"""
    FLOAT = auto()
    """needs floating point"""


@dataclass(frozen=True, slots=True)
class Demand:
    """Roles by operation, which tensors are full, and the ports that get a quantizer of their own,
    right above them."""

    graph: Graph
    roles: tuple[Role, ...]
    full: frozenset[Tensor]
    apart: frozenset[Port]

    def is_covered(self, op: Op) -> bool:
        """Whether a pass-through operation gets and hands on quantized tensors."""
        return self.roles[op.index] is Role.PASS and _is_full_pass(self.graph, op, self.full)

    def wants(self, port: Port) -> bool:
        """Whether an input port takes a quantized tensor, itself or for the operations below it."""
        return port not in self.apart and _wants(self.graph, self.roles, self.full, port)

    def is_apart(self, port: Port) -> bool:
        """Whether an input port executes in integers, with a quantizer of its own."""
        return port in self.apart and self.roles[port.op] is Role.INTEGER


def demand(
    graph: Graph, target: Target, kept: Kept, smoothed: frozenset[Port] = frozenset()
) -> Demand:
    """The demand of every tensor of the graph under a target's abilities.

    `smoothed`: ports whose tensor is scaled for them alone. They get a quantizer of their own, and
    so do the inputs and states of recurrent cells, whose range and factor nothing else shares: a
    tensor above may hold other values too, and OpenVINO's CPU plugin (2026.4.1) computes what a Pad
    or a ScatterUpdate puts between a quantizer and a cell wrongly, or does not compile.
    """
    roles = tuple(_role(graph, op, target, kept) for op in graph.ops)
    apart = smoothed
    if not target.quantizes_outputs:  # where all readers of a result get the same integers
        cells = (op for op in graph.ops if op.type in RECURRENT)
        apart |= {Port(op.index, port) for op in cells for port in activation_ports(op)}
    full: set[Tensor] = set()
    for op in reversed(graph.ops):
        for port, consumers in enumerate(op.consumers):
            is_shared = apart.isdisjoint(consumers)
            if op.is_real[port] and is_shared and _is_full(graph, roles, full, consumers):
                full.add(Tensor(op.index, port))
    return Demand(graph, roles, frozenset(full), apart)


def _role(graph: Graph, op: Op, target: Target, kept: Kept) -> Role:
    if op.type == "ShapeOf":
        return Role.UNSEEN
    if op.index in kept:
        return Role.FLOAT
    if _is_fused(graph, op, target):
        return Role.NEUTRAL
    name = descriptor_type(graph, op)
    support = target.operations.get(name)
    if support is not None and support.activations and not is_value_preserving(op):
        return Role.INTEGER
    moves = name in target.passthrough or name in MULTI_INPUT_PASSTHROUGH or is_value_preserving(op)
    listed = name in target.passthrough or support is not None
    return Role.PASS if moves and listed and _moves_real(graph, op) else Role.FLOAT


def _is_fused(graph: Graph, op: Op, target: Target) -> bool:
    """Whether an element-wise operation with a constant is a part of the one above it.

    Where results are quantized only a bias is: anything else gets integers and hands on others.
    """
    if op.type not in ELEMENTWISE or graph.joins(op):
        return False
    return not target.quantizes_outputs or _is_bias(graph, op)


def _is_bias(graph: Graph, op: Op) -> bool:
    return any(bias_add(graph, graph.op(tensor)) is op for _, tensor in graph.data_inputs(op))


def _moves_real(graph: Graph, op: Op) -> bool:
    """Whether floating-point values go in and come out; indices beside them, as MaxPool's, are not
    looked at."""
    if not op.inputs or not graph.is_real(op.inputs[0]):
        return False
    return all(real or not readers for real, readers in zip(op.is_real, op.consumers, strict=True))


def moved_ports(op: Op) -> tuple[int, ...]:
    """The ports of a pass-through operation whose values come out again."""
    if op.type in MULTI_INPUT_PASSTHROUGH:
        return MULTI_INPUT_PASSTHROUGH[op.type] or tuple(range(len(op.inputs)))
    return (0,)


def _is_full(
    graph: Graph, roles: tuple[Role, ...], full: set[Tensor], consumers: tuple[Port, ...]
) -> bool:
    wanted = False
    for port in consumers:
        role = roles[port.op]
        if role in (Role.NEUTRAL, Role.UNSEEN):
            continue
        if not _wants(graph, roles, full, port):
            return False
        wanted = True
    return wanted


def _wants(
    graph: Graph, roles: tuple[Role, ...], full: set[Tensor] | frozenset[Tensor], port: Port
) -> bool:
    op = graph.op(port)
    if roles[port.op] is Role.INTEGER:
        return port.port in activation_ports(op)
    return (
        roles[port.op] is Role.PASS
        and port.port in moved_ports(op)
        and _is_full_pass(graph, op, full)
    )


def _is_full_pass(graph: Graph, op: Op, full: set[Tensor] | frozenset[Tensor]) -> bool:
    """Whether every output that is read at all is full."""
    read = [Tensor(op.index, port) for port, readers in enumerate(op.consumers) if readers]
    return bool(read) and all(tensor in full for tensor in read)
