"""The digest of a model's files, and the pin that a recipe may hold of it."""

from __future__ import annotations

import hashlib
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

from runner.errors import ModelError, Problem, RecipeError
from runner.recipe.recipe import Recipe

_BESIDE = {".xml": ".bin", ".pdmodel": ".pdiparams"}
"""Suffixes of the file with the weights, which stands beside a model under the same name."""

_LOCATION = re.compile(rb"\n\x08location\x12([\x80-\xff]*[\x00-\x7f])")
"""The key `location` of a tensor's external data, and the length of the path that follows.

Source: onnx.proto3, TensorProto.external_data; protobuf's encoding, where a length has 7 bits to
the byte, the lowest first.
"""


def model_digest(path: Path) -> str:
    """The SHA-256 of the bytes of all files that a model consists of, one after the other.

    Of an .xml and its .bin, a .pdmodel and its .pdiparams, an .onnx and the files of its external
    data in the order of their names; of a folder's files likewise. So `cat a.xml a.bin | sha256sum`
    agrees.

    Raises:
        ModelError: a file can't be read.
    """
    digest = hashlib.sha256()
    try:
        for file in model_files(path):
            with file.open("rb") as stream:
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
    except OSError as error:
        message = f"{error.filename or path}: the model can't be read: {error.strerror}"
        raise ModelError(message) from error
    return digest.hexdigest()


def expect_digest(recipe: Recipe, found: str) -> None:
    """Raises RecipeError where the model is not the one that the recipe pins."""
    pinned = recipe.model.sha256
    if pinned is None or pinned.lower() == found:
        return
    message = f"{recipe.model.path.name} is another model than this pins: its SHA-256 is {found}"
    more = [each.name for each in model_files(recipe.model.path)][1:]
    hint = f"the digest covers {recipe.model.path.name} followed by {', '.join(more)}"
    raise RecipeError([Problem(recipe.locate("model", "sha256"), message, hint if more else "")])


def model_files(path: Path) -> Iterator[Path]:
    """The files that a model consists of, the named one first."""
    if path.is_dir():
        yield from sorted(each for each in path.rglob("*") if each.is_file())
        return
    yield path
    if path.suffix == ".onnx":
        yield from _external_data(path)
    beside = path.with_suffix(_BESIDE.get(path.suffix, path.suffix))
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
    return sorted(each for each in files if each.is_file())


def _length(varint: bytes) -> int:
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(varint))
