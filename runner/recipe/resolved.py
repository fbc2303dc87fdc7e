"""The content of a recipe for one target as plain data: composed, without variables.

It is a recipe itself, and says nothing about the machine: named roots and references to the
environment stay as they were written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from runner.document.check import Checked
from runner.document.document import KeyPath, locate
from runner.recipe.interpolate import interpolate
from runner.recipe.paths import Paths, is_relative


def resolved_content(checked: Checked, paths: Paths, target: int, name: str) -> dict[str, Any]:
    """The content for the target at an index, of that name."""
    content = {key: value for key, value in checked.value.items() if key != "vars"}
    if "env" in content:
        shared = interpolate(checked.document, name, environment=None).value
        content = {key: shared[key] for key in content}
    moved = {keys: path for keys, path in paths.found.items() if _is_elsewhere(checked, keys)}
    folder = checked.document.path.absolute().parent
    content = {key: _with_moved(each, (key,), moved, folder) for key, each in content.items()}
    if "targets" in content:
        content["targets"] = [content["targets"][target]]
    return content


def _is_elsewhere(checked: Checked, keys: KeyPath) -> bool:
    """Whether a path stands in a file of another folder than the recipe's."""
    place = locate(checked.document, keys)
    return place.path.absolute().parent != checked.document.path.absolute().parent


def _with_moved(value: Any, at: KeyPath, moved: Mapping[KeyPath, Path], folder: Path) -> Any:
    """The value with paths of other folders relative to the recipe's."""
    if isinstance(value, dict):
        return {key: _with_moved(each, (*at, key), moved, folder) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_moved(each, (*at, i), moved, folder) for i, each in enumerate(value)]
    if at in moved and is_relative(value):
        return PurePath(os.path.relpath(moved[at], folder)).as_posix()
    return value
