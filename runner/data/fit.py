"""Making an array fit a model's input: layout, batch axis, number type, a check of the shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runner.data.picture import Picture
from runner.data.sample import Array, InputInfo
from runner.errors import DataError


def fit_array(x: Array, model_input: InputInfo, *, hint: str = "") -> Array:
    """`x` with a batch axis of 1 and the input's number type.

    A single number stays one, and a state `[layers, 1, units]`, whose batch axis is the second one,
    what it is, where the input takes that.

    Raises:
        DataError: the shape does not fit; says both shapes, and `hint`.
    """
    has_batch = x.ndim == 3 and x.shape[1] == 1 and None not in model_input.shape[:1]
    is_whole = (x.ndim == 0 or has_batch) and _fits(x.shape, model_input.shape)
    batch = x if is_whole else x[None]
    if not _fits(batch.shape, model_input.shape):
        message = (
            f"shape {shown(batch.shape)} does not fit the model's input {model_input.name!r}, "
            f"which takes {shown(model_input.shape)}"
        )
        raise DataError(f"{message}; {hint}" if hint else message)
    return np.asarray(batch, dtype=model_input.dtype, order="C")


def fit_picture(picture: Picture, model_input: InputInfo) -> Array:
    """The picture in the layout that was asked for, or else in the one that the input takes."""
    order = picture.layout or choose_layout(picture.pixels.shape[2], model_input.shape)
    x = picture.pixels.transpose(2, 0, 1) if order == "NCHW" else picture.pixels
    hint = "change the picture with 'resize', 'letterbox' or 'layout' in preprocessing"
    return fit_array(x, model_input, hint=hint)


def choose_layout(channels: int, shape: Sequence[int | None]) -> str:
    """NHWC when only the last dimension of a 4-dimensional input is the channels', else NCHW.

    >>> choose_layout(3, (1, 224, 224, 3)), choose_layout(3, (1, 3, None, None))
    ('NHWC', 'NCHW')
    """
    is_nhwc = len(shape) == 4 and shape[3] == channels and shape[1] != channels
    return "NHWC" if is_nhwc else "NCHW"


def shown(shape: Sequence[int | None]) -> str:
    """A shape for a message, `?` for a dynamic dimension."""
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def _fits(found: Sequence[int], expected: Sequence[int | None]) -> bool:
    return len(found) == len(expected) and all(
        want is None or have == want for have, want in zip(found, expected, strict=True)
    )
