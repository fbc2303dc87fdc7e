"""Operations added to what a recipe's file ignores."""

from __future__ import annotations

from collections.abc import Sequence

from runner.document.document import KeyPath, value_at
from runner.document.edits import spell_path
from runner.document.insert import with_items
from runner.document.read import read_document
from runner.document.rewrite import rewrite
from runner.document.source import load_source
from runner.errors import DocumentError, Problem, RecipeError, UsageError
from runner.recipe.recipe import Recipe
from runner.recipe.schemas.steps import PARAMETERS

SCOPE = ("with", "ignored", "scope")


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
    rewrite(recipe.path, text)


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
