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

_TURN = (5**0.5 - 1) / 2
"""Positions that are taken lie that far apart, in parts of all and modulo all of them: spread
evenly, and in step with no pattern. Source: the golden-ratio sequence."""


def moments_of(
    x: ov.Output, y: ov.Output, node: ov.Node, site: TuningSite, most: int
) -> list[ov.Node]:
    """Two results for one sample: `[G, D + 1, D + 1 + O]`, inputs times inputs and outputs, and
    the outputs' squares, `[G, O]`.

    Args:
        x: the input of the layer.
        y: the output that it is to have.
        node: the layer.
        most: positions that are looked at, of a convolution in each item of a batch, where there
            are more and their number is known.
    """
    x = apart(opset.convert(x, "f32"))  # else zeros around a picture may be no zeros in integers
    y = opset.convert(y, "f32")
    if node.get_type_name() == "MatMul":
        inputs, outputs = _rows(x, site.width, most), _rows(y, site.channels, most)
    else:
        places = _places(_sizes(node.output(0)), most)
        inputs = _patches(x, node, site, places)
        outputs = _grouped(_flat(y), site.groups, np.ravel_multi_index(places, _sizes(y.output(0))))
    first = opset.slice(inputs, _ints(0), _ints(1), _ints(1), _ints(1))
    ones = opset.add(opset.multiply(first, np.float32(0)), np.float32(1))
    full = opset.concat([inputs, ones], 1)
    both = opset.concat([full, outputs], 1)
    squares = opset.reduce_sum(opset.multiply(outputs, outputs), _ints(2), keep_dims=False)
    return [opset.matmul(full, both, False, True), squares]


def _rows(x: ov.Node, channels: int, most: int) -> ov.Node:
    """`[.., C]` as `[1, C, N]`."""
    *others, _ = x.get_output_partial_shape(0)
    flat = opset.reshape(x, _ints(1, -1, channels), special_zero=False)
    if all(each.is_static for each in others):
        (places,) = _places((int(np.prod([each.get_length() for each in others])),), most)
        flat = opset.gather(flat, places, np.int64(1))
    return opset.transpose(flat, _ints(0, 2, 1))


def _places(sizes: tuple[int, ...], most: int) -> tuple[Array, ...]:
    """Positions in a tensor, `[N]` per axis: all of them, or as many as are asked for."""
    count = int(np.prod(sizes))
    index = np.arange(count)
    if count > 2 * most:  # of fewer the sequence would take many twice
        index = np.sort((np.arange(most) * _TURN % 1 * count).astype(np.int64))
    return np.unravel_index(index, sizes)


def _patches(x: ov.Node, node: ov.Node, site: TuningSite, places: tuple[Array, ...]) -> ov.Node:
    """`[B, G * C, ..]` as `[G, taps * C, N]`: for each tap of the kernel what it is multiplied
    by."""
    about = node.get_attributes()
    spatial = len(places)
    kernel = node.input_value(1).get_partial_shape().to_shape()[-spatial:]
    begin, end = ([0, 0, *about[key]] for key in ("pads_begin", "pads_end"))
    padded = opset.pad(x, _ints(*begin), _ints(*end), "constant", np.float32(0))
    taps = np.indices(kernel).reshape(spatial, -1, 1)
    zipped = zip(places, about["strides"], taps, about["dilations"], strict=True)
    reached = [place * stride + tap * dilation for place, stride, tap, dilation in zipped]
    index = np.ravel_multi_index(tuple(reached), _sizes(padded.output(0)))  # [taps, N]
    return _grouped(_flat(padded), site.groups, index)


def _grouped(x: ov.Node, groups: int, index: Array) -> ov.Node:
    """What lies at positions `[.., N]` of `[B, G * C, positions]`, as `[G, .. * C, B * N]`."""
    batch, channels, _ = x.get_output_partial_shape(0).to_shape()
    taps, count = int(np.prod(index.shape[:-1])), index.shape[-1]
    found = opset.gather(x, index.reshape(-1), np.int64(2))
    parts = _ints(batch, groups, channels // groups, taps, count)
    split = opset.reshape(found, parts, special_zero=False)
    order = opset.transpose(split, _ints(1, 3, 2, 0, 4))
    return opset.reshape(order, _ints(groups, taps * channels // groups, -1), special_zero=False)


def _flat(x: ov.Node) -> ov.Node:
    """`[B, C, ..]` as `[B, C, positions]`."""
    return opset.reshape(x, _ints(0, 0, -1), special_zero=True)


def _sizes(x: ov.Output) -> tuple[int, ...]:
    return tuple(x.get_partial_shape().to_shape()[2:])


def _ints(*values: int) -> Array:
    return np.array(values, dtype=np.int64)
