"""Baseline files: one per recipe, profile, target and environment class, beside the recipe."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from runner.baseline.record import Record, record_from_json, record_to_json
from runner.catalog.bounds import escape, refuse_fetched
from runner.errors import Location, Problem, RecipeError, RunError
from runner.recipe.recipe import Recipe

FOLDER = "baselines"
SUFFIX = ".json"
CLASS = r"[a-z0-9_]+(-[a-z0-9]+)?-[0-9]+\.[0-9]+"
"""What `environment_class` makes, so that a name with more dots is that of another recipe."""
ANEW = "remove the file, and accept results anew: recipe baseline accept"
TWINS = f"rename one of the recipes where both are there, else {ANEW}"


def baseline_path(recipe: Recipe, environment: str) -> Path:
    """Where the accepted result of a recipe in a class of environments is kept.

    It is `baselines/RECIPE.TARGET.CLASS.json` beside the recipe, where RECIPE is its file without
    the suffix. A profile stands behind it. Where that is the path of another recipe's, too, the
    file is that of the one that it names.
    """
    return recipe.path.parent / FOLDER / f"{_prefix(recipe)}{environment}{SUFFIX}"


def environments(recipe: Recipe) -> tuple[str, ...]:
    """The classes of environments that there are accepted results for, sorted."""
    pattern = re.compile(re.escape(_prefix(recipe)) + f"({CLASS})" + re.escape(SUFFIX))
    names = (each.name for each in (recipe.path.parent / FOLDER).glob(f"*{SUFFIX}"))
    return tuple(sorted(match[1] for name in names if (match := pattern.fullmatch(name))))


def read_baseline(recipe: Recipe, environment: str) -> Record | None:
    """The accepted result, where there is one.

    Raises:
        RecipeError: the file is damaged, or that of something else.
    """
    path = baseline_path(recipe, environment)
    if not path.is_file():
        return None
    if fault := escape(path, recipe.path):
        raise RecipeError([Problem(Location(path, 1, 1), fault)])
    record = read_record(path)
    found = _words(record.file, record.profile, record.target)
    expected = _words(recipe.path.name, recipe.profile, recipe.target.name)
    if found != expected:
        message = f"it is the baseline of {found}; expected that of {expected}"
        raise RecipeError([Problem(Location(path, 1, 1), message, TWINS)])
    return record


def read_record(path: Path) -> Record:
    """The record in a file.

    Raises:
        RecipeError: it can't be read.
    """
    try:
        return record_from_json(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        place, message = Location(path, error.lineno, error.colno), f"no JSON: {error.msg}"
        raise RecipeError([Problem(place, message, ANEW)]) from error
    except (ValueError, OSError) as error:
        message = f"no results of a run: {error}"
        raise RecipeError([Problem(Location(path, 1, 1), message, ANEW)]) from error


def write_baseline(record: Record, path: Path) -> None:
    """Puts the record in its place, whole or not at all.

    Raises:
        RunError: the file can't be written.
        UsageError: the recipe is of a catalog that was fetched.
    """
    refuse_fetched(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(record_to_json(record), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        message = f"{path}: the baseline can't be written: {error.strerror or error}"
        raise RunError(message) from error


def _words(file: str, profile: str | None, target: str) -> str:
    """What a baseline is of."""
    within = f" with the profile {profile!r}" if profile else ""
    return f"{file!r}{within} on {target!r}"


def _prefix(recipe: Recipe) -> str:
    profile = f".{recipe.profile}" if recipe.profile else ""
    return f"{recipe.path.stem}{profile}.{recipe.target.name}."
