"""The order of keys that a schema gives."""

from __future__ import annotations

from typing import Any

from runner.document.document import KeyPath
from runner.document.schema import Fitted, Rules, meta

FIRST = "id"


def key_order(rules: Rules, value: dict[str, Any]) -> tuple[str, ...]:
    """The keys of a mapping in the order of the rules that were fitted to it; unknown ones last.

    What names the kind of a mapping stands first, behind an `id`, and then the kind's own keys.
    """
    choose = meta(rules, "choose") or {"key": "", "kinds": {}}
    kind = choose["kinds"].get(value.get(choose["key"]), ())
    wanted = dict.fromkeys([FIRST, choose["key"], *kind, *rules.get("schema", ()), *value])
    return tuple(key for key in wanted if key in value)


def in_order(value: Any, fitted: Fitted, path: KeyPath = ()) -> Any:
    """A value with the keys of all of its mappings in order."""
    if isinstance(value, dict):
        keys = key_order(fitted.rules.get(path, {}), value)
        return {key: in_order(value[key], fitted, (*path, key)) for key in keys}
    if isinstance(value, list):
        return [in_order(each, fitted, (*path, i)) for i, each in enumerate(value)]
    return value
