from __future__ import annotations

import numpy as np
import pytest

from runner.data.picture import from_array
from runner.data.preprocessing import STEPS, color_order, layout, normalize, preprocess
from runner.errors import DataError

RGB = from_array(np.array([[[200, 100, 10]]], np.uint8))


def test_normalize_scales_then_centres_then_divides() -> None:
    picture = normalize(RGB, scale=10, mean=[19, 9, 1], std=[0.5, 1, 1])
    assert picture.pixels.dtype == np.float32
    assert picture.pixels[0, 0].tolist() == [2, 1, 0]


def test_normalize_refuses_other_channels() -> None:
    with pytest.raises(DataError, match=r"2 values for a picture of 3 channel\(s\)"):
        normalize(RGB, mean=[1, 2])


@pytest.mark.parametrize(
    ("order", "expected"), [("RGB", [200, 100, 10]), ("BGR", [10, 100, 200]), ("GRAY", [120])]
)
def test_color_order(order: str, expected: list[int]) -> None:
    assert color_order(RGB, order=order).pixels[0, 0].tolist() == expected


def test_grey_is_the_same_from_either_order() -> None:
    bgr = color_order(RGB, order="BGR")
    assert color_order(bgr, order="GRAY").pixels.tolist() == [[[120]]]
    assert color_order(bgr, order="BGR") is bgr


def test_a_grey_picture_can_not_be_recoloured() -> None:
    with pytest.raises(DataError, match=r"color_order 'BGR' found 1 channel\(s\)"):
        color_order(from_array(np.zeros((2, 2))), order="BGR")


def test_layout_waits_for_the_end_wherever_it_stands() -> None:
    steps = ({"use": "layout", "order": "NCHW"}, {"use": "normalize", "mean": [1, 2, 3]})
    picture = preprocess(RGB, steps)
    assert (picture.layout, picture.pixels.shape) == ("NCHW", (1, 1, 3))
    assert layout(RGB, order="NHWC").pixels is RGB.pixels


def test_an_unknown_step_is_refused() -> None:
    with pytest.raises(DataError, match=r"unknown preprocessing 'resise'; .*mean 'resize'"):
        preprocess(RGB, ({"use": "resise", "size": 2},))


@pytest.mark.parametrize("name", STEPS)
def test_every_step_is_documented(name: str) -> None:
    assert STEPS[name].__doc__
