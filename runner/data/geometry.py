"""Preprocessing that moves pixels: resize, letterbox, center_crop; each keeps track of where to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from runner.data.picture import Picture
from runner.data.sample import Array
from runner.errors import DataError

RESAMPLING = {"nearest": "NEAREST", "bilinear": "BILINEAR", "bicubic": "BICUBIC", "area": "BOX"}

Size = int | Sequence[int]


def resize(
    picture: Picture, *, size: Size, interpolation: str = "bilinear", keep_ratio: bool = False
) -> Picture:
    """The picture at `size`: a side, or [height, width].

    With `keep_ratio` it becomes the smallest one that covers `size` (for an int: its shorter side
    is `size`), so that `center_crop` can follow. Pillow filters when it shrinks (no aliasing).

    Source: torchvision.transforms.Resize, which cuts the longer side to an integer likewise.
    """
    height, width = picture.pixels.shape[:2]
    new = _pair(size)
    if keep_ratio:
        ratio = max(new[0] / height, new[1] / width)
        new = max(new[0], int(height * ratio)), max(new[1], int(width * ratio))
    y, x = new[0] / height, new[1] / width
    return replace(
        picture,
        pixels=_resample(picture.pixels, new, interpolation),
        scale=(picture.scale[0] * y, picture.scale[1] * x),
        offset=(picture.offset[0] * y, picture.offset[1] * x),
    )


def letterbox(
    picture: Picture, *, size: Size, fill: float = 114, align: str = "top_left"
) -> Picture:
    """The whole picture inside a canvas of `size`, ratio kept, the rest filled with `fill`.

    Source: YOLOX `preproc`, yolox/data/data_augment.py@0.3.0: ratio = min(h/H, w/W), sides cut to
    integers, boxes scaled by the ratio itself.
    """
    height, width = picture.pixels.shape[:2]
    canvas = _pair(size)
    ratio = min(canvas[0] / height, canvas[1] / width)
    new = max(1, int(height * ratio)), max(1, int(width * ratio))
    top, left = _corner(canvas, new, align)
    pixels = np.full((*canvas, picture.pixels.shape[2]), fill, picture.pixels.dtype)
    pixels[top : top + new[0], left : left + new[1]] = _resample(picture.pixels, new, "bilinear")
    return replace(
        picture,
        pixels=pixels,
        scale=(picture.scale[0] * ratio, picture.scale[1] * ratio),
        offset=(picture.offset[0] * ratio + top, picture.offset[1] * ratio + left),
    )


def center_crop(picture: Picture, *, size: Size) -> Picture:
    """The middle of the picture. Source: torchvision.transforms.CenterCrop, without its padding."""
    height, width = picture.pixels.shape[:2]
    new = _pair(size)
    if new[0] > height or new[1] > width:
        message = (
            f"center_crop to {new[0]} x {new[1]} found a picture of {height} x {width}; "
            "resize it with keep_ratio before"
        )
        raise DataError(message)
    top, left = round((height - new[0]) / 2), round((width - new[1]) / 2)
    return replace(
        picture,
        pixels=picture.pixels[top : top + new[0], left : left + new[1]],
        offset=(picture.offset[0] - top, picture.offset[1] - left),
    )


def _pair(size: Size) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    height, width = size
    return height, width


def _corner(canvas: tuple[int, int], size: tuple[int, int], align: str) -> tuple[int, int]:
    if align == "center":
        return (canvas[0] - size[0]) // 2, (canvas[1] - size[1]) // 2
    return 0, 0


def _resample(pixels: Array, size: tuple[int, int], interpolation: str) -> Array:
    """Pixels at a new (height, width): uint8 stays uint8, everything else becomes float32."""
    from PIL import Image

    method = Image.Resampling[RESAMPLING[interpolation]]
    x = pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32)
    whole = x.dtype == np.uint8 and x.shape[2] == 3
    parts = [x] if whole else [x[:, :, i] for i in range(x.shape[2])]
    resized = [np.asarray(Image.fromarray(part).resize(size[::-1], method)) for part in parts]
    return resized[0] if whole else np.stack(resized, axis=2)
