"""A few random sums of a layer's output channels: their mean square is that of all channels, at a
fraction of the cost.

With signs s of +1 and -1, the mean of (sum over channels c of s[c] * y[c])^2 over many draws is
the sum of y[c]^2. Sums of outputs are outputs of summed weights: a layer with few outputs tells
them. And a layer is linear: what rounding its weights or its input changes of its outputs are the
outputs of what that changes there.
Source: Hutchinson (1990), a stochastic estimator of the trace.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.one_thread import product
from quant.runtime import opset, ov

Array = NDArray[Any]
Window = tuple[int, int, int, int]
"""Axis, start, end and step of the rows that are looked at."""

SUMS = 16
"""How many sums are taken: each mean square is within 35 % (one standard deviation) where all its
noise is of one direction, and nearer the more directions it has."""

STEP = 4
"""One row in so many is looked at."""

_LINEAR = ("Convolution", "MatMul")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """Sums of what quantization changes of a layer's results: of its weights alone, what that of
    its activations adds, and both together with their biases."""

    weights: ov.Output
    activations: ov.Output
    own: ov.Output


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of tensors; layers that read the same tensor share them."""

    taken: dict[tuple[Any, ...], ov.Output] = field(default_factory=dict)

    def some(self, x: ov.Output, window: Window | None) -> ov.Output:
        """Some rows of what a layer reads, all channels: every `STEP`-th row of a matrix or of what
        a convolution reads point by point, else as large a part from the middle. Below a quantizer
        or a division by channels, which are made again for these rows alone."""
        if window is None:
            return x
        key = (*_identity(x), window)
        if key not in self.taken:
            node: Any = x.get_node()
            if node.get_type_name() in ("FakeQuantize", "Divide") and _is_by_constants(node):
                rows, *rest = node.input_values()
                self.taken[key] = _again(node, self.some(rows, window), rest)
            else:
                axis, *bounds = (np.array([each], np.int64) for each in window)
                self.taken[key] = opset.slice(x, *bounds, axis).output(0)
        return self.taken[key]

    def less(self, x: ov.Output, other: ov.Output) -> ov.Output:
        """What a tensor has more than another."""
        key = (*_identity(x), *_identity(other))
        if key not in self.taken:
            self.taken[key] = opset.subtract(x, other).output(0)
        return self.taken[key]


def sketch(
    fp32: Any,
    weights: Any,
    both: Any,
    biased: tuple[ov.Output, ov.Output],
    lost: Array | None,
    rows: Rows,
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
    channels, factor = _weights(fp32).shape[_axis(fp32)], _factor(fp32, weights)
    before, after = _bias(biased[0], fp32, channels), _bias(biased[1], both, channels)
    if channels <= 2 * SUMS or before is None or after is None or factor is None:
        return None
    signs, window = _signs(channels), _window(fp32.input_value(0).get_partial_shape(), fp32)
    x, scaled, rounded = (rows.some(node.input_value(0), window) for node in (fp32, weights, both))
    error = _weights(fp32) - _weights(weights) / factor
    first = _layer(fp32, x, signs, error)
    last: Any = _layer(weights, rows.less(scaled, rounded), signs, _weights(weights))
    own = opset.add(opset.add(first, last), _spread(signs @ (before - after), fp32))
    if lost is not None:
        last = opset.subtract(last, _spread(signs @ lost, fp32))
    return Sketch(weights=first.output(0), activations=last.output(0), own=own.output(0))


def _is_fit(node: Any) -> bool:
    """Whether it is a layer whose weights are one constant of two axes, or a convolution's."""
    if node.get_type_name() not in _LINEAR:
        return False
    weights = node.input_value(1).get_node()
    if weights.get_type_name() != "Constant":
        return False
    return bool(node.get_type_name() == "Convolution" or weights.data.ndim == 2)


def _factor(fp32: Any, weights: Any) -> Array | None:
    """What a layer with quantized weights reads its input divided by, in the layout of its weights;
    None where it reads another tensor, or one that is divided otherwise than by channels."""
    x, node = fp32.input_value(0), weights.input_value(0).get_node()
    if _identity(x) == _identity(weights.input_value(0)):
        return np.ones(1, np.float32)
    is_divided = node.get_type_name() == "Divide" and _is_by_constants(node)
    if not is_divided or _identity(node.input_value(0)) != _identity(x):
        return None
    values, rank = node.input_value(1).get_node().data, x.get_partial_shape().rank.get_length()
    if values.size == 1:
        return np.asarray(values.reshape(-1))
    is_matmul, kept = fp32.get_type_name() == "MatMul", fp32.get_attributes()
    axis = rank - 1 - kept["transpose_a"] if is_matmul else 1
    if values.size != ((1,) * (rank - values.ndim) + values.shape)[axis]:
        return None
    shape = [1] * _weights(fp32).ndim
    shape[0 if is_matmul and not kept["transpose_b"] else 1] = -1
    return np.asarray(values.reshape(shape))


def _identity(x: ov.Output) -> tuple[str, int]:
    return str(x.get_node().get_name()), int(x.get_index())


def _is_by_constants(node: Any) -> bool:
    """Whether all that an operation reads but its first input is constant."""
    rest = node.input_values()[1:]
    return all(each.get_node().get_type_name() == "Constant" for each in rest)


def _again(node: Any, x: ov.Output, rest: list[ov.Output]) -> ov.Output:
    if node.get_type_name() == "Divide":
        return opset.divide(x, *rest).output(0)
    return opset.fake_quantize(x, *rest, node.get_attributes()["levels"]).output(0)


def _window(shape: ov.PartialShape, layer: Any) -> Window | None:
    """The rows that are looked at; None, which is all, where there are too few, or nobody knows."""
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


def _layer(node: Any, x: ov.Output, signs: Array, weights: Array) -> ov.Node:
    """The sums of what a layer with these weights makes of a tensor."""
    axis, kept = _axis(node), node.get_attributes()
    rows = np.moveaxis(weights, axis, 0)
    summed = product(signs[None], rows.reshape(1, len(rows), -1)).reshape(SUMS, *rows.shape[1:])
    constant = opset.constant(np.ascontiguousarray(np.moveaxis(summed, 0, axis)))
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


def _spread(sums: Array, layer: Any) -> ov.Node:
    """Numbers of the sums in the layout of the layer's results."""
    is_last = layer.get_type_name() == "MatMul"
    rank = layer.output(0).get_partial_shape().rank.get_length()
    return opset.constant(sums if is_last else sums.reshape(1, -1, *[1] * (rank - 2)))


def _weights(node: Any) -> Array:
    return np.asarray(node.input_value(1).get_node().data)


def _axis(node: Any) -> int:
    """The axis of a layer's weights that holds its outputs."""
    return 1 if node.get_type_name() == "MatMul" and not node.get_attributes()["transpose_b"] else 0


@cache
def _signs(channels: int) -> Array:
    """Signs `[SUMS, channels]`, over the root of the channels: a mean, not a sum, is wanted."""
    drawn: Array = np.random.default_rng(0).choice([-1.0, 1.0], (SUMS, channels))
    return np.asarray(drawn / np.sqrt(channels), np.float32)
