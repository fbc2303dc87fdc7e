"""Quantized weights -> integer constants: `Constant(i8) -> Convert -> [Subtract ->] Multiply`.

That is the form which OpenVINO's low-precision transformations read.
Source: OpenVINO documentation, low-precision transformations, "quantized weights".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.fake_quantize import Levels, to_integers
from quant.runtime import opset, ov
from quant.work import Work

_SIGNED = ((8, np.int8), (16, np.int16), (32, np.int32))
_UNSIGNED = ((8, np.uint8), (16, np.uint16), (32, np.uint32))


def fold(work: Work) -> None:
    """Replaces every FakeQuantize of a constant weight by integers and their scale."""
    for name, levels in work.levels.items():
        node = work.nodes[name]
        source = node.input_value(0).get_node()
        if source.get_type_name() == "Constant" and _fits(levels):
            folded = _integers(source, levels)
            folded.set_friendly_name(name)
            node.output(0).replace(folded.output(0))
            work.nodes[name] = folded


def _fits(levels: Levels) -> bool:
    return levels.levels <= 1 << 16


def _integers(constant: Any, levels: Levels) -> ov.Node:
    """The chain that computes the same values as the FakeQuantize did."""
    integers: NDArray[Any] = to_integers(constant.data, levels).astype(_width(levels))
    stored = opset.constant(integers)
    stored.set_friendly_name(constant.get_friendly_name())
    values = opset.convert(stored, constant.get_element_type().to_dtype())
    kind = constant.get_element_type().to_dtype()
    zero = levels.zero_point
    if zero.any():
        values = opset.subtract(values, opset.constant(zero.astype(kind)))
    return opset.multiply(values, opset.constant(levels.scale.astype(kind)))


def _width(levels: Levels) -> Any:
    """The narrowest type that holds the grid; one without negative integers is unsigned."""
    bits = int(np.ceil(np.log2(levels.levels)))
    return next(
        kind for width, kind in (_SIGNED if levels.first < 0 else _UNSIGNED) if bits <= width
    )
