"""Quantizers as operations: FakeQuantize, or for finer grids its arithmetic spelled out.

OpenVINO's CPU plugin removes a FakeQuantize of 65,536 levels, refuses a model that holds no other,
and computes garbage where it fuses one of 65,535 into a normalization (measured with 2026.4.1). It
knows no integer kernels of more than 8 bits either, so nothing is lost by spelling them out.

Of 8 bits it knows 256 levels: one of 255 costs activations 14 dB, and where one of 128 stands in
a model with integer weights, a tensor that is read twice comes out wrong. A part of the 256
levels is those of a whole FakeQuantize behind bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.fake_quantize import Levels
from quant.runtime import opset, ov

MOST_LEVELS = 256
"""Levels of 8 bits, the most that OpenVINO's plugins execute as FakeQuantize is defined."""

_TOLD = 1e-4
"""Of a range: f32 leaves less of no shift at all, and levels are moved by more. f16 leaves more."""

_WITHIN = "/within_levels"
"""What the names of the bounds of a narrowed grid end in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What becomes of a tensor's values on the way in: `(x - shift) / factor`, per channel."""

    factor: NDArray[Any] | float = 1.0
    shift: NDArray[Any] | float = 0.0

    def done(self, values: NDArray[Any]) -> NDArray[Any]:
        """What becomes of the given values; themselves where nothing does."""
        if not np.any(self.shift) and np.all(np.asarray(self.factor) == 1):
            return values
        return np.asarray((values - self.shift) / self.factor, dtype=values.dtype)

    def undone(self, values: NDArray[Any]) -> NDArray[Any]:
        """The tensor's values that become the given ones."""
        return np.asarray(values * self.factor + self.shift)


PLAIN = Stretch()


def quantizing(source: ov.Output, levels: Levels, stretch: Stretch = PLAIN) -> ov.Node:
    """The operations that quantize a tensor, whatever the number of levels."""
    if levels.levels > MOST_LEVELS:
        return _spelled_out(source, levels, stretch)
    if levels.bits == 8 and levels.levels < MOST_LEVELS:
        return fake_quantize(_within(source, levels, stretch), _whole(levels), stretch)
    return fake_quantize(source, levels, stretch)


def fake_quantize(source: ov.Output, levels: Levels, stretch: Stretch = PLAIN) -> ov.Node:
    """FakeQuantize of a tensor."""
    kind = source.get_element_type().to_dtype()
    low, high = opset.constant(levels.low.astype(kind)), opset.constant(levels.high.astype(kind))
    ends = [opset.constant(stretch.undone(end).astype(kind)) for end in (levels.low, levels.high)]
    return opset.fake_quantize(source, *ends, low, high, levels.levels)


def stretched(x: ov.Node, stretch: Stretch) -> ov.Node:
    """What a quantizer rounds: the tensor as it is stretched on the way in, in f32."""
    if np.any(stretch.shift):
        x = opset.subtract(x, opset.constant(np.asarray(stretch.shift, np.float32)))
    if np.any(np.asarray(stretch.factor) != 1):
        x = opset.divide(x, opset.constant(np.asarray(stretch.factor, np.float32)))
    return x


def taken_off(node: ov.Node) -> NDArray[Any] | None:
    """What a quantizer's shift takes off its results, `[C]`; None where it has none."""
    if node.get_type_name() != "FakeQuantize":
        return None
    input_low, input_high, low, high = (_value(node, port) for port in range(1, 5))
    factor = (input_high - input_low) / (high - low)
    shift = np.asarray(input_low / factor - low)
    told = max(_TOLD, 2 * float(np.finfo(low.dtype).eps))
    return shift.reshape(-1) if (np.abs(shift) > told * (high - low)).any() else None


def bounded(node: ov.Node) -> tuple[ov.Output, ov.Output, ov.Output] | None:
    """What the last operation of a quantizer made here bounds, and the ends of its range; None
    where the quantizer of a constant has become integers."""
    while node.get_type_name() not in ("FakeQuantize", "Clamp"):
        if node.get_type_name() == "Constant":
            return None
        node = node.input_value(0).get_node()
    if node.get_type_name() == "FakeQuantize":
        within = node.input_value(0).get_node()
        if within.get_friendly_name().endswith(_WITHIN):
            least = within.input_value(0).get_node()
            return least.input_value(0), within.input_value(1), least.input_value(1)
        return node.input_value(0), node.input_value(1), node.input_value(2)
    ends = (np.float32(node.get_attributes()[key]) for key in ("min", "max"))
    low, high = (opset.constant(end).output(0) for end in ends)
    return node.input_value(0), low, high


def unrounded(node: ov.Node) -> ov.Output | None:
    """What a quantizer made here would compute without rounding, bounds and shift: its tensor over
    the factor; None where it has become integers."""
    kind, ends = node.output(0).get_element_type(), []
    while node.get_type_name() not in ("FakeQuantize", "Divide"):
        if node.get_type_name() == "Constant":
            return None
        if node.get_type_name() == "Multiply":
            ends = [_value(node, 1)]
        node = node.input_value(0).get_node()
    found = bounded(node) if node.get_type_name() == "FakeQuantize" else None
    x = node.input_value(0) if found is None else found[0]
    ends = ends or [_value(node, 4) - _value(node, 3)]
    stretch = (_value(node, 1) if found is None else _value(node, 2) - _value(node, 1)) / ends[0]
    if (stretch != 1).any():
        x = opset.divide(x, opset.constant(stretch)).output(0)
    return x if x.get_element_type() == kind else opset.convert(x, kind.to_dtype()).output(0)


def _value(node: ov.Node, port: int) -> NDArray[Any]:
    """The constant that an operation reads."""
    return np.asarray(node.input_value(port).get_node().data)


def _within(source: ov.Output, levels: Levels, stretch: Stretch) -> ov.Output:
    """The tensor between the lowest and the highest level."""
    kind = source.get_element_type().to_dtype()
    low, high = (
        opset.constant(stretch.undone(end).astype(kind)) for end in (levels.low, levels.high)
    )
    node = opset.maximum(opset.minimum(source, high), low)
    node.set_friendly_name(f"{node.get_friendly_name()}{_WITHIN}")
    return node.output(0)


def _whole(levels: Levels) -> Levels:
    """The same scale and zero point with all integers of 8 bits.

    >>> low, high = np.float32([-0.5]), np.float32([0.5])
    >>> part = Levels(low=low, high=high, levels=101, first=-50)
    >>> whole = _whole(part)
    >>> ends = [round(float(end[0]), 2) for end in (whole.low, whole.high)]
    >>> whole.levels, whole.first, ends
    (256, -128, [-1.28, 1.27])
    """
    first = -MOST_LEVELS // 2 if levels.first < 0 else 0
    below = levels.first - first
    above = MOST_LEVELS - below - levels.levels
    low, high = levels.low - below * levels.scale, levels.high + above * levels.scale
    kind = levels.low.dtype
    return replace(
        levels, low=low.astype(kind), high=high.astype(kind), levels=MOST_LEVELS, first=first
    )


def _spelled_out(source: ov.Output, levels: Levels, stretch: Stretch) -> ov.Node:
    """Clamp(Round(stretched x / scale + zero point)) - zero point, times scale, in f32."""
    zero = levels.zero_point.astype(np.float32)
    kind = source.get_element_type()
    x = source if kind == ov.Type.f32 else opset.convert(source, np.float32)
    x = stretched(x, stretch)
    x = opset.divide(x, opset.constant(levels.scale.astype(np.float32)))
    x = opset.add(x, opset.constant(zero)) if zero.any() else x
    x = opset.clamp(opset.round(x, "half_to_even"), levels.first, levels.first + levels.levels - 1)
    x = opset.subtract(x, opset.constant(zero)) if zero.any() else x
    x = opset.multiply(x, opset.constant(levels.scale.astype(np.float32)))
    return x if kind == ov.Type.f32 else opset.convert(x, kind.to_dtype())
