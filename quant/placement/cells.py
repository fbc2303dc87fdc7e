"""Recurrent cells that OpenVINO's CPU plugin takes for one another.

It (2026.4.1) keeps the compiled form of a cell by the types and shapes of what it reads, and
forgets that the scales are a part of it: a second cell of the same shapes computes with the first
one's scales (three stacked LSTMs of 64 units 16 dB for 33). So such cells share all their scales;
`quant.steps.cell_inputs` brings what they read to one range.
"""

from __future__ import annotations

from typing import Any

from quant.graph import Graph, Op, Tensor, attributes
from quant.placement.tables import MOVING, RECURRENT, WEIGHT_PORTS
from quant.target import Target


def alike(graph: Graph, target: Target, op: Op) -> list[Op]:
    """The cells of a graph that a cell is taken for, those of the same shapes, itself among them;
    any other operation alone."""
    if op.type not in RECURRENT or target.device != "CPU":
        return [op]
    cells = [each for each in graph.ops if each.type == op.type]
    return [each for each in cells if _form(graph, each) == _form(graph, op)]


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
