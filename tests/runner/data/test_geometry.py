from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.data.geometry import center_crop, letterbox, resize
from runner.data.picture import Picture, from_array
from runner.errors import DataError

SIDES = st.integers(1, 90)


def ramp(height: int, width: int, channels: int = 3, dtype: str = "uint8") -> Picture:
    x = np.arange(height * width * channels).reshape(height, width, channels) % 251
    return from_array(x.astype(dtype))


def test_resize_stretches_to_the_size() -> None:
    picture = resize(ramp(4, 6), size=[8, 3])
    assert picture.pixels.shape == (8, 3, 3)
    assert (picture.size, picture.scale, picture.offset) == ((4, 6), (2.0, 0.5), (0.0, 0.0))


def test_resize_with_ratio_makes_the_shorter_side_the_size() -> None:
    assert resize(ramp(40, 61), size=20, keep_ratio=True).pixels.shape == (20, 30, 3)
    assert resize(ramp(61, 40), size=20, keep_ratio=True).pixels.shape == (30, 20, 3)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "area"])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_interpolation_keeps_a_constant(
    interpolation: str, dtype: str, channels: int
) -> None:
    picture = from_array(np.full((5, 7, channels), 9, dtype))
    pixels = resize(picture, size=[3, 11], interpolation=interpolation).pixels
    np.testing.assert_array_equal(pixels, np.full((3, 11, channels), 9))


def test_area_averages_blocks() -> None:
    picture = from_array(np.array([[[0.0], [2.0]], [[4.0], [6.0]]]))
    assert resize(picture, size=1, interpolation="area").pixels.item() == 3.0


def test_letterbox_puts_the_picture_top_left() -> None:
    picture = letterbox(from_array(np.zeros((4, 8, 3), np.uint8)), size=16, fill=114)
    assert picture.pixels[:8].max() == 0
    assert picture.pixels[8:].min() == 114
    assert (picture.scale, picture.offset) == ((2.0, 2.0), (0.0, 0.0))


def test_letterbox_can_centre_the_picture() -> None:
    picture = letterbox(from_array(np.zeros((4, 8, 3), np.uint8)), size=16, align="center")
    assert picture.pixels[4:12].max() == 0
    assert picture.offset == (4.0, 0.0)


def test_center_crop_takes_the_middle() -> None:
    picture = center_crop(ramp(6, 8), size=[2, 4])
    np.testing.assert_array_equal(picture.pixels, ramp(6, 8).pixels[2:4, 2:6])
    assert picture.offset == (-2.0, -2.0)


def test_a_crop_larger_than_the_picture_is_refused() -> None:
    with pytest.raises(DataError, match="center_crop to 8 x 8 found a picture of 6 x 8"):
        center_crop(ramp(6, 8), size=8)


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(["top_left", "center"]))
def test_a_letterboxed_picture_lies_inside_the_canvas(
    height: int, width: int, rows: int, columns: int, align: str
) -> None:
    picture = letterbox(ramp(height, width), size=[rows, columns], align=align)
    low = np.array(picture.offset)
    high = low + np.array(picture.size) * picture.scale
    assert picture.pixels.shape == (rows, columns, 3)
    assert (low >= 0).all()
    assert (high <= np.array([rows, columns]) + 1).all()  # a side is cut to an integer


@given(SIDES, SIDES, SIDES, st.floats(0, 1), st.floats(0, 1))
def test_points_map_back_through_every_step(
    height: int, width: int, side: int, y: float, x: float
) -> None:
    """A point scaled and moved by each step in turn is the point that the final meta gives."""
    picture = ramp(height, width)
    point = np.array([y * height, x * width])
    steps: tuple[Callable[[Picture], Picture], ...] = (
        lambda p: letterbox(p, size=side, align="center"),
        lambda p: resize(p, size=[side + 3, 2 * side]),
        lambda p: center_crop(p, size=[(side + 3) // 2, side]),
    )
    for step in steps:
        after = step(picture)
        ratio = np.divide(after.scale, picture.scale)
        moved = np.array(after.offset) - np.array(picture.offset) * ratio
        point, picture = point * ratio + moved, after
    back = (point - picture.offset) / picture.scale
    np.testing.assert_allclose(back, [y * height, x * width], atol=1e-6 * max(height, width))
