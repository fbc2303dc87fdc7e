"""A tensor as it is, behind what OpenVINO does to integers.

A model with a quantizer anywhere goes through OpenVINO's low-precision transformations, which move
scales and zero points down through what only adds, multiplies or moves. No operation of theirs
passes a Maximum (2026.4.1).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from quant.runtime import opset, ov

_LOWEST = np.finfo(np.float32).min


def apart(tensor: Any) -> ov.Node:
    """The same finite f32 values, to which no scale or zero point comes down."""
    return opset.maximum(tensor, opset.constant(_LOWEST))
