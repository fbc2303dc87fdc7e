"""The bias of a linear operation: the Add of a constant that alone reads its output."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.runtime import opset, ov
from quant.work import Work

Array = NDArray[Any]

MADE = "corrected_bias"
"""The last part of the name of a bias that is made where there was none."""


def bias_of(node: ov.Node, axis: int, channels: int) -> tuple[ov.Node, Any] | None:
    """The Add and its constant, which holds one value for each channel of the output's `axis`."""
    readers = list(node.output(0).get_target_inputs())
    if len(readers) != 1 or readers[0].get_node().get_type_name() != "Add":
        return None
    add = readers[0].get_node()
    constant = add.input_value(1 - readers[0].get_index()).get_node()
    if constant.get_type_name() != "Constant":
        return None
    shape = tuple(constant.data.shape)
    full = tuple(channels if size == -1 else 1 for size in _shape(node, axis, len(shape)))
    return (add, constant) if shape == full and -1 in _shape(node, axis, len(shape)) else None


def add_to_bias(node: ov.Node, axis: int, shift: Array) -> None:
    """Adds `shift`, `[C]`, to the channels of the output's `axis`; a missing bias is made."""
    found = bias_of(node, axis, len(shift))
    if found is None:
        _make_bias(node, axis, shift)
        return
    add, bias = found
    values = bias.data + shift.reshape(_shape(node, axis, bias.data.ndim))
    changed = opset.constant(values.astype(bias.data.dtype))
    changed.set_friendly_name(bias.get_friendly_name())
    port = 1 if add.input_value(1).get_node().get_name() == bias.get_name() else 0
    add.input(port).replace_source_output(changed.output(0))


def output_axis(node: ov.Node) -> int:
    """The axis of a linear operation's output that holds its channels."""
    rank: int = node.output(0).get_partial_shape().rank.get_length()
    return rank - 1 if node.get_type_name() == "MatMul" else 1


def biased(node: ov.Node, channels: int) -> ov.Output:
    """What a linear operation computes, bias included if it has one."""
    found = bias_of(node, output_axis(node), channels)
    return (node if found is None else found[0]).output(0)


def correct_bias(work: Work, node: ov.Node, shift: Array, threshold: float | None) -> bool:
    """Adds `shift`, `[C]`, to a linear operation's bias and keeps word of it; tells whether it did.

    A shift above `threshold` times the bias, in any channel with a bias, is left out.
    """
    name, axis = node.get_friendly_name(), output_axis(node)
    found = bias_of(node, axis, len(shift))
    if found is not None and found[0].get_friendly_name().endswith(MADE):
        found = None  # it had no bias of its own
    if found is not None and threshold is not None and _exceeds(shift, found[1], threshold):
        work.notes[name] = f"bias not corrected: its shift exceeds {threshold} times the bias"
        return False
    add_to_bias(node, axis, shift)
    work.bias_shifts[name] = float(np.abs(shift).max(initial=0))
    return True


def _exceeds(shift: Array, bias: Any, threshold: float) -> bool:
    values = np.broadcast_to(bias.data.reshape(-1), shift.shape)
    known = values != 0
    return bool((np.abs(shift[known]) > threshold * np.abs(values[known])).any())


def _shape(node: ov.Node, axis: int, rank: int) -> list[int]:
    """The shape of a bias of the given rank, aligned to the right: -1 on the channel axis, 1
    elsewhere."""
    below = node.output(0).get_partial_shape().rank.get_length() - axis
    return [-1 if place == rank - below else 1 for place in range(rank)]


def _make_bias(node: ov.Node, axis: int, shift: Array) -> None:
    output = node.output(0)
    readers = list(output.get_target_inputs())
    names = output.get_names()
    rank = output.get_partial_shape().rank.get_length()
    kind = output.get_element_type().to_dtype()
    name = f"{node.get_friendly_name()}/{MADE}"
    bias = opset.constant(shift.reshape(_shape(node, axis, rank)).astype(kind))
    bias.set_friendly_name(f"{name}/values")
    add = opset.add(node, bias)
    add.set_friendly_name(name)
    for reader in readers:
        reader.replace_source_output(add.output(0))
    if any(reader.get_node().get_type_name() == "Result" for reader in readers):
        output.set_names(set())
        add.output(0).set_names(names)
