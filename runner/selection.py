"""The recipe files that a command line names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from runner.errors import UsageError
from runner.recipe.sniff import SUFFIXES, is_recipe_file


def select_files(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The files that are named, and the recipes below folders, each once, in order.

    Raises:
        UsageError: there is no such file or folder.
    """
    return tuple(dict.fromkeys(file for path in paths for file in _files(path)))


def _files(path: Path) -> Iterator[Path]:
    if not path.exists():
        message = f"no such file or folder: {str(path)!r}"
        raise UsageError(message)
    if path.is_file():
        yield path
        return
    for folder, names, files in os.walk(path):
        names[:] = sorted(name for name in names if not name.startswith("."))
        found = (Path(folder) / name for name in sorted(files) if name.endswith(SUFFIXES))
        yield from (file for file in found if is_recipe_file(file))
