"""`catalog.yaml`: what a catalog is called, whose it is, and where recipes have moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.catalog.bounds import MANIFEST, escape
from runner.document.check import check
from runner.document.read import read_document
from runner.errors import DocumentError, Location, Problem, RecipeError

TEXT: dict[str, Any] = {"type": "string", "empty": False}
SCHEMA: dict[str, Any] = {
    "type": "dict",
    "schema": {
        "catalog": {"type": "integer", "required": True, "allowed": [1]},
        "name": {**TEXT, "required": True},
        "title": TEXT,
        "owner": TEXT,
        "license": TEXT,
        "moved": {
            "type": "dict",
            "valuesrules": TEXT,
            "meta": {"hint": "write old and new names, as in moved: {resnet: cnn/resnet8}"},
        },
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What `catalog.yaml` says; `moved`: new names of recipes by their old ones."""

    name: str
    title: str = ""
    owner: str = ""
    license: str = ""
    moved: Mapping[str, str] = field(default_factory=dict)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the catalog in the folder.

    Raises:
        RecipeError: there is none, or it is wrong.
    """
    path = folder / MANIFEST
    if fault := escape(path, path):
        raise RecipeError([Problem(Location(path, 1, 1), fault)])
    try:
        document = read_document(path)
    except DocumentError as error:
        raise RecipeError(error.problems) from error
    checked = check(document, SCHEMA)
    if checked.problems:
        raise RecipeError(checked.problems)
    return Manifest(**{key: each for key, each in checked.value.items() if key != "catalog"})
