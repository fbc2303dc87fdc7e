"""Recurrent cells that OpenVINO's CPU plugin takes for one another.

It (2026.4.1) keeps the compiled form of a cell by the shapes of its inputs and weights, and forgets
that the scales are a part of it: a second cell of the same shapes computes with the first one's
scales (random LSTMs of two equal layers 16 dB for 34). So such cells share their weights' scales,
and run in integers only where their inputs have one range by themselves, that of a hidden state.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from quant.graph import Graph, Op, Tensor, attributes
from quant.placement.tables import MOVING, RECURRENT, WEIGHT_PORTS


def first_alike(graph: Graph, cell: Op) -> Op:
    """The first cell of a graph that a cell is taken for: itself, or one of the same shapes."""
    return next(
        op for op in graph.ops if op.type == cell.type and _form(graph, op) == _form(graph, cell)
    )


def mistaken(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Cells that can't share their input's range with others of their form: all that do not read
    the hidden state of another cell, but for one where none does."""
    forms: dict[Any, list[Op]] = {}
    for op in graph.ops:
        if op.type in RECURRENT:
            forms.setdefault((op.type, *_form(graph, op)), []).append(op)
    for alike in forms.values():
        stacked = [op for op in alike if _is_hidden_state(graph, op.inputs[0])]
        for op in alike:
            if op not in (stacked or alike[:1]):
                other = (stacked or alike)[0].name
                yield op, f"OpenVINO would run it with the scales of {other!r}, of the same shapes"


def _form(graph: Graph, cell: Op) -> tuple[Any, ...]:
    weights = [graph.shape(cell.inputs[port]) for port in WEIGHT_PORTS[cell.type]]
    return (attributes(cell).get("direction"), *weights)


def _is_hidden_state(graph: Graph, tensor: Tensor) -> bool:
    """Whether a tensor holds what cells put out, moved about at most."""
    op = graph.op(tensor)
    if op.type in MOVING:
        return all(_is_hidden_state(graph, source) for _, source in graph.data_inputs(op))
    return op.type in RECURRENT and tensor.port < 2
