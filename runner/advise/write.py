"""The recipe that advice leads to, as a file: the text as it was, and the changes under `set`."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml.nodes import MappingNode

from runner.advise.change import Changes
from runner.catalog.bounds import refuse_fetched
from runner.document.insert import as_scalar, with_entry, with_value
from runner.document.source import Source, load_source, source_of
from runner.document.syntax import compose
from runner.errors import DocumentError, RecipeError, UsageError
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


def write_advised(recipe: Recipe, changes: Changes, words: Sequence[str], path: Path) -> None:
    """Writes the recipe with changes to a file; comments and layout stay.

    Args:
        words: lines of a comment over the changes.

    Raises:
        RecipeError: the file has something under `set` that can't be added to.
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
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _with_changes(source: Source, changes: Changes, words: Sequence[str]) -> str:
    """The text with a block `set` at its end, or with more entries in the one that it has."""
    entries = {each.key: each.text for each in changes}
    root = compose(source)
    assert isinstance(root, MappingNode)
    if any(key.value == "set" for key, _ in root.value):
        for key, value in entries.items():
            source = source_of(source.path, with_entry(source, ("set",), key, value))
        return source.text
    lines = [f"{as_scalar(key)}: {value}" for key, value in entries.items()]
    if root.flow_style:
        return with_entry(source, (), "set", f"{{{', '.join(lines)}}}")
    block = [*(f"# {each}" for each in words), "set:", *(f"  {each}" for each in lines)]
    return source.text.rstrip("\n") + "\n\n" + "\n".join(block) + "\n"
