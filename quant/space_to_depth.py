"""Pixels that are moved into channels in front of a convolution -> a convolution of larger strides.

A detector's first layer that reads every second row and column as channels (YOLOX's and YOLOv5's
Focus, SpaceToDepth, a Reshape with a Transpose) is the same as one of twice the kernel and stride
on the picture itself. The products are as many, and the moves are gone, which OpenVINO's CPU plugin
computes in floating point and by reference code (2026.4.1).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant.runtime import apply_moc_transformations, opset, ov

Array = NDArray[Any]

_MOVES = frozenset(
    {"Concat", "Reshape", "Slice", "SpaceToDepth", "Split", "Squeeze", "StridedSlice", "Transpose"}
    | {"Unsqueeze", "VariadicSplit"}
)
_MOST = 2**24
"""Values that f32 counts exactly."""
_KINDS = (ov.Type.f16, ov.Type.f32, ov.Type.f64)
"""Weights that numpy has a type for."""
_LONGEST = 4
"""Steps up to which kernels of several taps are quick: 8 of 5 taps take 1.8 times as long as the
moves, a waveform's 160 of 3 taps 40 times."""
_MOST_MOVES = 64
"""Operations between a tensor and its moved pixels: a Focus of four steps has 49."""
_SAMPLES = 2
"""Enough to see whether moves mix them."""


class _Grid(NamedTuple):
    """A tensor `[N, q, *size]` as places of another one `[N, channels, *(size * steps)]`.

    Attributes:
        steps: per axis of space, from one place to the next.
        channels: per `q`, the other tensor's channel.
        offsets: per axis of space and `q`, the first place.
    """

    steps: tuple[int, ...]
    channels: Array
    offsets: tuple[Array, ...]

    def places(self, q: int) -> tuple[int | slice, ...]:
        """Where channel `q` comes from, as an index of the other tensor."""
        starts = (int(each[q]) for each in self.offsets)
        space = (slice(a, None, step) for a, step in zip(starts, self.steps, strict=True))
        return (slice(None), int(self.channels[q]), *space)


def stride_instead(model: ov.Model) -> bool:
    """Replaces what a Convolution alone reads and what only moves pixels of one tensor into
    channels; whether there was any.

    Sizes are static, since others may be moved in other ways. Names stay.
    """
    is_found = False
    nodes = model.get_ordered_ops()
    order = {node.get_name(): i for i, node in enumerate(nodes)}
    for conv in reversed(nodes):  # so that what stands above is still the model's own
        if conv.get_type_name() == "Convolution" and _is_simple(conv):
            source = conv.input_value(0)
            for origin in _origins(source, order):
                grid = _grid(model, origin, source)
                if grid is not None and _pays(conv, grid):
                    _replace(conv, origin, grid)
                    is_found = True
                    break
    return is_found


def _is_simple(conv: ov.Node) -> bool:
    """Whether a convolution has constant weights, leaves out no pixels, and alone reads its
    input."""
    source, weights = conv.input_values()
    return (
        _is_constant(weights)
        and weights.get_element_type() in _KINDS
        and max(conv.get_attributes()["dilations"]) == 1
        and len(source.get_target_inputs()) == 1
    )


def _origins(source: ov.Output, order: dict[str, int]) -> Iterator[ov.Output]:
    """The tensors from which moves alone lead to `source`, nearest first."""
    found = {source}
    for _ in range(_MOST_MOVES):
        node = max((each.get_node() for each in found), key=lambda n: order[n.get_name()])
        kind, above = node.get_type_name(), node.input_values()
        if kind not in _MOVES or any(map(_is_constant, above[: None if kind == "Concat" else 1])):
            return
        found -= set(node.outputs())
        found |= {each for each in above if not _is_constant(each)}
        if len(found) == 1:
            yield next(iter(found))


def _is_constant(tensor: ov.Output) -> bool:
    return bool(tensor.get_node().get_type_name() == "Constant")


def _grid(model: ov.Model, origin: ov.Output, source: ov.Output) -> _Grid | None:
    """Where each value of `source` comes from, if that is a grid of steps above 1 which leaves no
    value of `origin` out."""
    whole, small = _shape(origin), _shape(source)
    if len(whole) != len(small) or prod(whole) != prod(small) or prod(whole) > _MOST:
        return None
    steps = tuple(a // b for a, b in zip(whole[2:], small[2:], strict=True))
    is_whole = whole[2:] == tuple(a * b for a, b in zip(steps, small[2:], strict=True))
    if max(steps, default=1) < 2 or not is_whole:
        return None
    numbers = np.arange(prod(whole), dtype=np.float32).reshape(whole)
    moved = _moved(model, origin, source, numbers)
    if moved is None or moved.shape != small:
        return None
    firsts = moved[0].reshape(small[1], -1)[:, 0].astype(np.intp)
    _, channels, *offsets = np.unravel_index(firsts, whole)
    grid = _Grid(steps, channels, tuple(offsets))
    found = (np.array_equal(moved[:, q], numbers[grid.places(q)]) for q in range(small[1]))
    is_each_once = len(set(firsts.tolist())) == small[1]
    return grid if is_each_once and all(found) else None


def _pays(conv: ov.Node, grid: _Grid) -> bool:
    """Whether OpenVINO's CPU plugin (2026.4.1) is quicker with the larger strides: on pictures,
    with short steps or patches that do not overlap."""
    taps = conv.input_value(1).get_shape()[2:]
    return len(taps) > 1 and (max(grid.steps) <= _LONGEST or max(taps) == 1)


def _shape(tensor: ov.Output) -> tuple[int, ...]:
    """The shape, of `_SAMPLES` where their number is open; empty where another size is."""
    shape = tensor.get_partial_shape()
    if shape.rank.is_dynamic or any(size.is_dynamic for size in list(shape)[1:]):
        return ()
    return tuple(_SAMPLES if size.is_dynamic else size.get_length() for size in shape)


def _moved(model: ov.Model, origin: ov.Output, source: ov.Output, numbers: Array) -> Array | None:
    """What the moves make of numbers: OpenVINO folds them, since they read a constant only."""
    part = ov.Model([source], model.get_parameters())
    names = [node.get_name() for node in part.get_ordered_ops()]
    part = part.clone()
    above = part.get_ordered_ops()[names.index(origin.get_node().get_name())]
    above.output(origin.get_index()).replace(opset.constant(numbers).output(0))
    try:
        part.validate_nodes_and_infer_types()
    except RuntimeError:  # the moves are made for another number of samples
        return None
    apply_moc_transformations(part, cf=True)
    result = part.get_results()[0].input_value(0).get_node()
    return result.data if result.get_type_name() == "Constant" else None


def _replace(conv: ov.Node, origin: ov.Output, grid: _Grid) -> None:
    """The same products, of `origin`'s own pixels."""
    old, settings = conv.input_value(1).get_node(), conv.get_attributes()
    steps = np.array(grid.steps)
    channels = len(grid.channels) // prod(grid.steps)
    weights = np.empty((old.shape[0], channels, *steps * old.shape[2:]), old.data.dtype)
    for q in range(len(grid.channels)):
        weights[grid.places(q)] = old.data[:, q]
    constant = opset.constant(weights)
    constant.set_friendly_name(old.get_friendly_name())
    keys = ("strides", "pads_begin", "pads_end")
    strides, *pads = ((steps * settings[key]).tolist() for key in keys)
    new = opset.convolution(origin, constant, strides, *pads, [1] * len(steps))
    new.set_friendly_name(conv.get_friendly_name())
    conv.output(0).replace(new.output(0))
