"""Attention masks, kept out of what OpenVINO takes for scales.

OpenVINO's low-precision transformations take `(x - 1) * c` for integers with zero point and scale,
and add `b` before they multiply by the scale: `(x - (1 - b / c)) * c`. Where `c` masks scores out,
`b`, such as the bias of relative positions, is nothing beside 1: an encoder of T5 has 6 dB instead
of 30 (2026.4.1).
"""

from __future__ import annotations

import numpy as np

from quant.apart import apart
from quant.runtime import ov

_LARGE = 1e4
"""From here on f32 holds less than four digits of `1 - b / c` for a `b` of 1."""


def guard_masks(model: ov.Model) -> None:
    """Keeps what is multiplied by such a number apart."""
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Multiply" or not _is_masking(node):
            continue
        readers = [
            port
            for port in node.output(0).get_target_inputs()
            if port.get_node().get_type_name() not in ("Result", "Maximum")
        ]
        if not readers:
            continue
        guarded = apart(node)
        for port in readers:
            port.replace_source_output(guarded.output(0))


def _is_masking(node: ov.Node) -> bool:
    factors = [value.get_node() for value in node.input_values()]
    return node.get_element_type() == ov.Type.f32 and any(map(is_masking, factors))


def is_masking(node: ov.Node) -> bool:
    """Whether a node is a floating-point constant of nothing but numbers as large as masks'."""
    return (
        node.get_type_name() == "Constant"
        and node.get_element_type().is_real()
        and node.data.size > 0
        and bool((np.abs(node.data) >= _LARGE).all())
    )
