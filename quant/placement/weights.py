"""Which constants become integer weights, and along which axes they keep their own range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from quant.graph import Graph, Op, Port
from quant.placement.tables import (
    LINEAR,
    channel_axes,
    descriptor_type,
    weight_ports,
)
from quant.target import EMBEDDING, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One constant in one layout, for all input ports that read it so."""

    constant: int
    ports: tuple[Port, ...]
    channel_axes: tuple[int, ...]


def weights(graph: Graph, target: Target, integer: frozenset[int]) -> list[Weights]:
    """The weights of the operations `integer`, and of embeddings, in topological order of first
    use."""
    found: dict[tuple[int, tuple[int, ...], str], list[Port]] = {}
    for op in graph.ops:
        name = descriptor_type(graph, op)
        if op.index not in integer and name != EMBEDDING:
            continue
        support = target.operations.get(name)
        if support is None or not support.weights:
            continue
        for port, axes in _constant_ports(graph, op):
            found.setdefault((op.inputs[port].op, axes, name), []).append(Port(op.index, port))
    return [
        Weights(constant=constant, ports=tuple(ports), channel_axes=axes)
        for (constant, axes, _), ports in found.items()
    ]


def _constant_ports(graph: Graph, op: Op) -> Iterator[tuple[int, tuple[int, ...]]]:
    for port in weight_ports(op):
        tensor = op.inputs[port]
        if graph.is_constant(tensor) and graph.is_real(tensor):
            shape = tuple(graph.op(tensor).node.output(0).get_shape())
            if op.type != "Gather" or (len(shape) >= 2 and _gathers_rows(graph, op)):
                yield port, channel_axes(op, port, shape)


def _gathers_rows(graph: Graph, op: Op) -> bool:
    """Whether a Gather picks along axis 0, so that each picked row has a scale of its own."""
    axis = graph.op(op.inputs[2])
    return axis.type == "Constant" and int(axis.node.data.reshape(-1)[0]) == 0


def first_layers(graph: Graph) -> frozenset[int]:
    """The first Convolution on every path from an input. Source: POT 2023.0.2, saturation fix."""
    found: set[int] = set()
    seen: set[int] = set()
    queue = [op for op in graph.ops if op.type == "Parameter"]
    while queue:
        op = queue.pop()
        for consumers in op.consumers:
            for port in consumers:
                if port.op in seen:
                    continue
                seen.add(port.op)
                if graph.op(port).type == "Convolution":
                    found.add(port.op)
                else:
                    queue.append(graph.op(port))
    return frozenset(found)


def is_saturable(graph: Graph, op: Op) -> bool:
    """Whether an operation sums products in pairs, which saturates without VNNI: not if
    depthwise."""
    return descriptor_type(graph, op) in LINEAR
