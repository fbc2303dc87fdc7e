"""Recurrent cells in one form: of one direction, each with weights of its own.

OpenVINO's CPU plugin splits bidirectional cells itself, but only where weights are plain constants:
with integer weights it refuses the model (2026.4.1). And what a cell reads is scaled to go with its
weights, which can't be done with those of others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from quant.runtime import opset, ov

_STATES = {"LSTMSequence": (1, 2), "GRUSequence": (1,)}
"""Ports of initial states, `[batch, directions, hidden]`."""

_CONSTANTS = {"LSTMSequence": (4, 5, 6), "GRUSequence": (3, 4, 5)}
"""Ports of W, R and the biases, which have the directions on axis 0."""

_SETTINGS = (
    *("hidden_size", "activations", "activations_alpha", "activations_beta", "clip"),
    "linear_before_reset",
)
"""Attributes of cells; the last one is a GRU's alone."""


def split_directions(model: ov.Model) -> None:
    """Replaces every bidirectional LSTMSequence and GRUSequence whose weights are constants."""
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind in _CONSTANTS and node.get_attributes()["direction"] == "bidirectional":
            sources = [node.input_value(port).get_node() for port in _CONSTANTS[kind]]
            if all(source.get_type_name() == "Constant" for source in sources):
                _split(node)


def own_weights(model: ov.Model) -> None:
    """Gives every LSTMSequence and GRUSequence copies of the weights that others read, too."""
    for node in model.get_ordered_ops():
        for port in _CONSTANTS.get(node.get_type_name(), ())[:2]:
            source = node.input_value(port)
            constant = source.get_node()
            if constant.get_type_name() == "Constant" and len(source.get_target_inputs()) > 1:
                copy = opset.constant(constant.data.copy())
                copy.set_friendly_name(f"{constant.get_friendly_name()}/{node.get_friendly_name()}")
                node.input(port).replace_source_output(copy.output(0))


def _split(node: ov.Node) -> None:
    name = node.get_friendly_name()
    cells = [_cell(node, i, direction) for i, direction in enumerate(("forward", "reverse"))]
    for port in range(node.get_output_size()):
        both = opset.concat([cell.output(port) for cell in cells], 1)
        both.set_friendly_name(f"{name}/joined_{port}")
        node.output(port).replace(both.output(0))


def _cell(node: ov.Node, index: int, direction: str) -> ov.Node:
    """One direction of a bidirectional cell."""
    kind, name = node.get_type_name(), node.get_friendly_name()
    inputs = node.input_values()
    for port in _STATES[kind]:
        if inputs[port].get_node().get_type_name() == "Constant":
            inputs[port] = _half(inputs[port], np.s_[:, index : index + 1], direction)
            continue
        halves = opset.split(inputs[port], opset.constant(np.int64(1)), 2)
        halves.set_friendly_name(f"{name}/states_{port}_{direction}")
        inputs[port] = halves.output(index)
    for port in _CONSTANTS[kind]:
        inputs[port] = _half(inputs[port], np.s_[index : index + 1], direction)
    cell = _MAKERS[kind](*inputs, direction=direction, **_settings(node))
    cell.set_friendly_name(f"{name}/{direction}")
    return cell


def _half(constant: ov.Output, place: Any, direction: str) -> ov.Output:
    """A direction's part of a constant."""
    node = constant.get_node()
    half = opset.constant(np.ascontiguousarray(node.data[place]))
    half.set_friendly_name(f"{node.get_friendly_name()}/{direction}")
    return half.output(0)


def _settings(node: ov.Node) -> dict[str, Any]:
    """The cell's attributes but its direction, as its maker takes them."""
    found = dict(node.get_attributes())
    return {key: found[key] for key in _SETTINGS if found.get(key) is not None}


_MAKERS = {"LSTMSequence": opset.lstm_sequence, "GRUSequence": opset.gru_sequence}
