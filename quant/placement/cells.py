"""Recurrent cells that OpenVINO's CPU plugin takes for one another.

It (2026.4.1) keeps the compiled form of a cell by the types and shapes of what it reads, and
forgets that the scales are a part of it: a second cell of the same shapes computes with the first
one's scales (three stacked LSTMs of 64 units 16 dB for 33). So such cells share all their scales,
and run in integers only where they read hidden states, which one range holds.
"""

from __future__ import annotations

from typing import Any

from quant.graph import Graph, Op, Tensor, attributes
from quant.placement.kept import Kept
from quant.placement.tables import MOVING, RECURRENT, WEIGHT_PORTS


def first_alike(graph: Graph, cell: Op) -> Op:
    """The first cell of a graph that a cell is taken for: itself, or one of the same shapes."""
    return next(
        op for op in graph.ops if op.type == cell.type and _form(graph, op) == _form(graph, cell)
    )


def mistaken(graph: Graph, floats: Kept) -> Kept:
    """Cells that can't share their input's range with others of their form: all that do not read
    the hidden state of another cell, but for one where none does.

    Args:
        floats: what stays in floating point anyway.
    """
    forms: dict[Any, list[Op]] = {}
    for op in graph.ops:
        if op.type in RECURRENT and op.index not in floats:
            forms.setdefault((op.type, *_form(graph, op)), []).append(op)
    found: Kept = {}
    for alike in forms.values():
        stacked = [op for op in alike if is_hidden_state(graph, op.inputs[0])]
        for op in alike:
            if op not in (stacked or alike[:1]):
                other = (stacked or alike)[0].name
                why = f"OpenVINO would run it with the scales of {other!r}, of the same shapes"
                found[op.index] = why
    return found


def _form(graph: Graph, cell: Op) -> tuple[Any, ...]:
    weights = [graph.shape(cell.inputs[port]) for port in WEIGHT_PORTS[cell.type]]
    has_constant_state = graph.is_constant(cell.inputs[1])  # which stays in floating point
    return (attributes(cell).get("direction"), has_constant_state, *weights)


def is_hidden_state(graph: Graph, tensor: Tensor) -> bool:
    """Whether a tensor holds what cells put out, moved about at most."""
    op = graph.op(tensor)
    if op.type in MOVING:
        sources = op.inputs if op.type == "Concat" else op.inputs[:1]
        return all(is_hidden_state(graph, source) for source in sources)
    return op.type in RECURRENT and tensor.port < 2
