"""The single values of a recipe by their paths, as edits spell them, and where each was written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.document.apply_edit import NAMING_KEYS
from runner.document.document import KeyPath
from runner.document.edits import spell_path
from runner.document.key_order import in_order
from runner.document.schema import fit
from runner.errors import Location
from runner.recipe.recipe import Recipe
from runner.recipe.schemas.recipe import RECIPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A scalar, a list of scalars, or an empty mapping; `place` is None for a default."""

    value: Any
    place: Location | None


def content_of(recipe: Recipe, *, defaults: bool = False) -> dict[str, Any]:
    """What the recipe amounts to for its target, in the schema's order."""
    content: Mapping[str, Any] = recipe.document
    if defaults:
        from runner.recipe.defaults import with_defaults  # which imports all that has defaults

        content = with_defaults(recipe)
    ordered: dict[str, Any] = in_order(dict(content), fit(RECIPE, dict(content)))
    return ordered


def leaves(recipe: Recipe, content: Mapping[str, Any]) -> dict[str, Leaf]:
    """The leaves of `content_of` the recipe, by their paths."""
    return {
        spell_path(names): Leaf(value=value, place=recipe.locations.get(keys))
        for keys, names, value in _walk(content, (), ())
    }


def value_text(leaf: Leaf) -> str:
    """The value in a line: a text as it is, all else as JSON."""
    value = leaf.value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def origin_text(leaf: Leaf) -> str:
    """Where the value comes from: `path:line:column`, or `default`."""
    return "default" if leaf.place is None else str(leaf.place)


def _walk(
    value: Any, keys: KeyPath, names: tuple[str, ...]
) -> Iterator[tuple[KeyPath, tuple[str, ...], Any]]:
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from _walk(each, (*keys, key), (*names, key))
    elif isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        for i, (name, each) in enumerate(zip(_item_names(value), value, strict=True)):
            yield from _walk(each, (*keys, i), (*names, name))
    else:
        yield keys, names, value


def _item_names(items: list[Any]) -> list[str]:
    """What the items are addressed by: their names, or their numbers where that is not clear."""
    found = [_item_name(each) for each in items]
    return [
        str(i) if name is None or found.count(name) > 1 else name for i, name in enumerate(found)
    ]


def _item_name(item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    return next((item[key] for key in NAMING_KEYS if isinstance(item.get(key), str)), None)
