"""A recipe file to Recipes, one per target, or to all that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from runner.document.check import Checked, check
from runner.document.document import Document, locate_key
from runner.document.names import nearest, suggest
from runner.document.read import read_document
from runner.document.scalars import Scalar
from runner.errors import DocumentError, Location, MissingRoot, Problem, RecipeError, UsageError
from runner.recipe.build import build_recipe
from runner.recipe.interpolate import Interpolated, interpolate
from runner.recipe.paths import Paths, resolve_paths
from runner.recipe.recipe import Recipe
from runner.recipe.roots import root_variable
from runner.recipe.rules import ALWAYS, WHOLE
from runner.recipe.schemas.recipe import RECIPE

VERSION = 1
DEFAULT_TARGETS = ("cpu",)
SNIFFED_BYTES = 2048
RECIPE_KEY = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?recipe[\"']?[ \t]*:", re.MULTILINE)
OTHER_KINDS = {
    "hardware": "it looks like a hardware descriptor; name it under `targets` of a recipe",
    "compression": "it looks like a POT config; its algorithms become `steps` of a recipe",
    "engine": "it looks like a POT config; its data becomes `datasets` of a recipe",
}


def read(
    path: Path,
    *,
    roots: Mapping[str, Path] | None = None,
    variables: Mapping[str, Scalar] | None = None,
) -> tuple[Recipe, ...]:
    """The recipe in the file, resolved for each of its targets, in their order.

    Args:
        roots: folders of named roots; they win over the environment and `recipes.toml`.
        variables: values that take the place of those under `vars`.

    Raises:
        RecipeError: the recipe is wrong; it holds all that is.
        MissingRoot: the recipe is right, but a named root that it uses is not set.
        UsageError: `variables` has a name that the recipe does not.
    """
    try:
        document = read_document(path)
    except DocumentError as error:
        raise RecipeError(error.problems) from error
    _expect_recipe(document)
    _expect_known(variables or {}, document)
    targets = _targets(document, variables or {})
    resolved = [_resolve(document, target, roots or {}, variables or {}) for target in targets]
    if problems := [problem for _, _, found in resolved for problem in found]:
        raise RecipeError(problems)
    _expect_roots(resolved[0][1].missing_roots)
    return tuple(build_recipe(checked, paths, i) for i, (checked, paths, _) in enumerate(resolved))


def is_recipe_file(path: Path) -> bool:
    """Whether the file's beginning has the key `recipe` at the start of a line."""
    try:
        with path.open("rb") as file:
            return RECIPE_KEY.search(file.read(SNIFFED_BYTES)) is not None
    except OSError:
        return False


def _resolve(
    document: Document,
    target: str,
    roots: Mapping[str, Path],
    variables: Mapping[str, Scalar],
) -> tuple[Checked, Paths, list[Problem]]:
    """The document checked for one target, its paths, and all that is wrong."""
    interpolated = interpolate(document, variables, target)
    is_abstract = document.value.get("abstract") is True
    checked = check(document, RECIPE, value=interpolated.value, is_fragment=is_abstract)
    paths = resolve_paths(checked, roots)
    rules = ALWAYS if is_abstract else (*ALWAYS, *WHOLE)
    found = [*checked.problems, *paths.problems, *(p for rule in rules for p in rule(checked))]
    if not is_abstract:
        found += _unused_variables(document, interpolated)
    known = [p for p in found if p.location not in interpolated.unresolved]
    return checked, paths, [*interpolated.problems, *known]


def _targets(document: Document, variables: Mapping[str, Scalar]) -> tuple[str, ...]:
    """The targets as far as they can be read; what is wrong with them shows up later."""
    written: Any = interpolate(document, variables, "").value.get("targets")
    if not isinstance(written, list):
        return DEFAULT_TARGETS
    return tuple(target for target in written if isinstance(target, str)) or DEFAULT_TARGETS


def _unused_variables(document: Document, interpolated: Interpolated) -> Iterable[Problem]:
    written = document.value.get("vars")
    for name in written if isinstance(written, dict) else ():
        if name not in interpolated.used:
            message = f"the variable {name!r} is not used; nothing refers to ${{{name}}}"
            yield Problem(locate_key(document, ("vars", name)), message, "remove it")


def _expect_recipe(document: Document) -> None:
    """Stop early where the file is of another kind or version: its content can't be judged."""
    version = document.value.get("recipe", VERSION)
    if isinstance(version, int) and version is not True and version != VERSION:
        message = f"version {version} of the recipe format is not known; expected {VERSION}"
        raise RecipeError([Problem(document.locations[("recipe",)], message)])
    if "recipe" not in document.value:
        message = "not a recipe: the key 'recipe' is missing; expected `recipe: 1` at the top"
        raise RecipeError([Problem(document.locations[()], message, _kind_hint(document))])


def _kind_hint(document: Document) -> str:
    for key, hint in OTHER_KINDS.items():
        if key in document.value:
            return hint
    typo = nearest("recipe", document.value)
    return f"is {typo!r} a typo?" if typo else ""


def _expect_known(variables: Mapping[str, Scalar], document: Document) -> None:
    written = document.value.get("vars")
    known = list(written) if isinstance(written, dict) else []
    for name in variables:
        if name not in known:
            message = f"the recipe has no variable {name!r}{suggest(name, known)}"
            raise UsageError(message)


def _expect_roots(missing: Mapping[str, Location]) -> None:
    for name, location in missing.items():
        message = (
            f"the root {name!r} is not set; set {root_variable(name)}, or [roots] in "
            "recipes.toml, to the folder that it stands for"
        )
        raise MissingRoot(message, location)
