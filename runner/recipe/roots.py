"""Named roots: folders that `NAME://path` starts from, which differ between machines.

Where a root is set: the `roots` argument, else the environment variable `RECIPE_ROOT_NAME`, else
`[roots]` of the nearest `recipes.toml` above the recipe, within its repository.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.errors import Location, Problem, RecipeError

PROJECT_FILE = "recipes.toml"
ROOT_PREFIX = "RECIPE_ROOT_"


def root_variable(name: str) -> str:
    """The environment variable that sets a root.

    >>> root_variable("my-data")
    'RECIPE_ROOT_MY_DATA'
    """
    return f"{ROOT_PREFIX}{name.upper().replace('-', '_')}"


def find_root(name: str, recipe: Path, roots: Mapping[str, Path]) -> Path | None:
    """The folder of a named root as seen from a recipe, or None where it is not set.

    Raises:
        RecipeError: `recipes.toml` is wrong.
    """
    if name in roots:
        return Path(roots[name]).absolute()
    if from_environment := os.environ.get(root_variable(name)):
        return Path(from_environment).absolute()
    project = find_project_file(recipe)
    folder = _project_roots(project).get(name) if project else None
    return None if project is None or folder is None else project.parent / folder


def find_project_file(recipe: Path) -> Path | None:
    """The nearest `recipes.toml` above the recipe, not beyond the folder that holds `.git`."""
    for folder in recipe.absolute().parents:
        if (folder / PROJECT_FILE).is_file():
            return folder / PROJECT_FILE
        if (folder / ".git").exists():
            return None
    return None


def _project_roots(path: Path) -> Mapping[str, str]:
    try:
        roots: Any = tomllib.loads(path.read_text("utf-8")).get("roots", {})
    except (OSError, ValueError) as error:
        line = re.search(r"at line (\d+)", str(error))
        raise _wrong(path, f"not valid TOML: {error}", int(line[1]) if line else 1) from error
    if not isinstance(roots, dict) or not all(isinstance(root, str) for root in roots.values()):
        raise _wrong(path, "[roots] holds names and folders, as in: zoo = '../zoo'", 1)
    return roots


def _wrong(path: Path, message: str, line: int) -> RecipeError:
    return RecipeError([Problem(Location(path, line, 1), message)])
