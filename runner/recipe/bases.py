"""Recipes that others extend: where `builtin:NAME`, `catalog:NAME/PATH` and `./PATH` stand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from runner import shipped
from runner.catalog.bounds import HINT, catalog_of, escape
from runner.document.composition import Kind
from runner.document.document import Document
from runner.document.names import nearest, suggest
from runner.errors import (
    CatalogError,
    DocumentError,
    Location,
    MissingCatalog,
    Problem,
    UsageError,
)
from runner.recipe.files import fault_of

VERSION = 1
SUFFIX = ".yaml"
SUFFIXES = (SUFFIX, ".yml")
EXPECTED = "expected builtin:NAME, catalog:NAME/PATH or ./PATH"
OTHER_KINDS = {
    "hardware": "it looks like a hardware descriptor; name it under `targets` of a recipe",
    "compression": "it looks like a POT config; its algorithms become `steps` of a recipe",
    "engine": "it looks like a POT config; its data becomes `datasets` of a recipe",
}


def builtin_names() -> tuple[str, ...]:
    """The names of the recipes that ship, sorted, as `builtin:` takes them."""
    found = (path.relative_to(shipped.RECIPES) for path in shipped.RECIPES.rglob(f"*{SUFFIX}"))
    return tuple(sorted(path.with_suffix("").as_posix() for path in found))


def find_base(reference: str, place: Location) -> Path:
    """The file of the recipe that a reference under `extends` means; `place` is where it stands.

    Raises:
        DocumentError: there is none.
    """
    scheme, sign, name = reference.partition(":")
    if sign and scheme in FINDERS:
        return FINDERS[scheme](name, place)
    return find_beside(reference, place, EXPECTED, _hint(reference))


def find_beside(reference: str, place: Location, expected: str, hint: str = "") -> Path:
    """The YAML file that `./PATH` or `../PATH` means; `expected` and `hint` are about other words.

    Raises:
        DocumentError: there is none.
    """
    if not reference.startswith(("./", "../")):
        _fail(place, f"{reference!r} names no base; {expected}", hint)
    if not reference.endswith(SUFFIXES):
        _fail(place, f"{reference!r} is no YAML file; expected one that ends in {SUFFIX}")
    path = Path(os.path.normpath(place.path.parent / reference))
    if fault := escape(path, place.path):
        _fail(place, fault, HINT)
    if fault := fault_of("file", path):
        _fail(place, fault)
    return path


def expect_recipe(document: Document) -> None:
    """Stops early where a file is of another kind or version: its content can't be judged.

    Raises:
        DocumentError: it is.
    """
    version = document.value.get("recipe", VERSION)
    if isinstance(version, int) and version is not True and version != VERSION:
        message = f"version {version} of the recipe format is not known; expected {VERSION}"
        _fail(document.locations[("recipe",)], message)
    if "recipe" not in document.value:
        message = "not a recipe: the key 'recipe' is missing; expected `recipe: 1` at the top"
        _fail(document.locations[()], message, _kind_hint(document))


RECIPE_KIND = Kind(
    find_base=find_base,
    expect=expect_recipe,
    own=frozenset({"recipe", "name", "abstract"}),
)
"""How recipes are composed."""


def _find_builtin(name: str, place: Location) -> Path:
    names = builtin_names()
    if name not in names:
        _fail(place, f"there is no builtin recipe {name!r}{suggest(name, names)}", _known(names))
    return shipped.RECIPES / f"{name}{SUFFIX}"


def _find_in_catalog(name: str, place: Location) -> Path:
    """The file of a recipe in a catalog of the project.

    Raises:
        MissingCatalog: the catalog is not on this machine as it is locked.
    """
    if catalog_of(place.path) is not None:
        hint = "write ./PATH for a file of the same catalog"
        _fail(place, "a recipe of a catalog extends its own catalog's recipes only", hint)
    from runner.catalog.find import find_in_catalog

    try:
        return find_in_catalog(name, place.path)
    except UsageError as error:
        raise DocumentError([Problem(place, str(error))]) from error
    except CatalogError as error:
        raise MissingCatalog(str(error), place) from error


FINDERS: dict[str, Callable[[str, Location], Path]] = {
    "builtin": _find_builtin,
    "catalog": _find_in_catalog,
}


def _known(names: tuple[str, ...]) -> str:
    return f"there are {', '.join(names)}"


def _hint(reference: str) -> str:
    """What may have been meant by a bare name."""
    names = builtin_names()
    by_last = {name.rpartition("/")[2]: name for name in names}
    found = nearest(reference, names) or by_last.get(nearest(reference, by_last) or "")
    if reference.endswith(SUFFIXES) and not Path(reference).is_absolute():
        return f"write ./{reference} for a file beside this one"
    return f"did you mean 'builtin:{found}'?" if found else ""


def _kind_hint(document: Document) -> str:
    for key, hint in OTHER_KINDS.items():
        if key in document.value:
            return hint
    typo = nearest("recipe", document.value)
    return f"is {typo!r} a typo?" if typo else ""


def _fail(place: Location, message: str, hint: str = "") -> NoReturn:
    raise DocumentError([Problem(place, message, hint)])
