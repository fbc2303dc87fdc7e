"""Operations added to what a recipe's file ignores."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from runner.document.document import value_at
from runner.document.insert import with_items
from runner.document.source import load_source
from runner.errors import DocumentError, Problem, RecipeError, UsageError
from runner.recipe.recipe import Recipe
from runner.recipe.schemas.steps import PARAMETERS

CRLF, BOM = b"\r\n", b"\xef\xbb\xbf"


def ignoring_step(recipe: Recipe) -> int:
    """The first step that takes `ignored`.

    Raises:
        RecipeError: there is none.
    """
    for i, step in enumerate(recipe.steps):
        if "ignored" in PARAMETERS[step.use]:
            return i
    message = "none of the steps takes `ignored`"
    raise RecipeError([Problem(recipe.locate("steps"), message)])


def ignored_names(recipe: Recipe) -> tuple[str, ...]:
    """The operations that the recipe ignores by name."""
    written = value_at(
        recipe.document, ("steps", ignoring_step(recipe), "with", "ignored", "scope")
    )
    return tuple(written or ())


def write_ignored(recipe: Recipe, names: Sequence[str]) -> None:
    """Adds operations to the list `ignored.scope` in the recipe's file, in one move; comments and
    layout stay.

    Raises:
        UsageError: they are ignored already, or none is named.
        RecipeError: the file has something there that can't be added to.
    """
    path = ("steps", ignoring_step(recipe), "with", "ignored", "scope")
    source = load_source(recipe.path)
    try:
        text = with_items(source, path, names)
    except DocumentError as error:
        raise RecipeError(error.problems) from error
    if text == source.text:
        message = (
            f"{recipe.path} would not change: nothing is named that it does not ignore already"
        )
        raise UsageError(message)
    _replace(recipe.path.resolve(), text)


def _replace(path: Path, text: str) -> None:
    """Writes a text in place of the file's, with its line ends and mode."""
    before = path.read_bytes()
    data = text.encode()
    if CRLF in before:
        data = data.replace(b"\n", CRLF)
    if before.startswith(BOM):
        data = BOM + data
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        aside.write_bytes(data)
        shutil.copymode(path, aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
