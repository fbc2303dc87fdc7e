"""The files that a model consists of, found without a library that reads models."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from pathlib import Path

BESIDE = {".xml": ".bin", ".pdmodel": ".pdiparams"}
"""Suffixes of the file with the weights, which stands beside a model under the same name."""

_LOCATION = re.compile(rb"\n\x08location\x12([\x80-\xff]*[\x00-\x7f])")
"""The key `location` of a tensor's external data, and the length of the path that follows.

Source: onnx.proto3, TensorProto.external_data; protobuf's encoding, where a length has 7 bits to
the byte, the lowest first.
"""


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
        names = {
            data[found.end() : found.end() + _length(found[1])]
            for found in _LOCATION.finditer(data)
        }
    files = {path.parent / name.decode("utf-8", "replace") for name in names}
    return sorted(each for each in files if _is_file(each))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def _length(varint: bytes) -> int:
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(varint))
