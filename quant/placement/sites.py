"""Where activation quantizers go: as high above their readers as all readers of a tensor agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from quant.graph import Graph, Op, Port, Tensor
from quant.placement.demand import Demand, Role, moved_ports
from quant.placement.tables import CHANNEL_KEEPING, RECURRENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """An operation that executes in integers below a quantizer; whether axis 1 is still its
    channels."""

    port: Port
    keeps_channels: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One quantizer: on `tensor`, for the input ports `consumers`.

    `readers`: the integer operations that it serves, through pass-through operations.
    `mixers`: the multi-input operations that mix its tensor with others on the way.
    `is_output`: whether it serves every reader of the tensor.
    `is_smoothed`: whether it stands behind a scaling of the tensor's channels.
    `producer`: the operation whose result the target quantizes here.
    """

    tensor: Tensor
    consumers: tuple[Port, ...]
    readers: tuple[Reader, ...]
    mixers: tuple[int, ...]
    is_output: bool = False
    is_smoothed: bool = False
    producer: int | None = None


def sites(graph: Graph, demand: Demand) -> Iterator[Site]:
    """Every quantizer that the demand calls for, in topological order."""
    for op in graph.ops:
        if demand.is_covered(op):
            continue
        for port, consumers in enumerate(op.consumers):
            if not op.is_real[port] or not consumers:
                continue
            tensor = Tensor(op.index, port)
            site = _site(graph, demand, tensor, consumers)
            if site is not None:
                yield site
            if not graph.is_constant(tensor):
                yield from _apart(graph, demand, tensor, consumers)


def _apart(
    graph: Graph, demand: Demand, tensor: Tensor, consumers: tuple[Port, ...]
) -> Iterator[Site]:
    """A quantizer for all readers that the tensor is scaled for, one for all recurrent cells that
    it is the input of, and one for each state."""
    together: dict[tuple[bool, Port | None], list[Port]] = {}
    for port in filter(demand.is_apart, consumers):
        is_cell = graph.op(port).type in RECURRENT
        together.setdefault((is_cell, port if is_cell and port.port else None), []).append(port)
    for (is_cell, _), ports in together.items():
        yield Site(
            tensor=tensor,
            consumers=tuple(ports),
            readers=tuple(Reader(port=port, keeps_channels=False) for port in ports),
            mixers=(),
            is_smoothed=not is_cell,
        )


def _site(graph: Graph, demand: Demand, tensor: Tensor, consumers: tuple[Port, ...]) -> Site | None:
    is_constant = graph.is_constant(tensor)
    is_full = tensor in demand.full and not is_constant
    wanting = tuple(
        port
        for port in consumers
        if demand.wants(port) and not (is_constant and demand.roles[port.op] is Role.INTEGER)
    )
    if not wanting:
        return None
    if is_full:
        consumers = tuple(port for port in consumers if demand.roles[port.op] is not Role.UNSEEN)
    readers, mixers = _below(graph, demand, wanting)
    return Site(
        tensor=tensor,
        consumers=consumers if is_full else wanting,
        readers=tuple(readers),
        mixers=tuple(mixers),
        is_output=is_full,
    )


def _below(graph: Graph, demand: Demand, ports: tuple[Port, ...]) -> tuple[list[Reader], list[int]]:
    """The integer operations and the mixers reached through pass-through operations."""
    readers: dict[Port, Reader] = {}
    mixers: dict[int, None] = {}
    seen: set[tuple[Port, bool]] = set()
    queue = [(port, True) for port in reversed(ports)]
    while queue:
        port, keeps = queue.pop()
        if (port, keeps) in seen:
            continue
        seen.add((port, keeps))
        op = graph.op(port)
        role = demand.roles[op.index]
        if role is Role.INTEGER:
            readers[port] = Reader(port=port, keeps_channels=keeps)
        elif role is Role.PASS:
            if len(moved_ports(op)) > 1:
                mixers[op.index] = None
            keeps = keeps and op.type in CHANNEL_KEEPING
            queue += [(below, keeps) for below in _wanting(op, demand)]
    return list(readers.values()), list(mixers)


def _wanting(op: Op, demand: Demand) -> Iterator[Port]:
    for consumers in reversed(op.consumers):
        yield from (port for port in reversed(consumers) if demand.wants(port))
