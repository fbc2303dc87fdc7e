"""Quantized weights -> integer constants: `Constant(int) -> Convert -> [Subtract ->] Multiply`.

That is the form which OpenVINO's low-precision transformations read.
Source: OpenVINO documentation, low-precision transformations, "quantized weights".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.emulation import PLAIN
from quant.fake_quantize import Levels, to_integers
from quant.runtime import NO_DYNAMIC_QUANTIZATION, opset, ov
from quant.work import Work

Array = NDArray[Any]

_SIGNED = ((4, ov.Type.i4), (8, ov.Type.i8), (16, ov.Type.i16))
_UNSIGNED = ((4, ov.Type.u4), (8, ov.Type.u8), (16, ov.Type.u16))
_HALVES = (ov.Type.i4, ov.Type.u4)
_WIDEST = 16


def fold(work: Work) -> None:
    """Replaces every FakeQuantize of a constant by integers and their scale; the numbers that they
    come from are let go one by one."""
    for name, levels in work.levels.items():
        if name not in work.nodes:
            continue
        node = work.nodes[name]
        source = node.input_value(0).get_node()
        if source.get_type_name() == "Constant" and levels.bits <= _WIDEST:
            values = work.stretches.get(name, PLAIN).done(source.data)
            folded = _integers(source, values, levels, work.integers.pop(name, None))
            folded.set_friendly_name(name)
            node.output(0).replace(folded.output(0))
            work.nodes[name] = folded
            work.nodes.pop(source.get_friendly_name(), None)
    if work.has_mixed_layers or any(levels.bits != 8 for levels in work.levels.values()):
        forbid_dynamic_quantization(work.model)


def forbid_dynamic_quantization(model: ov.Model) -> None:
    """Has the model tell devices that run it not to quantize activations on their own.

    OpenVINO's CPU plugin does so, to 8 bits, where a MatMul's weights are integers and its
    activations are not of 8 bits: a MatMul of 8 x 16 bits then has 40 dB against its own
    arithmetic, else 98 dB (measured with 2026.4.1). The model keeps this when it is saved.
    """
    model.set_rt_info("0", NO_DYNAMIC_QUANTIZATION)


def _integers(constant: Any, values: Array, levels: Levels, integers: Array | None) -> ov.Node:
    """The chain that computes what the FakeQuantize made of a constant's values, or of integers if
    given."""
    stored = _stored(values, levels, integers)
    stored.set_friendly_name(constant.get_friendly_name())
    kind = constant.get_element_type().to_dtype()
    found = opset.convert(stored, kind)
    zero = levels.zero_point
    if zero.any():
        found = opset.subtract(found, opset.constant(zero.astype(kind)))
    return opset.multiply(found, opset.constant(levels.scale.astype(kind)))


def unfolded(node: ov.Node) -> ov.Node | None:
    """The numbers that folded weights stand for, as one constant; None for any other operation."""
    if node.get_type_name() != "Multiply":
        return None
    values, scale = (node.input_value(i).get_node() for i in (0, 1))
    zero = None
    if values.get_type_name() == "Subtract":
        values, zero = (values.input_value(i).get_node() for i in (0, 1))
    stored = values.input_value(0).get_node() if values.get_type_name() == "Convert" else values
    parts = [each for each in (stored, zero, scale) if each is not None]
    if stored is values or any(each.get_type_name() != "Constant" for each in parts):
        return None
    kind = node.output(0).get_element_type().to_dtype()
    numbers = stored.get_data(dtype=kind) - (0 if zero is None else zero.data)
    return opset.constant(numbers * scale.data)


def _stored(weights: Array, levels: Levels, integers: Array | None) -> Any:
    """The constant, two integers to a byte where they have 4 bits: the first in the lower half."""
    kind = _width(levels)
    tensor = ov.Tensor(kind, ov.Shape(weights.shape))  # of its own: no copy of numpy's is made
    if kind not in _HALVES:
        if integers is None:
            to_integers(weights, levels, out=tensor.data)
        else:
            tensor.data[...] = integers
        return ov.op.Constant(tensor)
    if integers is None:
        integers = to_integers(weights, levels, out=np.empty(weights.shape, np.int8))
    halves = np.resize(integers.view(np.uint8) & 15, integers.size + 1)
    packed = halves[0:-1:2] | halves[1::2][: len(halves[0:-1:2])] << 4
    tensor.data.reshape(-1)[:] = packed
    return ov.op.Constant(tensor)


def _width(levels: Levels) -> ov.Type:
    """The narrowest type that holds the width; a grid without negative integers is unsigned."""
    types = _SIGNED if levels.first < 0 else _UNSIGNED
    return next(kind for width, kind in types if levels.bits <= width)
