"""Small inputs, pictures and sources for the tests of datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from runner.data.sample import InputInfo
from runner.recipe.recipe import DatasetSource


def model_input(
    *shape: int | None, name: str = "images", dtype: str = "float32"
) -> tuple[InputInfo, ...]:
    return (InputInfo(name=name, shape=shape, dtype=np.dtype(dtype)),)


def source(
    loader: str, preprocessing: Sequence[Mapping[str, Any]] = (), **options: Any
) -> DatasetSource:
    return DatasetSource(loader=loader, options=options, preprocessing=tuple(preprocessing))


def save_picture(path: Path, height: int = 4, width: int = 6, mode: str = "RGB") -> Path:
    """A picture with red 200, green 100, blue 0 everywhere, converted to `mode`."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (200, 100, 0)).convert(mode).save(path)
    return path


def save_npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path
