"""Named roots: folders that `NAME://path` starts from, which differ between machines.

Where a root is set: the `roots` argument, else the environment variable `RECIPE_ROOT_NAME`, else
`[roots]` of the project file that holds for the recipe.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from runner.catalog.bounds import catalog_of
from runner.project import PROJECT_FILE, read_project

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
    return None if project is None else read_project(project).roots.get(name)


def find_project_file(recipe: Path) -> Path | None:
    """The nearest `recipes.toml` above the recipe, not beyond the folder that holds `.git`.

    For a recipe of a catalog it is the one of the working directory: a catalog sets no roots.
    """
    if catalog_of(recipe) is not None:
        recipe = Path.cwd() / PROJECT_FILE
    for folder in recipe.absolute().parents:
        if (folder / PROJECT_FILE).is_file():
            return folder / PROJECT_FILE
        if (folder / ".git").exists():
            return None
    return None
