"""Pixels moved into channels in front of a convolution -> larger strides, and what stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.load import load_model
from quant.runtime import opset, ov
from tests import models
from tests.quant.results import nodes_of

CHANNELS = 3
Move = Callable[[Any, int], ov.Node]


def focus(x: Any, step: int) -> ov.Node:
    """YOLOX's and YOLOv5's, as ONNX has it: one Slice per axis."""
    parts = []
    for starts in product(range(step), repeat=_places(x)):
        part = x
        for axis, start in enumerate(starts, 2):
            where = ([start], [2**31 - 1], [step], [axis])
            part = opset.slice(part, *(opset.constant(np.array(each)) for each in where))
        parts.append(part)
    return opset.concat(parts, 1)


def strided_slices(x: Any, step: int) -> ov.Node:
    """One StridedSlice per part, and the parts the other way round."""
    places = _places(x)
    rank = places + 2
    steps = [1, 1, *[step] * places]
    starts = reversed(list(product(range(step), repeat=places)))
    parts = (
        opset.strided_slice(x, [0, 0, *each], [0] * rank, steps, [0] * rank, [1] * rank)
        for each in starts
    )
    return opset.concat(list(parts), 1)


def blocks_first(x: Any, step: int) -> ov.Node:
    return opset.space_to_depth(x, "blocks_first", step)


def depth_first(x: Any, step: int) -> ov.Node:
    return opset.space_to_depth(x, "depth_first", step)


def reshaped(x: Any, step: int) -> ov.Node:
    """TResNet's: each axis is split in two, the steps move in front of the channels."""
    places = _places(x)
    sizes = [d.get_length() // step for d in list(x.get_output_partial_shape(0))[2:]]
    split = [-1, CHANNELS, *(each for size in sizes for each in (size, step))]
    order = [0, *range(3, 3 + 2 * places, 2), 1, *range(2, 2 + 2 * places, 2)]
    joined = [-1, CHANNELS * step**places, *sizes]
    apart = models.transpose(models.reshape(x, split, "split"), order, "order")
    return models.reshape(apart, joined, "joined")


def _places(x: Any) -> int:
    return len(list(x.get_output_partial_shape(0))) - 2


MOVES: list[Move] = [focus, strided_slices, blocks_first, depth_first, reshaped]


def stem(
    moved: Callable[[ov.Node], ov.Node], sizes: list[int], kernel: int, **settings: Any
) -> ov.Model:
    """An input of a batch and sizes, its moved pixels, a convolution."""
    batch, *space = sizes
    x = models.parameter("x", batch, CHANNELS, *space)
    pixels = moved(x)
    channels = pixels.get_output_partial_shape(0)[1].get_length()
    rng = np.random.default_rng(0)
    given = (4, channels, *[kernel] * len(space))
    return models.finish([models.conv(rng, pixels, given, "stem", **settings)], [x])


def kinds(model: ov.Model) -> Counter[str]:
    plain = ("Parameter", "Constant", "Result", "Add")
    return Counter(
        each.get_type_name() for each in model.get_ops() if each.get_type_name() not in plain
    )


def expect_same(model: ov.Model, loaded: ov.Model) -> None:
    samples = models.samples(model, 2)
    pairs = zip(
        models.evaluate_all(model, samples), models.evaluate_all(loaded, samples), strict=True
    )
    for (expected,), (found,) in pairs:
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=40)
@given(
    st.sampled_from(MOVES),
    st.integers(2, 3),
    st.integers(2, 3),
    st.integers(1, 4),
    st.integers(1, 2),
    st.sampled_from([-1, 1, 3]),
)
def test_a_convolution_of_moved_pixels_is_one_of_larger_strides(
    move: Move, step: int, places: int, kernel: int, stride: int, batch: int
) -> None:
    sizes = [batch, *(step * (4 + i) for i in range(places))]
    model = stem(lambda x: move(x, step), sizes, kernel, stride=stride)
    loaded = load_model(model)
    assert kinds(loaded) == {"Convolution": 1}
    expect_same(model, loaded)


def test_names_stay() -> None:
    nodes = nodes_of(load_model(stem(lambda x: focus(x, 2), [1, 8, 8], 3)))
    assert nodes["stem"].get_attributes()["strides"] == [2, 2]
    assert nodes["stem/weights"].shape == [4, CHANNELS, 6, 6]


def test_what_scales_the_picture_goes_into_the_weights() -> None:
    x = models.parameter("x", 1, CHANNELS, 8, 8)
    scaled = opset.multiply(x, models.constant([[[[1 / 255]]]], "scale"))
    rng = np.random.default_rng(0)
    model = models.finish([models.conv(rng, focus(scaled, 2), (4, 12, 3, 3), "stem")], [x])
    loaded = load_model(model)
    assert kinds(loaded) == {"Convolution": 1}
    expect_same(model, loaded)


def _twice(x: ov.Node) -> ov.Node:
    return opset.concat([focus(x, 2), focus(x, 2)], 1)


def _turned(x: ov.Node) -> ov.Node:
    return models.transpose(focus(x, 2), [0, 1, 3, 2], "turned")


def _some(x: ov.Node) -> ov.Node:
    return opset.strided_slice(x, [0, 0, 0, 0], [0] * 4, [1, 1, 2, 2], [0] * 4, [1] * 4)


def _of_samples(x: ov.Node) -> ov.Node:
    """Mixes the samples of a batch."""
    last = models.transpose(x, [1, 2, 3, 0], "last")
    return blocks_first(models.reshape(last, [-1, CHANNELS, 8, 8], "back"), 2)


def _halves(x: ov.Node) -> ov.Node:
    """Upper half and lower half: as many channels, but no steps."""
    return opset.concat(opset.split(x, opset.constant(np.array(2)), 2).outputs(), 1)


def _one_twice(x: ov.Node) -> ov.Node:
    """One part twice, and another one not at all."""
    parts = focus(x, 2).input_values()
    return opset.concat([parts[0], parts[0], *parts[1:3]], 1)


def _one_constant(x: ov.Node) -> ov.Node:
    parts = focus(x, 2).input_values()
    zeros = models.constant(np.zeros((2, CHANNELS, 4, 4), np.float32), "zeros")
    return opset.concat([zeros, *parts[1:]], 1)


def _folded(x: ov.Node) -> ov.Node:
    """One axis shorter, another one longer."""
    return models.reshape(x, [-1, 2 * CHANNELS, 2, 16], "folded")


def _long_steps(x: ov.Node) -> ov.Node:
    return blocks_first(x, 8)


@pytest.mark.parametrize("batch", [-1, 2])
@pytest.mark.parametrize(
    "moved", [_twice, _turned, _some, _halves, _one_twice, _folded, _long_steps]
)
def test_other_moves_stay(moved: Callable[[ov.Node], ov.Node], batch: int) -> None:
    model = stem(moved, [batch, 8, 8], 3)
    loaded = load_model(model)
    assert sum(kinds(loaded).values()) > 1
    expect_same(model, loaded)


def test_constants_among_the_pixels_stay() -> None:
    model = stem(_one_constant, [2, 8, 8], 3)
    loaded = load_model(model)
    assert kinds(loaded)["Concat"] == 1
    expect_same(model, loaded)


def test_frames_of_a_waveform_stay() -> None:
    """Strides as long as frames are slow."""
    model = stem(lambda x: reshaped(x, 16), [1, 64], 3)
    loaded = load_model(model)
    assert kinds(loaded)["Convolution"] < sum(kinds(loaded).values())
    expect_same(model, loaded)


def test_two_in_a_row() -> None:
    x = models.parameter("x", 1, CHANNELS, 16, 16)
    rng = np.random.default_rng(0)
    first = models.conv(rng, focus(x, 2), (CHANNELS, 12, 3, 3), "first", bias=False)
    model = models.finish([models.conv(rng, focus(first, 2), (4, 12, 3, 3), "second")], [x])
    loaded = load_model(model)
    assert kinds(loaded) == {"Convolution": 2}
    expect_same(model, loaded)


@pytest.mark.parametrize("pad", ["same_upper", "same_lower", "valid"])
@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_by_rule(pad: str, kernel: int, stride: int) -> None:
    x = models.parameter("x", 1, CHANNELS, 12, 14)
    drawn = np.random.default_rng(0).standard_normal((4, 12, kernel, kernel)).astype(np.float32)
    weights = models.constant(drawn, "weights")
    strides, ones = [stride, stride], [1, 1]
    conv = opset.convolution(focus(x, 2), weights, strides, [0, 0], [0, 0], ones, pad)
    model = models.finish([conv], [x])
    loaded = load_model(model)
    assert kinds(loaded) == {"Convolution": 1}
    expect_same(model, loaded)


@pytest.mark.parametrize("batch", [-1, 2])
def test_only_moves_within_a_sample_are_replaced(batch: int) -> None:
    model = stem(_of_samples, [batch, 8, 8], 3)
    loaded = load_model(model)
    assert kinds(loaded) == {"Transpose": 1, "Reshape": 1, "Convolution": 1}
    expect_same(model, loaded)


def test_pixels_of_a_picture_of_any_size_stay() -> None:
    loaded = load_model(stem(lambda x: focus(x, 2), [1, -1, 8], 3))
    assert kinds(loaded)["Concat"] == 1


def test_pixels_that_others_read_stay() -> None:
    x = models.parameter("x", 1, CHANNELS, 8, 8)
    pixels, rng = focus(x, 2), np.random.default_rng(0)
    convolved = models.conv(rng, pixels, (4, 12, 3, 3), "stem")
    loaded = load_model(models.finish([convolved, models.relu(pixels, "relu")], [x]))
    assert kinds(loaded)["Concat"] == 1


def test_convolutions_that_leave_pixels_out_stay() -> None:
    x = models.parameter("x", 1, CHANNELS, 8, 8)
    weights = models.constant(np.ones((4, 12, 3, 3), np.float32), "weights")
    conv = opset.convolution(focus(x, 2), weights, [1, 1], [2, 2], [2, 2], [2, 2])
    assert kinds(load_model(models.finish([conv], [x])))["Concat"] == 1
