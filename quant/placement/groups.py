"""Quantizers that must share one range because their tensors are mixed."""

from __future__ import annotations

from collections import Counter

from quant.graph import Graph, Op, attributes
from quant.placement.cells import alike
from quant.placement.sites import Site
from quant.placement.tables import LINEAR, descriptor_type
from quant.target import DEPTHWISE, Support, Target

_NEEDS_ONE_SCALE = LINEAR | {"ScaledDotProductAttention"}
"""A mixed tensor needs one scale only where its scale can't be split any more: below it stands
one of these."""


def groups(graph: Graph, target: Target, sites: list[Site]) -> list[str | None]:
    """Per site, the name of its group, or None. Groups of one are none."""
    parent = list(range(len(sites)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    meeting: dict[object, int] = {}
    for i, site in enumerate(sites):
        for place in _meeting_places(graph, target, site):
            parent[root(i)] = root(meeting.setdefault(place, i))
    roots = [root(i) for i in range(len(sites))]
    sizes = Counter(roots)
    return [f"group_{r}" if sizes[r] > 1 else None for r in roots]


def _meeting_places(graph: Graph, target: Target, site: Site) -> list[object]:
    """What makes a site share its range: mixers with a reader that needs one scale, those of
    anything but channels that are added to something, and unified ports, on the CPU also those of
    recurrent cells that it takes for one another."""
    places: list[object] = []
    supports = {r.port: _support(graph, target, r.port.op) for r in site.readers}
    needs_one = any(_needs_one_scale(graph, r.port.op) for r in site.readers)
    is_added = any(graph.op(r.port).type in ("Add", "Subtract") for r in site.readers)
    places += [
        ("mixer", index)
        for index in site.mixers
        if needs_one or (is_added and not _joins_channels(graph, graph.ops[index]))
    ]
    for port, support in supports.items():
        if support.unified_scales == "all":
            places.append(("operation", port.op))
        elif isinstance(support.unified_scales, tuple):
            owner = alike(graph, target, graph.op(port))[0]
            places += [
                ("ports", owner.index, ports)
                for ports in support.unified_scales
                if port.port in ports
            ]
    return places


def _joins_channels(graph: Graph, op: Op) -> bool:
    """Whether a Concat joins channels, so that each may keep its own scale. OpenVINO's CPU plugin
    (2026.4.1) takes scales along another axis, as of a class token and the others, for those of
    channels where a MatMul adds them to its result: 5 dB, or it does not compile."""
    rank = op.ranks[0]
    if op.type != "Concat" or rank is None:
        return op.type != "Concat"
    return bool(attributes(op)["axis"] % rank == (1 if rank > 3 else rank - 1))


def _support(graph: Graph, target: Target, index: int) -> Support:
    return target.operations[descriptor_type(graph, graph.ops[index])]


def _needs_one_scale(graph: Graph, index: int) -> bool:
    """Whether an operation takes one scale only, also where a depthwise one reads the same tensor:
    OpenVINO's CPU plugin (2026.4.1) would bring the tensors to one range by itself, and leave the
    narrower one fewer levels."""
    name = descriptor_type(graph, graph.ops[index])
    return graph.ops[index].type in _NEEDS_ONE_SCALE and name != DEPTHWISE
