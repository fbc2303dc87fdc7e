"""A change of a recipe, as an edit that is made and as a line that is written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.document.edits import Edit, parse_edit, spell_path
from runner.document.insert import as_scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of `set:`; `is_more`: the value's items go to the list that stands there."""

    path: tuple[str, ...]
    value: Any
    is_more: bool = False

    @property
    def key(self) -> str:
        """What stands before the value."""
        return f"{'+' if self.is_more else ''}{spell_path(self.path)}"

    @property
    def text(self) -> str:
        """The value as YAML, on one line."""
        return text_of(self.value)

    @property
    def words(self) -> str:
        """The change as `--set` takes it."""
        return f"{self.key}={self.text}"

    def edit(self) -> Edit:
        """The change as `read` takes it."""
        return parse_edit(self.words)


Changes = tuple[Change, ...]


def text_of(value: Any) -> str:
    """A value as YAML, on one line; JSON is YAML."""
    return as_scalar(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def merged(changes: Iterable[Change]) -> Changes:
    """The changes with what is said twice said once: the last value, and all items of lists."""
    found: dict[tuple[str, ...], Change] = {}
    for each in changes:
        before = found.pop(each.path, None)
        if before is not None and each.is_more:
            more = [item for item in each.value if item not in before.value]
            items = [*before.value, *more]
            found[each.path] = Change(path=each.path, value=items, is_more=before.is_more)
        else:
            found[each.path] = each
    return tuple(found.values())


def of_parameters(prefix: tuple[str, ...], parameters: Mapping[str, Any]) -> Iterable[Change]:
    """A change for each value in nested parameters; lists go behind those that are there."""
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            yield from of_parameters((*prefix, key), value)
        else:
            yield Change(path=(*prefix, key), value=value, is_more=isinstance(value, list))
