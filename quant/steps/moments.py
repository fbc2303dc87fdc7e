"""Second moments of a layer's inputs and outputs, computed inside the graph.

Inputs are as the layer multiplies them: for a convolution the patches under its kernel, in the
order [tap, channel]. Only sums over positions leave the graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.apart import apart
from quant.plan import TuningSite
from quant.runtime import opset, ov

Array = NDArray[Any]

LARGEST = 1 << 23
"""Numbers per sample that a layer's moments are summed over; of larger layers every n-th position
is taken."""


def moments_of(x: ov.Output, y: ov.Output, node: ov.Node, site: TuningSite) -> list[ov.Node]:
    """Two results for one sample: `[G, D + 1, D + 1 + O]`, inputs times inputs and outputs, and
    the outputs' squares, `[G, O]`.

    Args:
        x: the input of the layer.
        y: the output that it is to have.
        node: the layer.
    """
    x = apart(opset.convert(x, "f32"))  # else zeros around a picture may be no zeros in integers
    y = opset.convert(y, "f32")
    is_matmul = node.get_type_name() == "MatMul"
    inputs = _rows(x) if is_matmul else _patches(x, node, site)
    outputs = _rows(y) if is_matmul else _grouped(y, site.groups, site.channels)
    shape = inputs.get_output_partial_shape(0)
    if shape.is_static and (step := int(np.prod(shape.to_shape())) // LARGEST + 1) > 1:
        inputs, outputs = _every(inputs, step), _every(outputs, step)
    first = opset.slice(inputs, _ints(0), _ints(1), _ints(1), _ints(1))
    ones = opset.add(opset.multiply(first, np.float32(0)), np.float32(1))
    full = opset.concat([inputs, ones], 1)
    both = opset.concat([full, outputs], 1)
    squares = opset.reduce_sum(opset.multiply(outputs, outputs), _ints(2), keep_dims=False)
    return [opset.matmul(full, both, False, True), squares]


def _rows(x: ov.Node) -> ov.Node:
    """`[.., C]` as `[1, C, N]`."""
    *_, channels = x.get_output_partial_shape(0)
    flat = opset.reshape(x, _ints(1, -1, channels.get_length()), special_zero=False)
    return opset.transpose(flat, _ints(0, 2, 1))


def _grouped(x: ov.Node, groups: int, each: int) -> ov.Node:
    """`[B, G * O, ..]` as `[G, O, N]`."""
    count = int(np.prod(x.get_output_partial_shape(0).to_shape()[2:]))
    split = opset.reshape(x, _ints(-1, groups, each, count), special_zero=False)
    order = opset.transpose(split, _ints(1, 2, 0, 3))
    return opset.reshape(order, _ints(groups, each, -1), special_zero=False)


def _patches(x: ov.Node, node: ov.Node, site: TuningSite) -> ov.Node:
    """`[B, G * C, ..]` as `[G, taps * C, N]`: for each tap of the kernel what it is multiplied
    by."""
    about = node.get_attributes()
    spatial = len(about["strides"])
    outside = node.output(0).get_partial_shape().to_shape()[2:]
    kernel = node.input_value(1).get_partial_shape().to_shape()[-spatial:]
    begin, end = ([0, 0, *about[key]] for key in ("pads_begin", "pads_end"))
    padded = opset.pad(x, _ints(*begin), _ints(*end), "constant", np.float32(0))
    parts = []
    for tap in np.ndindex(*kernel):
        first = np.array(tap) * about["dilations"]
        last = first + (np.array(list(outside)) - 1) * about["strides"] + 1
        axes = np.arange(2, 2 + spatial)
        part = opset.slice(padded, first, last, np.array(about["strides"]), axes)
        parts.append(_grouped(part, site.groups, site.width // int(np.prod(kernel))))
    return opset.concat(parts, 1)


def _every(x: ov.Node, step: int) -> ov.Node:
    last = np.iinfo(np.int64).max
    return opset.slice(x, _ints(0), _ints(last), _ints(step), _ints(2))


def _ints(*values: int) -> Array:
    return np.array(values, dtype=np.int64)
