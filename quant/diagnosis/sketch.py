"""A few random sums of a layer's output channels: their mean square is that of all channels, at a
fraction of the cost.

With signs s of +1 and -1, the mean of (sum over channels c of s[c] * y[c])^2 over many draws is
the sum of y[c]^2. Sums of outputs are outputs of summed weights: a layer with few outputs tells
them.
Source: Hutchinson (1990), a stochastic estimator of the trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.runtime import opset, ov

Array = NDArray[Any]

SUMS = 16
"""How many sums are taken: each mean square is within 35 % (one standard deviation) where all its
noise is of one direction, and nearer the more directions it has."""

STEP = 4
"""One row in so many is looked at."""

_LINEAR = ("Convolution", "MatMul")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """Sums of FP32's results, of those where the weights alone are quantized, and of those where
    the activations are as well; `own`: the first and the last with their biases."""

    fp32: ov.Output
    weights: ov.Output
    both: ov.Output
    own: tuple[ov.Output, ov.Output]


def sketch(
    fp32: Any, weights: Any, both: Any, biased: tuple[ov.Output, ov.Output], lost: Array | None
) -> Sketch | None:
    """The sums of a layer, computed in f32; None where they would be no cheaper.

    Args:
        fp32: the layer in the FP32 model.
        weights: with quantized weights that are one constant, on the same activations.
        both: on quantized activations.
        biased: the results of the first and the last with their biases.
        lost: what `both` computes too little before its bias, `[C]`.
    """
    if not all(_is_fit(node) for node in (fp32, weights)):
        return None
    channels = _weights(fp32).shape[_axis(fp32)]
    before, after = _bias(biased[0], fp32, channels), _bias(biased[1], both, channels)
    if channels <= 2 * SUMS or before is None or after is None:
        return None
    signs = _signs(channels)
    first, second = (
        _layer(node, _some(node.input_value(0), node), signs) for node in (fp32, weights)
    )
    last = _layer(weights, _some(both.input_value(0), weights), signs)
    shift = _spread(signs @ (after - before), fp32)
    own = first.output(0), opset.add(last, opset.constant(shift)).output(0)
    if lost is not None:
        last = opset.add(last, opset.constant(_spread(signs @ lost, fp32)))
    return Sketch(fp32=first.output(0), weights=second.output(0), both=last.output(0), own=own)


def _is_fit(node: Any) -> bool:
    """Whether it is a layer whose weights are one constant of two axes, or a convolution's."""
    if node.get_type_name() not in _LINEAR:
        return False
    weights = node.input_value(1).get_node()
    if weights.get_type_name() != "Constant":
        return False
    return bool(node.get_type_name() == "Convolution" or weights.data.ndim == 2)


def _some(x: ov.Output, layer: Any) -> ov.Output:
    """Some rows of what a layer reads, all channels: every `STEP`-th row of a matrix or of what a
    convolution reads point by point, else as large a part from the middle. Below a quantizer or a
    division by channels, which are made again for these rows alone."""
    node: Any = x.get_node()
    if node.get_type_name() in ("FakeQuantize", "Divide"):
        rows, *rest = node.input_values()
        if all(each.get_node().get_type_name() == "Constant" for each in rest):
            return _again(node, _some(rows, layer), rest)
    window = _window(x.get_partial_shape(), layer)
    if window is None:
        return x
    axis, *bounds = (np.array([each], np.int64) for each in window)
    return opset.slice(x, *bounds, axis).output(0)


def _again(node: Any, x: ov.Output, rest: list[ov.Output]) -> ov.Output:
    if node.get_type_name() == "Divide":
        return opset.divide(x, *rest).output(0)
    return opset.fake_quantize(x, *rest, node.get_attributes()["levels"]).output(0)


def _window(shape: ov.PartialShape, layer: Any) -> tuple[int, int, int, int] | None:
    """Axis, start, end and step of the rows; None where there are too few, or nobody knows."""
    is_matmul = layer.get_type_name() == "MatMul"
    axis = shape.rank.get_length() - 2 if is_matmul else 2
    if shape[axis].is_dynamic or (is_matmul and layer.get_attributes()["transpose_a"]):
        return None
    size, kernel = shape[axis].get_length(), 1
    if not is_matmul:
        kernel = 1 + (_weights(layer).shape[2] - 1) * layer.get_attributes()["dilations"][0]
    if kernel == 1:
        return (axis, 0, size, STEP) if size >= 2 * STEP else None
    count = max(size // STEP, 2 * kernel)
    return (axis, (size - count) // 2, (size + count) // 2, 1) if count < size else None


def _layer(node: Any, x: ov.Output, signs: Array) -> ov.Node:
    """The sums of what a layer makes of a tensor."""
    axis, kept = _axis(node), node.get_attributes()
    summed = np.moveaxis(np.tensordot(signs, _weights(node), axes=(1, axis)), 0, axis)
    constant = opset.constant(np.ascontiguousarray(summed))
    if node.get_type_name() == "MatMul":
        return opset.matmul(x, constant, kept["transpose_a"], kept["transpose_b"])
    names = ("strides", "pads_begin", "pads_end", "dilations", "auto_pad")
    return opset.convolution(x, constant, *(kept[name] for name in names))


def _bias(output: ov.Output, layer: Any, channels: int) -> Array | None:
    """What is added to each channel behind a layer; None where it is not one number each."""
    node: Any = output.get_node()
    if node.get_friendly_name() == layer.get_friendly_name():
        return np.zeros(channels, np.float32)
    constants = (value.get_node() for value in node.input_values())
    found = [each.data.reshape(-1) for each in constants if each.get_type_name() == "Constant"]
    return found[0] if len(found) == 1 and found[0].size in (1, channels) else None


def _spread(sums: Array, layer: Any) -> Array:
    """Numbers of the sums in the layout of the layer's results."""
    is_last = layer.get_type_name() == "MatMul"
    rank = layer.output(0).get_partial_shape().rank.get_length()
    return sums if is_last else sums.reshape(1, -1, *[1] * (rank - 2))


def _weights(node: Any) -> Array:
    return np.asarray(node.input_value(1).get_node().data)


def _axis(node: Any) -> int:
    """The axis of a layer's weights that holds its outputs."""
    return 1 if node.get_type_name() == "MatMul" and not node.get_attributes()["transpose_b"] else 0


def _signs(channels: int) -> Array:
    """Signs `[SUMS, channels]`, over the root of the channels: a mean, not a sum, is wanted."""
    drawn: Array = np.random.default_rng(0).choice([-1.0, 1.0], (SUMS, channels))
    return np.asarray(drawn / np.sqrt(channels), np.float32)
