"""A case on disk: the model and the samples that every process of a run reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.runtime import ov

Samples = list[list[NDArray[Any]]]
"""Each sample is a list of arrays in the order of the model's inputs, batch axis included."""

MODEL, SAMPLES = "model.xml", "samples.npz"


def write(folder: Path, model: ov.Model, samples: Samples) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ov.save_model(model, folder / MODEL, compress_to_fp16=False)
    np.savez(folder / SAMPLES, *(np.stack(each) for each in zip(*samples, strict=True)))


def read_model(folder: Path) -> ov.Model:
    """The model with its weights in memory, not mapped: reading them is no part of any call."""
    reader = ov.Core()
    reader.set_property({"ENABLE_MMAP": False})
    return reader.read_model(folder / MODEL)


def read_samples(folder: Path) -> Samples:
    with np.load(folder / SAMPLES) as arrays:
        return [list(sample) for sample in zip(*arrays.values(), strict=True)]
