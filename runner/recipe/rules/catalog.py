"""Rules for what stands in a catalog's files: they are other people's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath

from runner.catalog.bounds import catalog_of
from runner.document.check import Checked
from runner.document.document import locate, value_at
from runner.document.edits import COMMAND_LINE
from runner.errors import Problem


def outputs(checked: Checked) -> Iterator[Problem]:
    """Results stay below the working directory."""
    keys = ("outputs", "dir")
    folder, place = value_at(checked.value, keys), locate(checked.document, keys)
    if not isinstance(folder, str) or _catalog(place.path) is None:
        return
    if PurePath(folder).is_absolute() or ".." in PurePath(folder).parts:
        message = f"the results would go to {folder!r}, outside of the working directory"
        yield Problem(place, message, "a catalog's recipe writes below the working directory")


def environment(checked: Checked) -> Iterator[Problem]:
    """Variables of the environment are read where the project grants them to the catalog."""
    for i, name in enumerate(checked.value.get("env", ())):
        place = locate(checked.document, ("env", i))
        catalog = _catalog(place.path)
        if catalog is None:
            continue
        from runner.catalog.find import granted

        if name not in granted(catalog, checked.document.path):
            message = f"the catalog {str(catalog)!r} may not read the variable {name!r}"
            hint = f"grant it in recipes.toml, under [catalogs.NAME]: env = [{name!r}]"
            yield Problem(place, message, hint)


def _catalog(path: Path) -> Path | None:
    return None if path == COMMAND_LINE else catalog_of(path)
