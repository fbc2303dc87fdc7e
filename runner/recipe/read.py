"""A recipe file to Recipes, one per target, or to all that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from runner.catalog.bounds import HINT, escape
from runner.document.check import Checked, check
from runner.document.composition import compose_document, edited_document
from runner.document.document import Document, KeyPath, locate_key
from runner.document.edits import COMMAND_LINE, Edit
from runner.document.scalars import Scalar
from runner.errors import (
    MOST_PROBLEMS,
    DocumentError,
    Location,
    MissingRoot,
    MissingVariable,
    Problem,
    RecipeError,
)
from runner.project import read_project
from runner.recipe.bases import RECIPE_KIND
from runner.recipe.build import build_recipe
from runner.recipe.interpolate import Interpolated, interpolate
from runner.recipe.paths import Paths, resolve_paths
from runner.recipe.recipe import Recipe
from runner.recipe.roots import find_project_file, root_variable
from runner.recipe.rules import ALWAYS, WHOLE
from runner.recipe.schemas.recipe import MOST_TARGETS, RECIPE
from runner.recipe.variables import variable_edits

DEFAULT_TARGETS = ("cpu",)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolved:
    """A recipe for one target, and all that is wrong with it."""

    checked: Checked
    paths: Paths
    interpolated: Interpolated
    problems: list[Problem]


def read(
    path: Path,
    *,
    roots: Mapping[str, Path] | None = None,
    profile: str | None = None,
    variables: Mapping[str, Scalar] | None = None,
    edits: Sequence[Edit] = (),
) -> tuple[Recipe, ...]:
    """The recipe in the file, composed and resolved for each of its targets, in their order.

    Args:
        roots: folders of named roots; they win over the environment and `recipes.toml`.
        profile: which of the recipe's `profiles`, or of those in `recipes.toml`, is put over it.
        variables: values that take the place of those under `vars`, the profile's too.
        edits: changes that win over all of these; see `runner.document.edits.parse_edit`.

    Raises:
        RecipeError: the recipe, one of its bases or an edit is wrong; it holds all that is.
        MissingRoot, MissingVariable: the recipe is right, but a named root or an environment
            variable that it uses is not set.
        UsageError: the recipe has no such profile or variable.
    """
    if fault := escape(path.absolute(), path):
        raise RecipeError([Problem(Location(path, 1, 1), fault, HINT)])
    try:
        shared = None if profile is None else _shared_profiles(path)
        composed = compose_document(path, RECIPE_KIND, profile=profile, shared=shared)
        document = edited_document(composed, [*variable_edits(composed, variables or {}), *edits])
    except DocumentError as error:
        raise RecipeError(error.problems) from error
    is_edited = profile is not None or bool(edits)
    found = [
        _resolve(document, target, roots or {}, is_edited=is_edited)
        for target in _targets(document)
    ]
    if problems := [problem for each in found for problem in each.problems]:
        raise RecipeError(problems)
    _expect_roots(found[0].paths.missing_roots)
    _expect_environment(found[0].interpolated.missing)
    return tuple(
        build_recipe(each.checked, each.paths, i, files=composed.files, profile=profile)
        for i, each in enumerate(found)
    )


def _resolve(
    document: Document, target: str, roots: Mapping[str, Path], *, is_edited: bool
) -> _Resolved:
    """The document checked for one target, its paths, and all that is wrong.

    `is_edited`: a profile or edits may have taken the use of a variable away.
    """
    interpolated = interpolate(document, target)
    document = replace(document, locations={**document.locations, **interpolated.moved})
    is_abstract = document.value.get("abstract") is True
    checked = check(document, RECIPE, value=interpolated.value, is_fragment=is_abstract)
    paths = resolve_paths(checked, roots)
    rules = ALWAYS if is_abstract else (*ALWAYS, *WHOLE)
    ruled = (p for rule in rules for p in islice(rule(checked), MOST_PROBLEMS))
    found = [*checked.problems, *paths.problems, *ruled]
    if not (is_abstract or is_edited):
        found += _unused(document, interpolated)
    known = [p for p in found if p.location not in interpolated.unresolved]
    return _Resolved(
        checked=checked,
        paths=paths,
        interpolated=interpolated,
        problems=[*interpolated.problems, *known],
    )


def _shared_profiles(path: Path) -> Mapping[str, Sequence[Edit]]:
    """The profiles of the project that a recipe belongs to."""
    project = find_project_file(path)
    return {} if project is None else read_project(project).profiles


def _targets(document: Document) -> tuple[str, ...]:
    """The targets as far as they can be read; what is wrong with them shows up later."""
    written: Any = interpolate(document, "").value.get("targets")
    if not isinstance(written, list) or len(written) > MOST_TARGETS:
        return DEFAULT_TARGETS
    return tuple(target for target in written if isinstance(target, str)) or DEFAULT_TARGETS


def _unused(document: Document, interpolated: Interpolated) -> Iterator[Problem]:
    """Variables of the recipe and of the environment that nothing refers to.

    Those of bases are there to be used; a recipe that needs no more of them leaves them alone.
    """
    for path, name in _variables(document):
        place = locate_key(document, path)
        is_own = place.path in (document.path, COMMAND_LINE)
        if is_own and name not in interpolated.used and not _is_written(document.path, name):
            message = f"the variable {name!r} is not used; nothing refers to ${{{name}}}"
            yield Problem(place, message, "remove it")


def _is_written(path: Path, name: str) -> bool:
    """Whether a file refers to a variable at all, be it in a value that an edit has replaced."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return any(f"${{{name}}}" in line.partition("#")[0] for line in lines)


def _variables(document: Document) -> Iterator[tuple[KeyPath, str]]:
    """Where each variable stands, and the name that refers to it."""
    variables, allowed = document.value.get("vars"), document.value.get("env")
    for name in variables if isinstance(variables, dict) else ():
        yield ("vars", name), name
    for i, name in enumerate(allowed if isinstance(allowed, list) else ()):
        yield ("env", i), f"env:{name}"


def _expect_roots(missing: Mapping[str, Location]) -> None:
    for name, location in missing.items():
        message = (
            f"the root {name!r} is not set; set {root_variable(name)}, or [roots] in "
            "recipes.toml, to the folder that it stands for"
        )
        raise MissingRoot(message, location)


def _expect_environment(missing: Mapping[str, Location]) -> None:
    for name, location in missing.items():
        message = f"the environment variable {name!r} is not set"
        raise MissingVariable(message, location)
