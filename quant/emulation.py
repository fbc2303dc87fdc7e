"""Quantizers as operations: FakeQuantize, or for finer grids its arithmetic spelled out.

OpenVINO's CPU plugin removes a FakeQuantize of 65,536 levels, refuses a model that holds no other,
and computes garbage where it fuses one of 65,535 into a normalization (measured with 2026.4.1). It
knows no integer kernels of more than 8 bits either, so nothing is lost by spelling them out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.fake_quantize import Levels
from quant.runtime import opset, ov

MOST_LEVELS = 256
"""Levels up to which OpenVINO's plugins execute FakeQuantize as it is defined."""


Stretch = NDArray[Any] | float
"""What a tensor's values are divided by on the way in."""


def quantizing(source: ov.Output, levels: Levels, stretch: Stretch = 1) -> ov.Node:
    """The operations that quantize a tensor, whatever the number of levels."""
    if levels.levels > MOST_LEVELS:
        return _spelled_out(source, levels, stretch)
    return fake_quantize(source, levels, stretch)


def fake_quantize(source: ov.Output, levels: Levels, stretch: Stretch = 1) -> ov.Node:
    """FakeQuantize of a tensor."""
    kind = source.get_element_type().to_dtype()
    low, high = opset.constant(levels.low.astype(kind)), opset.constant(levels.high.astype(kind))
    ends = [opset.constant((end * stretch).astype(kind)) for end in (levels.low, levels.high)]
    return opset.fake_quantize(source, *ends, low, high, levels.levels)


def bounded(node: ov.Node) -> tuple[ov.Output, ov.Output, ov.Output]:
    """What the last operation of a quantizer made here bounds, and the ends of its range."""
    while node.get_type_name() not in ("FakeQuantize", "Clamp"):
        node = node.input_value(0).get_node()
    if node.get_type_name() == "FakeQuantize":
        return node.input_value(0), node.input_value(1), node.input_value(2)
    ends = (np.float32(node.get_attributes()[key]) for key in ("min", "max"))
    low, high = (opset.constant(end).output(0) for end in ends)
    return node.input_value(0), low, high


def _spelled_out(source: ov.Output, levels: Levels, stretch: Stretch) -> ov.Node:
    """Clamp(Round(x / (scale * stretch) + zero point)) - zero point, times scale, in f32."""
    zero = levels.zero_point.astype(np.float32)
    kind = source.get_element_type()
    x = source if kind == ov.Type.f32 else opset.convert(source, np.float32)
    x = opset.divide(x, opset.constant((levels.scale * stretch).astype(np.float32)))
    x = opset.add(x, opset.constant(zero)) if zero.any() else x
    x = opset.clamp(opset.round(x, "half_to_even"), levels.first, levels.first + levels.levels - 1)
    x = opset.subtract(x, opset.constant(zero)) if zero.any() else x
    x = opset.multiply(x, opset.constant(levels.scale.astype(np.float32)))
    return x if kind == ov.Type.f32 else opset.convert(x, kind.to_dtype())
