"""Where catalogs are: those of the project file, then those that installed packages ship."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from runner.catalog.bounds import HINT, MANIFEST, catalog_of, escape, is_catalog
from runner.catalog.checkout import checkout_folder
from runner.catalog.lock import Locked, lock_path, read_lock
from runner.document.names import listed, suggest
from runner.errors import CatalogError, RunnerError, UsageError
from runner.project import PROJECT_FILE, Source, read_project

GROUP = "recipe.catalogs"
"""Entry points of packages: a catalog's name, and the package whose folder is the catalog."""
SCHEME = "catalog:"
SUFFIXES = ("", ".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """A catalog that is known by a name.

    Attributes:
        source: where it comes from; None for one of an installed package.
        package: the package that ships it, else empty.
        locked: what the lock says of it.
    """

    name: str
    source: Source | None = None
    package: str = ""
    locked: Locked | None = None


def known_catalogs(project: Path | None) -> dict[str, Catalog]:
    """The catalogs by name, as seen from a project file.

    Raises:
        RecipeError: the project file or its lock is wrong.
    """
    shipped = {each.name: Catalog(name=each.name, package=each.value) for each in _installed()}
    if project is None:
        return shipped
    lock = read_lock(lock_path(project))
    own = {
        name: Catalog(name=name, source=source, locked=lock.get(name))
        for name, source in read_project(project).catalogs.items()
    }
    return {**shipped, **own}


def folder_of(catalog: Catalog) -> Path:
    """The folder of the catalog on this machine; nothing is fetched.

    Raises:
        CatalogError: it is not there, or not as it is locked.
    """
    folder = _home(catalog)
    if is_catalog(folder):
        return folder
    message = f"the catalog {catalog.name!r} has no {MANIFEST} in {str(folder)!r}"
    if not folder.is_dir():
        message = f"the catalog {catalog.name!r} is not here: no folder {str(folder)!r}"
    raise CatalogError(message)


def find_in_catalog(reference: str, place: Path) -> Path:
    """The recipe file that `NAME/PATH` means in a file at `place`.

    Raises:
        UsageError: there is no such catalog or recipe.
        CatalogError: the catalog is not here as it is locked.
    """
    name, _, inner = reference.partition("/")
    folder = folder_of(_catalog(name, place))
    for suffix in SUFFIXES:
        path = Path(os.path.normpath(folder / f"{inner}{suffix}"))
        if fault := escape(path, folder / MANIFEST):
            message = f"{fault}; {HINT}"
            raise UsageError(message)
        if inner and path.is_file():
            return path
    raise UsageError(_no_recipe(name, inner, folder))


def find_path(reference: str) -> Path:
    """The folder of the catalog NAME, or the recipe or folder NAME/PATH in it, as seen from the
    working directory.

    Raises:
        UsageError, CatalogError: as above.
    """
    here = Path.cwd() / PROJECT_FILE
    name, _, inner = reference.partition("/")
    folder = folder_of(_catalog(name, here))
    path = Path(os.path.normpath(folder / inner))
    if path.is_dir() and not escape(path, folder / MANIFEST):
        return path
    return find_in_catalog(reference, here)


def reference_to(folder: Path, here: Path) -> str:
    """How a folder is named as one of a catalog of the project in `here`; empty where it is in
    none. Unlike its path this stays the same when the catalog is updated.
    """
    from runner.recipe.roots import find_project_file

    catalog = catalog_of(folder / MANIFEST)
    if catalog is None or catalog.is_relative_to(here):
        return ""
    for name, known in known_catalogs(find_project_file(here / PROJECT_FILE)).items():
        if _is_in(known, catalog):
            return f"{SCHEME}{(Path(name) / folder.relative_to(catalog)).as_posix()}"
    return ""


def granted(folder: Path, recipe: Path) -> frozenset[str]:
    """The variables of the environment that the catalog in the folder may read for a recipe."""
    from runner.recipe.roots import find_project_file

    found: set[str] = set()
    for catalog in known_catalogs(find_project_file(recipe)).values():
        if catalog.source is not None and catalog.source.env and _is_in(catalog, folder):
            found.update(catalog.source.env)
    return frozenset(found)


def recipe_names(folder: Path) -> tuple[str, ...]:
    """The recipes of a catalog as references name them, sorted."""
    from runner.selection import select_files

    found = (path.relative_to(folder).with_suffix("") for path in select_files([folder]))
    return tuple(sorted(each.as_posix() for each in found))


@cache
def _installed() -> tuple[EntryPoint, ...]:
    """The catalogs of packages; looking for them takes longer than reading a recipe."""
    return tuple(entry_points(group=GROUP))


def _catalog(name: str, place: Path) -> Catalog:
    from runner.recipe.roots import find_project_file

    known: Mapping[str, Catalog] = known_catalogs(find_project_file(place))
    if name in known:
        return known[name]
    there = f"there are {listed(known, 'and')}" if known else "there are none"
    message = f"unknown catalog {name!r}; {there}{suggest(name, known)}; see: recipe catalog add"
    raise UsageError(message)


def _home(catalog: Catalog) -> Path:
    """The folder where the catalog has to be."""
    source, locked = catalog.source, catalog.locked
    if source is None:
        return _package_folder(catalog)
    if source.path is not None:
        return Path(os.path.normpath(source.path / source.folder))
    if locked is None or not locked.is_of(source):
        what = "is not locked" if locked is None else "is locked for another git, rev or folder"
        message = f"the catalog {catalog.name!r} {what}; run: recipe catalog update {catalog.name}"
        raise CatalogError(message)
    checkout = checkout_folder(source.git, locked.commit)
    if not checkout.is_dir():
        message = (
            f"the catalog {catalog.name!r} is not on this machine yet; run: "
            f"recipe catalog update --locked {catalog.name}"
        )
        raise CatalogError(message)
    return checkout / source.folder


def _package_folder(catalog: Catalog) -> Path:
    """The folder of the package; a package in another one has that one imported."""
    try:
        spec = find_spec(catalog.package)
    except Exception as error:  # whatever the package that holds it raises
        spec, reason = None, f"{type(error).__name__}: {error}"
    else:
        reason = "no such package"
    if spec is None or not spec.submodule_search_locations:
        message = (
            f"the catalog {catalog.name!r} of the package {catalog.package!r} is broken: {reason}"
        )
        raise CatalogError(message)
    return Path(spec.submodule_search_locations[0])


def _is_in(catalog: Catalog, folder: Path) -> bool:
    try:
        return folder.resolve() == _home(catalog).resolve()
    except RunnerError:
        return False


def _no_recipe(name: str, inner: str, folder: Path) -> str:
    from runner.catalog.manifest import read_manifest

    if inner in (moved := read_manifest(folder).moved):
        return f"{SCHEME}{name}/{inner} has moved; it is {SCHEME}{name}/{moved[inner]} now"
    names = recipe_names(folder)
    if not inner:
        return f"{SCHEME}{name} names no recipe; expected {SCHEME}{name}/PATH"
    return f"the catalog {name!r} has no recipe {inner!r}{suggest(inner, names)}"
