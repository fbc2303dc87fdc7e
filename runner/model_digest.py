"""The digest of a model's files, and the pin that a recipe may hold of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from runner.errors import ModelError, Problem, RecipeError
from runner.model_files import model_files
from runner.recipe.recipe import Recipe


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
