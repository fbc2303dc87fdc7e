"""The recipe that advice leads to, as a file: the text as it was, and the changes under `set`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import MappingNode

from runner.advise.change import Change, Changes, text_of
from runner.catalog.bounds import refuse_fetched
from runner.document.edits import Edit, parse_edit
from runner.document.insert import as_scalar, with_entry, with_more, with_value
from runner.document.source import Source, load_source, source_of, span
from runner.document.syntax import compose
from runner.errors import DocumentError, Location, Problem, RecipeError, UsageError
from runner.recipe.read import read
from runner.recipe.recipe import Recipe

ENDING = "_advised"
"""What is added to the recipe's name, so that its results have a folder of their own."""


def advised_path(recipe: Recipe, output: Path | None, *, force: bool) -> Path:
    """The file to write: the given one, or one beside the recipe.

    Raises:
        UsageError: it is there already and `force` is off, or lies in another folder, from which
            the recipe's paths lead elsewhere.
    """
    path = output or recipe.path.with_name(f"{recipe.path.stem}{ENDING}{recipe.path.suffix}")
    if path.resolve().parent != recipe.path.resolve().parent:
        message = (
            f"{path} lies in another folder than {recipe.path}, whose paths are relative to it; "
            "write beside it and move both"
        )
        raise UsageError(message)
    if path.exists() and not force:
        message = f"{path} is there already; name another file by -o, or give --force"
        raise UsageError(message)
    return path


def write_advised(
    recipe: Recipe,
    changes: Changes,
    words: Sequence[str],
    path: Path,
    *,
    roots: Mapping[str, Path] | None = None,
) -> None:
    """Writes the recipe with changes to a file; comments and layout stay.

    Args:
        words: lines of a comment over the changes.
        roots: those that the recipe was read with.

    Raises:
        RecipeError: the file has something under `set` that can't be added to, or that makes
            another recipe of the changes than the one that was measured; nothing is written then.
        UsageError: the file to write is of a catalog that was fetched.
    """
    refuse_fetched(path)
    source = load_source(recipe.path)
    try:
        if path.resolve() != recipe.path.resolve():
            source = source_of(source.path, with_value(source, ("name",), recipe.name + ENDING))
        text = _with_changes(source, changes, words)
    except DocumentError as error:
        raise RecipeError(error.problems) from error
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        aside.write_text(text, encoding="utf-8")
        _expect_same(recipe, changes, aside, roots)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _with_changes(source: Source, changes: Changes, words: Sequence[str]) -> str:
    """The text with a block `set` at its end, or with more entries in the one that it has."""
    root = compose(source)
    assert isinstance(root, MappingNode)
    if any(key.value == "set" for key, _ in root.value):
        for each in changes:
            source = source_of(source.path, _with_change(source, each))
        return source.text
    lines = [f"{as_scalar(each.key)}: {each.text}" for each in changes]
    if root.flow_style:
        return with_entry(source, (), "set", f"{{{', '.join(lines)}}}")
    block = [*(f"# {each}" for each in words), "set:", *(f"  {each}" for each in lines)]
    return source.text.rstrip("\n") + "\n\n" + "\n".join(block) + "\n"


def _with_change(source: Source, change: Change) -> str:
    """The text with one more entry in its `set`, or with the change in the entry of that key."""
    if not change.is_more:
        return with_entry(source, ("set",), change.key, change.text)
    items = [text_of(each) for each in change.value]
    return with_more(source, ("set",), change.key, items)


def _expect_same(
    recipe: Recipe, changes: Changes, written: Path, roots: Mapping[str, Path] | None
) -> None:
    """Raises RecipeError where a file is another recipe than the given one with the changes."""
    name = parse_edit(f"name={as_scalar(recipe.name)}")

    def content(path: Path, *edits: Edit) -> list[Mapping[str, Any]]:
        return [each.document for each in read(path, roots=roots, edits=[*edits, name])]

    measured = content(recipe.path, *(each.edit() for each in changes))
    try:
        is_same = content(written) == measured
    except DocumentError:
        is_same = False
    if not is_same:
        message = "with the changes under this `set`, the recipe is not the one that was measured"
        hint = (
            f"nothing was written; make the changes by hand: {', '.join(c.words for c in changes)}"
        )
        raise RecipeError([Problem(_place_of_set(load_source(recipe.path)), message, hint)])


def _place_of_set(source: Source) -> Location:
    root = compose(source)
    assert isinstance(root, MappingNode)
    marks = next((key for key, _ in root.value if key.value == "set"), root)
    return span(source, marks.start_mark.index, marks.end_mark.index)
