"""The recipe files that a command line names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from runner.errors import UsageError
from runner.recipe.sniff import SUFFIXES, is_recipe_file

CATALOG = "catalog:"


def located(path: Path) -> Path:
    """The path; of catalog:NAME and catalog:NAME/PATH, where that is on this machine.

    Raises:
        UsageError, CatalogError: there is no such catalog or recipe, or it is not here.
    """
    text = path.as_posix()
    if not text.startswith(CATALOG) or path.exists():
        return path
    from runner.catalog.find import find_path

    return find_path(text.removeprefix(CATALOG))


def select_files(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The files that are named, and the recipes below folders, each once, in order.

    Raises:
        UsageError: there is no such file or folder.
        CatalogError: a catalog is not on this machine.
    """
    return tuple(dict.fromkeys(file for path in paths for file in _files(located(path))))


def _files(path: Path) -> Iterator[Path]:
    if not path.exists():
        message = f"no such file or folder: {str(path)!r}"
        raise UsageError(message)
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        message = f"neither a file nor a folder: {str(path)!r}"
        raise UsageError(message)
    for folder, names, files in os.walk(path):
        names[:] = sorted(name for name in names if not name.startswith("."))
        found = (Path(folder) / name for name in sorted(files) if name.endswith(SUFFIXES))
        yield from (file for file in found if is_recipe_file(file))
