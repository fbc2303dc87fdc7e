"""A picture on its way to the model, and reading one from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from struct import error as StructError
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.data.sample import Array
from runner.errors import DataError
from runner.git_lfs import pointer_fault

if TYPE_CHECKING:
    from PIL import Image

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Pixels and what was done to them; every pair is vertical first.

    A point (y, x) of the original lies at (y, x) * scale + offset in `pixels`.

    Attributes:
        pixels: `[height, width, channels]`.
        size: (height, width) of the original.
        scale: pixels per original pixel (vertical, horizontal).
        offset: (top, left) of the original in `pixels`; negative after a crop.
        colors: RGB, BGR or GRAY; other channel counts keep RGB and can't be recoloured.
        layout: NCHW or NHWC where a step asked for it; None leaves it to the model's input.
    """

    pixels: Array
    size: tuple[int, int]
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    colors: str = "RGB"
    layout: str | None = None

    @property
    def meta(self) -> Mapping[str, Any]:
        """What a decoder has to undo, as `Sample.meta` documents it."""
        return {"size": self.size, "scale": self.scale, "offset": self.offset}


def from_array(x: Array) -> Picture:
    """A picture of an array `[height, width]` or `[height, width, channels]`."""
    if x.ndim not in (2, 3):
        message = (
            f"preprocessing found an array of shape {list(x.shape)}; "
            "expected a picture [height, width, channels]"
        )
        raise DataError(message)
    pixels = x[:, :, None] if x.ndim == 2 else x
    height, width, channels = pixels.shape
    return Picture(pixels=pixels, size=(height, width), colors="GRAY" if channels == 1 else "RGB")


def read_pixels(path: Path) -> Array:
    """The picture at `path` as RGB, uint8 `[height, width, 3]`.

    Greyscale, palette, RGBA and CMYK pictures are converted (transparency is dropped). The EXIF
    orientation is not applied: labels of the usual datasets refer to the stored pixels. More than
    8 bits per channel are refused: Pillow would clip them.

    Raises:
        DataError: the file is missing, is no picture, or is broken.
    """
    from PIL import Image

    broken = (OSError, SyntaxError, ValueError, EOFError, StructError, Image.DecompressionBombError)
    try:
        with Image.open(path) as image:
            return np.asarray(_to_rgb(image))
    except broken as error:
        message = f"the picture can't be read ({error}); replace it or leave it out"
        message = pointer_fault(path) or message
        raise DataError(message, path) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        message = f"mode {image.mode!r} has more than 8 bits per channel; convert it to 8 bits"
        raise ValueError(message)
    # A palette with transparency per entry has to lose its palette before its transparency.
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image if image.mode == "RGB" else image.convert("RGB")
