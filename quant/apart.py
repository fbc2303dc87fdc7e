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


def apart_from_extremes(tensor: ov.Output, quantizer: str) -> ov.Output:
    """What a quantizer is to read of a tensor: apart behind a maximum or a minimum over axes.

    OpenVINO's CPU plugin (2026.4.1) computes the quantizer together with those, and rounds their
    results before it scales them: 25 dB, and -1 where it multiplies, too.
    """
    found = tensor
    while found.get_node().get_type_name() in _TOGETHER:
        values = [v for v in found.get_node().input_values() if _is_computed(v)]
        if len(values) != 1:
            return tensor
        (found,) = values
    is_extreme = found.get_node().get_type_name() in ("ReduceMax", "ReduceMin")
    if not is_extreme:
        return tensor
    guarded = apart(tensor)
    guarded.set_friendly_name(f"{quantizer}/apart")
    return guarded.output(0)


_TOGETHER = COMPUTED_TOGETHER | {"Reshape", "Squeeze", "Unsqueeze"}


def _is_computed(tensor: ov.Output) -> bool:
    return bool(tensor.get_node().get_type_name() != "Constant")
