"""The Document type: plain values out of a YAML file, and the place of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import Location

Key = str | int
KeyPath = tuple[Key, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML file.

    Attributes:
        path: the file, as it was given.
        value: mappings, lists, strings, integers, floats, booleans and None.
        locations: the place of every value by its keys; `()` is the document itself.
        key_locations: the place of every key of a mapping, by the same keys.
    """

    path: Path
    value: dict[str, Any]
    locations: Mapping[KeyPath, Location]
    key_locations: Mapping[KeyPath, Location]


def locate(document: Document, keys: KeyPath) -> Location:
    """The place of the value at `keys`, or of the nearest enclosing value."""
    while keys and keys not in document.locations:
        keys = keys[:-1]
    return document.locations.get(keys, Location(document.path, 1, 1))


def locate_key(document: Document, keys: KeyPath) -> Location:
    """The place of the last key of `keys`; for an item of a list, of the item."""
    return document.key_locations.get(keys) or locate(document, keys)


def value_at(value: Any, keys: KeyPath) -> Any:
    """What stands at `keys`, or None where nothing does."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value
