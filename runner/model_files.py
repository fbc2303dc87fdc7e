"""The files that a model consists of, found without a library that reads models."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from runner.external_data import external_locations

BESIDE = {".xml": ".bin", ".pdmodel": ".pdiparams"}
"""Suffixes of the file with the weights, which stands beside a model under the same name."""


def model_files(path: Path) -> Iterator[Path]:
    """The files that a model consists of, the named one first."""
    if path.is_dir():
        yield from sorted(each for each in path.rglob("*") if each.is_file())
        return
    yield path
    if path.suffix.lower() == ".onnx" and path.is_file():
        yield from _external_data(path)
    beside = path.with_suffix(BESIDE.get(path.suffix.lower(), path.suffix))
    if beside != path and beside.exists():
        yield beside


def _external_data(path: Path) -> list[Path]:
    """The files of an ONNX model's weights, sorted; those that are not there are left to the
    reader of the model."""
    if path.stat().st_size == 0:
        return []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        names = external_locations(data)
    files = {path.parent / os.fsdecode(name.partition(b"\0")[0]) for name in names}
    return sorted({found for each in files if (found := _as_opened(each)) is not None})


def _as_opened(path: Path) -> Path | None:
    """The file that OpenVINO opens for the path, which may go up again from what is not there.

    Seen with OpenVINO 2026.4.
    """
    return next(filter(_is_file, (path, Path(os.path.normpath(path)))), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or no name at all
        return False
