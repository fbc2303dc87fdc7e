"""The digest of a model's files, and the pin that a recipe may hold of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from runner.errors import ModelError, Problem, RecipeError
from runner.recipe.recipe import Recipe


def model_digest(path: Path) -> str:
    """The SHA-256 of a model's bytes: of the .xml followed by its .bin, else of the file.

    Of a folder: of its files in the order of their names. So `cat a.xml a.bin | sha256sum` agrees.

    Raises:
        ModelError: a file can't be read.
    """
    digest = hashlib.sha256()
    try:
        for file in _files(path):
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
    hint = "for an .xml the digest covers the .xml followed by its .bin"
    raise RecipeError([Problem(recipe.locate("model", "sha256"), message, hint)])


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(each for each in path.rglob("*") if each.is_file())
        return
    yield path
    weights = path.with_suffix(".bin")
    if path.suffix == ".xml" and weights.exists():
        yield weights
