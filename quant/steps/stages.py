"""Operations by depth: those that can be worked on at once, one stage after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from quant.graph import Graph

T = TypeVar("T")


def stages(graph: Graph, sites: Mapping[int, T]) -> tuple[tuple[T, ...], ...]:
    """The sites, given by their operation's index, by the most sites that lie above them."""
    depths: list[int] = []
    found: dict[int, list[T]] = {}
    for op in graph.ops:
        above = max((depths[i.op] + (i.op in sites) for i in op.inputs), default=0)
        depths.append(above)
        if op.index in sites:
            found.setdefault(above, []).append(sites[op.index])
    return tuple(tuple(found[depth]) for depth in sorted(found))
