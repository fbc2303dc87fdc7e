"""Quantizers on results, for targets that hand integers of a width of their own to every reader.

Source: POT 2023.0.2, output quantizers of GNA. Unlike POT, a reader's quantizer is also left out
where operations that only move values stand between it and the result, for then the values that
it gets lie on a grid already.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from quant.graph import Graph, Op, Tensor
from quant.placement.demand import Demand, Role, moved_ports
from quant.placement.kept import Kept
from quant.placement.sites import Site
from quant.placement.tables import bias_add, descriptor_type
from quant.target import Target

Producers = Mapping[Tensor, Op]


def with_outputs(
    graph: Graph, target: Target, kept: Kept, demand: Demand, placed: list[Site]
) -> list[Site]:
    """The sites and those of results, one where it serves both, in topological order."""
    producers = _producers(graph, target, kept, demand)
    served: dict[Tensor, list[Site]] = {}
    rest = []
    for site in placed:
        tops = _tops(graph, demand, producers, site.tensor)
        if not tops:
            rest.append(site)
        for top, mixers in tops.items():
            served.setdefault(top, []).append(_lifted(site, top, mixers))
    results = [
        _site(graph, demand, tensor, op, served.get(tensor, [])) for tensor, op in producers.items()
    ]
    return sorted((*rest, *results), key=lambda site: (site.tensor, site.consumers))


def _producers(graph: Graph, target: Target, kept: Kept, demand: Demand) -> Producers:
    """The operations whose results are quantized, by the tensor that leaves them: behind the
    bias."""
    found: dict[Tensor, Op] = {}
    for op in graph.ops:
        support = target.operations.get(descriptor_type(graph, op))
        is_integer = demand.roles[op.index] is Role.INTEGER or op.type == "Parameter"
        if support is None or not support.outputs or not is_integer or op.index in kept:
            continue
        tensor = Tensor((bias_add(graph, op) or op).index, 0)
        if graph.is_real(tensor) and graph.consumers(tensor):
            found[tensor] = op
    return found


def _tops(
    graph: Graph, demand: Demand, producers: Producers, tensor: Tensor
) -> dict[Tensor, tuple[int, ...]]:
    """The quantized results that a tensor is made of by moving values, each with the operations
    that mix it with others on the way; empty where other tensors have a part in it."""
    if tensor in producers:
        return {tensor: ()}
    op = graph.op(tensor)
    if demand.roles[op.index] is not Role.PASS:
        return {}
    sources = [op.inputs[port] for port in moved_ports(op)]
    found: dict[Tensor, tuple[int, ...]] = {}
    for source in sources:
        tops = _tops(graph, demand, producers, source)
        if not tops:
            return {}
        mixed = (op.index,) if len(sources) > 1 else ()
        found |= {top: (*mixers, *mixed) for top, mixers in tops.items()}
    return found


def _lifted(site: Site, top: Tensor, mixers: tuple[int, ...]) -> Site:
    """The site as seen from a result above it, where channels may stand on another axis."""
    if site.tensor == top:
        return site
    readers = tuple(dataclasses.replace(each, keeps_channels=False) for each in site.readers)
    return dataclasses.replace(site, readers=readers, mixers=(*mixers, *site.mixers))


def _site(graph: Graph, demand: Demand, tensor: Tensor, op: Op, served: list[Site]) -> Site:
    readers = {reader.port: reader for site in served for reader in site.readers}
    mixers = dict.fromkeys(mixer for site in served for mixer in site.mixers)
    ports = graph.consumers(tensor)
    return Site(
        tensor=tensor,
        consumers=tuple(port for port in ports if demand.roles[port.op] is not Role.UNSEEN),
        readers=tuple(readers.values()),
        mixers=tuple(mixers),
        is_output=True,
        producer=op.index,
    )
