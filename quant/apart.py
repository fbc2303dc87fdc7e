"""A tensor as it is, behind what OpenVINO does to integers.

A model with a quantizer anywhere goes through OpenVINO's low-precision transformations, which move
scales and zero points down through what only adds, multiplies or moves. No operation of theirs
passes a Maximum (2026.4.1).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from quant.placement.tables import COMPUTED_TOGETHER
from quant.runtime import opset, ov

_LOWEST = np.finfo(np.float32).min


def apart(tensor: Any) -> ov.Node:
    """The same finite f32 values, to which no scale or zero point comes down."""
    return opset.maximum(tensor, opset.constant(_LOWEST))


def apart_from_above(tensor: ov.Output, quantizer: str) -> ov.Output:
    """What a quantizer is to read of a tensor: apart behind some operations.

    OpenVINO's CPU plugin (2026.4.1) computes the quantizer together with maxima and minima over
    axes, and rounds their results before it scales them: 25 dB, and -1 where it multiplies, too.
    Small products of matrices, such as the heads of many a net, it computes together with the next
    one, and reads memory that is not theirs where scales differ: 0 dB and below.
    """
    found = tensor
    while found.get_node().get_type_name() in _TOGETHER:
        values = [v for v in found.get_node().input_values() if _is_computed(v)]
        if len(values) != 1:
            return tensor
        (found,) = values
    top = found.get_node()
    if top.get_type_name() not in ("ReduceMax", "ReduceMin") and not _is_small_product(top):
        return tensor
    guarded = apart(tensor)
    guarded.set_friendly_name(f"{quantizer}/apart")
    return guarded.output(0)


_TOGETHER = COMPUTED_TOGETHER | {"Reshape", "Squeeze", "Unsqueeze"}


def _is_small_product(node: ov.Node) -> bool:
    """Whether a node is a product of matrices that may be computed together with the next one: seen
    up to 8 rows and 256 columns."""
    if node.get_type_name() != "MatMul":
        return False
    shapes = [each.get_partial_shape() for each in (*node.input_values(), node.output(0))]
    if any(each.is_dynamic or len(each) != 2 for each in shapes):
        return False
    return bool(
        shapes[2].to_shape()[0] <= _ROWS
        and max(n for s in shapes for n in s.to_shape()) <= _COLUMNS
    )


_ROWS, _COLUMNS = 32, 512


def _is_computed(tensor: ov.Output) -> bool:
    return bool(tensor.get_node().get_type_name() != "Constant")
