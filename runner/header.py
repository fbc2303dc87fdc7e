"""What lists and tests need to know of a recipe before it runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.errors import Location
    from runner.recipe.recipe import Recipe, StepSource

ACCURACY_AWARE = "AccuracyAwareQuantization"
WILDCARDS = "*?["


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckHeader:
    """A check of a recipe, and where its bound is written; lines count from 1."""

    id: str
    path: Path
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetHeader:
    """A target of a recipe, the folder that its results go to, and what is checked.

    `is_timed`: whether a run measures speed.
    """

    name: str
    results: Path
    is_timed: bool
    checks: tuple[CheckHeader, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A recipe in short.

    Attributes:
        files: what it was read from: its own file, bases and descriptors.
        inputs: the files and folders of its model, which is the first, and of its datasets.
        environment: the variables of the environment that it may refer to.
    """

    path: Path
    name: str
    title: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    license: str = ""
    abstract: bool = False
    targets: tuple[TargetHeader, ...] = ()
    files: tuple[Path, ...] = ()
    inputs: tuple[Path, ...] = ()
    environment: tuple[str, ...] = ()


def header_of(recipes: Sequence[Recipe]) -> Header:
    """The header of a recipe, which was read for each of its targets; paths become absolute."""
    first = recipes[0]
    about = first.metadata
    return Header(
        path=first.path.absolute(),
        name=first.name,
        title=about.title,
        owner=about.owner,
        tags=about.tags,
        license=about.license,
        abstract=first.abstract,
        targets=tuple(_target(each) for each in recipes),
        files=_unique(path for each in recipes for path in _files(each)),
        inputs=_unique(path for each in recipes for path in _inputs(each)),
        environment=tuple(first.document.get("env", ())),
    )


def _target(recipe: Recipe) -> TargetHeader:
    checks = [*_control_checks(recipe), *((each.id, each.where) for each in recipe.expect)]
    return TargetHeader(
        name=recipe.target.name,
        results=recipe.outputs.dir,
        is_timed=recipe.benchmark is not None,
        checks=tuple(
            CheckHeader(id=name, path=where.path.absolute(), line=where.line)
            for name, where in checks
        ),
    )


def _control_checks(recipe: Recipe) -> Iterator[tuple[str, Location]]:
    """The limit of accuracy control, for every metric that it holds for, as reports name it."""
    for i, step in enumerate(recipe.steps):
        if step.use == ACCURACY_AWARE:
            where, metrics = (
                recipe.locate("steps", i, "with", "maximal_drop"),
                _judges(recipe, step),
            )
            for name in metrics:
                yield (step.id if len(metrics) == 1 else f"{step.id}.{name}"), where


def _judges(recipe: Recipe, step: StepSource) -> Sequence[str]:
    if step.parameters.get("annotation_free"):
        return ("agreement",)
    named: Sequence[str] = step.parameters.get("metrics", ())
    return named or [each.name for each in recipe.metrics]


def _files(recipe: Recipe) -> Iterator[Path]:
    yield from recipe.files
    if recipe.target.path is not None:
        yield recipe.target.path


def _inputs(recipe: Recipe) -> Iterator[Path]:
    if recipe.model.path != Path():
        yield recipe.model.path
        weights = recipe.model.path.with_suffix(".bin")
        if recipe.model.path.suffix == ".xml" and weights.exists():
            yield weights
    for dataset in recipe.datasets.values():
        yield from (_fixed(each) for each in dataset.options.values() if isinstance(each, Path))


def _fixed(path: Path) -> Path:
    """The path; of a pattern, the folder that all it matches is below of."""
    while any(character in str(path) for character in WILDCARDS):
        path = path.parent
    return path


def _unique(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(Path(os.path.normpath(each.absolute())) for each in paths))
