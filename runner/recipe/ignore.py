"""Operations added to what a recipe's file ignores."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from runner.document.document import KeyPath, value_at
from runner.document.edits import spell_path
from runner.document.insert import with_items
from runner.document.read import read_document
from runner.document.source import load_source
from runner.errors import DocumentError, Problem, RecipeError, UsageError
from runner.recipe.recipe import Recipe
from runner.recipe.schemas.steps import PARAMETERS

SCOPE = ("with", "ignored", "scope")
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
    written = value_at(recipe.document, ("steps", ignoring_step(recipe), *SCOPE))
    return tuple(written or ())


def write_ignored(recipe: Recipe, names: Sequence[str]) -> None:
    """Adds operations to the list `ignored.scope` in the recipe's file, in one move; comments and
    layout stay.

    Raises:
        UsageError: they are ignored already, or none is named.
        RecipeError: the file has something there that can't be added to.
    """
    source = load_source(recipe.path)
    try:
        path, items = _place(recipe, names)
        text = with_items(source, path, items)
    except DocumentError as error:
        raise RecipeError(error.problems) from error
    if text == source.text:
        message = (
            f"{recipe.path} would not change: nothing is named that it does not ignore already"
        )
        raise UsageError(message)
    _replace(recipe.path.resolve(), text)


def _place(recipe: Recipe, names: Sequence[str]) -> tuple[KeyPath, tuple[str, ...]]:
    """Where in the recipe's own file the list stands, and what it has to hold.

    A step that a base has, or that edits change, is changed by an edit, which replaces the list.
    """
    step = recipe.steps[ignoring_step(recipe)].id
    written = read_document(recipe.path).value
    own = [each.get("id", each.get("use")) for each in written.get("steps", ())]
    is_edited = any("steps" in key for key in written.get("set", ()))
    if step in own and not is_edited:
        return ("steps", own.index(step), *SCOPE), tuple(names)
    edit = spell_path(["steps", step, *SCOPE])
    return ("set", edit), (*ignored_names(recipe), *names)


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
