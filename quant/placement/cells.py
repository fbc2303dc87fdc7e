"""Recurrent cells that OpenVINO's CPU plugin takes for one another.

It (2026.4.1) keeps the compiled form of a cell by the shapes of its inputs and weights, and forgets
that the scales are a part of it: a second cell of the same shapes computes with the first one's
scales (random LSTMs of two equal layers 16 dB for 34). So such cells share their weights' scales,
and run in integers only where their inputs have one range by themselves, that of a hidden state.
"""

from __future__ import annotations

from typing import Any

from quant.graph import Graph, Op, Port, Tensor, attributes
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
        stacked = [op for op in alike if _reads_states_alone(graph, op)]
        for op in alike:
            if op not in (stacked or alike[:1]):
                other = (stacked or alike)[0].name
                why = f"OpenVINO would run it with the scales of {other!r}, of the same shapes"
                found[op.index] = why
    return found


def _form(graph: Graph, cell: Op) -> tuple[Any, ...]:
    weights = [graph.shape(cell.inputs[port]) for port in WEIGHT_PORTS[cell.type]]
    return (attributes(cell).get("direction"), *weights)


def _reads_states_alone(graph: Graph, cell: Op) -> bool:
    """Whether a cell's input has the range of a hidden state: nothing joins that with others."""
    tensors = [cell.inputs[0]]
    if not is_hidden_state(graph, tensors[0]):
        return False
    while tensors:  # up to the cells, and from each tensor on the way down to where it is joined
        tensor = tensors.pop()
        if any(_meets_others(graph, port) for port in graph.consumers(tensor)):
            return False
        op = graph.op(tensor)
        if op.type in MOVING:
            tensors += [source for _, source in graph.data_inputs(op)]
    return True


def _meets_others(graph: Graph, port: Port) -> bool:
    """Whether what goes into a port is joined with what is no hidden state, further down."""
    op = graph.op(port)
    if op.type == "Concat" and not all(is_hidden_state(graph, each) for each in op.inputs):
        return True
    below = (each for readers in op.consumers for each in readers) if op.type in MOVING else ()
    return any(_meets_others(graph, each) for each in below)


def is_hidden_state(graph: Graph, tensor: Tensor) -> bool:
    """Whether a tensor holds what cells put out, moved about at most."""
    op = graph.op(tensor)
    if op.type in MOVING:
        sources = op.inputs if op.type == "Concat" else op.inputs[:1]
        return all(is_hidden_state(graph, source) for source in sources)
    return op.type in RECURRENT and tensor.port < 2
