"""Preprocessing: one function per step, from picture to picture, chosen by the table `STEPS`.

Every step works on pixels `[height, width, channels]`; `layout` takes effect at the end, wherever
it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from runner.data.extras import VISION, Extra
from runner.data.geometry import center_crop, letterbox, resize
from runner.data.picture import Picture
from runner.data.sample import Array
from runner.document.names import listed, suggest
from runner.errors import DataError

LUMA = (0.299, 0.587, 0.114)  # red, green, blue; Source: ITU-R BT.601-7, section 2.5.1


def preprocess(picture: Picture, steps: Sequence[Mapping[str, Any]]) -> Picture:
    """The picture after all steps, in order."""
    return reduce(_apply, steps, picture)


def needed_extra(steps: Sequence[Mapping[str, Any]]) -> Extra | None:
    """The optional package that these steps need."""
    return VISION if any(step.get("use") in ("resize", "letterbox") for step in steps) else None


def normalize(
    picture: Picture,
    *,
    scale: float | Sequence[float] = 1.0,
    mean: float | Sequence[float] = 0.0,
    std: float | Sequence[float] = 1.0,
) -> Picture:
    """(x / scale - mean) / std as float32, each a number or one per channel."""
    channels = picture.pixels.shape[2]
    divisor, center, spread = (_per_channel(v, channels) for v in (scale, mean, std))
    x = (picture.pixels.astype(np.float32) / divisor - center) / spread
    return replace(picture, pixels=x)


def color_order(picture: Picture, *, order: str) -> Picture:
    """The picture as RGB, BGR or GRAY (one channel, luma of BT.601)."""
    if picture.colors == order:
        return picture
    if order not in ("RGB", "BGR", "GRAY") or picture.pixels.shape[2] != 3:
        message = (
            f"color_order {order!r} found {picture.pixels.shape[2]} channel(s); "
            "expected 'RGB', 'BGR' or 'GRAY' and a picture of 3 channels"
        )
        raise DataError(message)
    pixels = picture.pixels[:, :, ::-1]
    if order == "GRAY":
        pixels = _luma(pixels if picture.colors == "BGR" else picture.pixels)
    return replace(picture, pixels=pixels, colors=order)


def layout(picture: Picture, *, order: str) -> Picture:
    """The picture, to be handed to the model as NCHW or NHWC."""
    return replace(picture, layout=order)


STEPS: Mapping[str, Callable[..., Picture]] = {
    "resize": resize,
    "letterbox": letterbox,
    "center_crop": center_crop,
    "normalize": normalize,
    "color_order": color_order,
    "layout": layout,
}


def _apply(picture: Picture, step: Mapping[str, Any]) -> Picture:
    name = str(step.get("use"))
    if name not in STEPS:
        message = f"unknown preprocessing {name!r}; expected {listed(STEPS)}"
        raise DataError(message + suggest(name, STEPS))
    return STEPS[name](picture, **{key: value for key, value in step.items() if key != "use"})


def _per_channel(values: float | Sequence[float], channels: int) -> Array:
    x = np.asarray(values, np.float32)
    if x.ndim and len(x) not in (1, channels):
        message = f"normalize has {len(x)} values for a picture of {channels} channel(s)"
        raise DataError(message)
    return x


def _luma(rgb: Array) -> Array:
    gray = rgb.astype(np.float32) @ np.asarray(LUMA, np.float32)
    if rgb.dtype.kind in "iu":
        gray = np.rint(gray)
    return gray.astype(rgb.dtype)[:, :, None]
