"""What a catalog's recipes may read: files below the catalog's folder, and named roots.

A recipe is of a catalog where a folder above it holds a `catalog.yaml` with the key `catalog`,
however it was reached: so authors of a catalog meet the same bounds as its users.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from runner.cache.folder import cache_folder
from runner.errors import UsageError
from runner.model_files import BESIDE, model_files
from runner.recipe.files import MODEL_SUFFIXES
from runner.recipe.sniff import SNIFFED_BYTES

MANIFEST = "catalog.yaml"
FETCHED = "catalogs"
"""The folder of the cache that holds catalogs of git repositories."""
KEY = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?catalog[\"']?[ \t]*:", re.MULTILINE)
WILDCARDS = "*?["
HINT = "a recipe of a catalog reads files below the catalog and named roots, as in NAME://path"


def catalog_of(path: Path) -> Path | None:
    """The folder of the catalog that a file is in, or None where it is in none."""
    return next((each for each in _normal(path).parents if is_catalog(each)), None)


def is_catalog(folder: Path) -> bool:
    """Whether the folder is that of a catalog."""
    try:
        with (folder / MANIFEST).open("rb") as file:
            return KEY.search(file.read(SNIFFED_BYTES)) is not None
    except OSError:
        return False


def escape(path: Path, writer: Path) -> str:
    """What is wrong with reading `path` for a recipe file: it lies, or a link in it leads, outside
    of the catalog that the file is in. Nothing where it is in none, or all is well.

    Of a folder or a pattern all that is below counts, of a model its weights too.
    """
    catalog = catalog_of(writer)
    if catalog is None:
        return ""
    if not _normal(path).is_relative_to(catalog):
        return f"{str(_normal(path))!r} lies outside of the catalog {str(catalog)!r}"
    home = os.path.realpath(catalog)
    for each in _read_with(_normal(path)):
        if not _normal(each).is_relative_to(catalog):
            return f"{path.name} names {str(_normal(each))!r}, which lies outside of the catalog"
        if not Path(os.path.realpath(each)).is_relative_to(home):  # of the path as it is written
            link = str(each).removeprefix(f"{catalog}{os.sep}")
            return f"the link {link!r} leads out of the catalog"
    return ""


def refuse_fetched(path: Path) -> None:
    """Raises UsageError where a file to write is of a catalog that was fetched into the cache."""
    if path.resolve().is_relative_to((cache_folder() / FETCHED).resolve()):
        message = f"{str(path)!r} is the copy of a catalog; change it in the catalog's repository"
        raise UsageError(message)


def _read_with(path: Path) -> Iterator[Path]:
    """The path, the weights of a model, and every link below a folder."""
    while any(character in str(path) for character in WILDCARDS):
        path = path.parent
    yield path
    if path.suffix.lower() in MODEL_SUFFIXES:
        yield from (path.with_suffix(each) for each in BESIDE.values())  # whatever it calls itself
        yield from model_files(path)
    for folder, names, files in os.walk(path):
        yield from (link for name in (*names, *files) if (link := Path(folder, name)).is_symlink())


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))
