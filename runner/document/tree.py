"""A document as a tree in which every value knows its own place: what is merged and edited.

Lists and mappings change their keys when they are put together; places that hang on values move
along with them, and may come from several files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.document.document import Document, KeyPath
from runner.document.scalars import Scalar
from runner.errors import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A value, where it stands, and where its key does if it is an entry of a mapping.

    Attributes:
        value: a scalar, a mapping of keys to trees, or the trees of a list.
    """

    value: Scalar | dict[str, Tree] | tuple[Tree, ...]
    location: Location
    key: Location | None = None


def tree_of(
    value: Any,
    locations: Mapping[KeyPath, Location],
    key_locations: Mapping[KeyPath, Location],
    path: KeyPath = (),
) -> Tree:
    """The tree of a plain value and of the places in it."""
    inner: Any = value
    if isinstance(value, dict):
        inner = {k: tree_of(v, locations, key_locations, (*path, k)) for k, v in value.items()}
    elif isinstance(value, list):
        inner = tuple(tree_of(v, locations, key_locations, (*path, i)) for i, v in enumerate(value))
    return Tree(value=inner, location=locations[path], key=key_locations.get(path))


def document_of(path: Path, tree: Tree) -> Document:
    """The document that a tree amounts to; `path` is the file that is named for the whole."""
    locations: dict[KeyPath, Location] = {}
    key_locations: dict[KeyPath, Location] = {}
    value = _plain(tree, (), locations, key_locations)
    return Document(path=path, value=value, locations=locations, key_locations=key_locations)


def plain_value(tree: Tree) -> Any:
    """The value alone, as it stands in a document."""
    return _plain(tree, (), {}, {})


def merged(base: Tree, over: Tree) -> Tree:
    """One tree over another: mappings entry by entry, all else is replaced."""
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    entries = dict(base.value)
    for key, entry in over.value.items():
        entries[key] = merged(entries[key], entry) if key in entries else entry
    return replace(over, value=entries)


def _plain(
    tree: Tree,
    path: KeyPath,
    locations: dict[KeyPath, Location],
    key_locations: dict[KeyPath, Location],
) -> Any:
    locations[path] = tree.location
    if tree.key is not None:
        key_locations[path] = tree.key
    if isinstance(tree.value, dict):
        entries = tree.value.items()
        return {k: _plain(v, (*path, k), locations, key_locations) for k, v in entries}
    if isinstance(tree.value, tuple):
        items = enumerate(tree.value)
        return [_plain(v, (*path, i), locations, key_locations) for i, v in items]
    return tree.value
