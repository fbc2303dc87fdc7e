"""What a dataset hands out, and what it has to know of the model's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputInfo:
    """One input of the model: name, shape (None: dynamic) and numpy type."""

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample, ready for the model.

    Attributes:
        id: stable name within the dataset (file name, row or index).
        inputs: array per input name, batch axis (1) included.
        label: what the loader found: class index, boxes `[n, 5]` (class, center x, center y, width,
            height; relative to the original picture), or None.
        meta: what preprocessing did to a picture and a decoder has to undo; pairs, vertical first:
            `size`: original (height, width) in pixels; `scale`: pixels of the model's input per
            original pixel; `offset`: (top, left) of the original in the model's input, negative
            after a crop. So a point (y, x) of the original lies at (y, x) * scale + offset.
            Empty where there was no picture.
    """

    id: str
    inputs: Mapping[str, Array]
    label: Any = None
    meta: Mapping[str, Any] = field(default_factory=dict)


class Dataset(Protocol):
    """Samples by index; reading one touches only that one's file or row."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...
