"""The size of a model as it is saved."""

from __future__ import annotations

from pathlib import Path

from quant.runtime import ov


def saved_bytes(model: ov.Model, path: Path) -> int:
    """Saves the model, uncompressed, and returns the bytes of .xml and .bin together."""
    ov.save_model(model, path, compress_to_fp16=False)
    return path.stat().st_size + path.with_suffix(".bin").stat().st_size
