"""Locking catalogs, and whether they still are what was locked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.cache.folder import cache_folder
from runner.catalog.checkout import checkout_folder, fetch_anew, resolve_rev, tree_digest
from runner.catalog.find import Catalog, folder_of
from runner.catalog.lock import Locked
from runner.catalog.manifest import read_manifest
from runner.errors import (
    CatalogError,
    DocumentError,
    MissingError,
    RecipeError,
    RunnerError,
    UsageError,
)
from runner.header import Header
from runner.index import Index, open_index
from runner.project import Project, Source
from runner.recipe.read import read
from runner.recipe.roots import ROOT_PREFIX
from runner.selection import select_files

SHOWN_DIGITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a catalog holds: the headers of its recipes, and the errors of those that can't be
    read, by their files."""

    headers: tuple[Header, ...] = ()
    errors: dict[Path, RunnerError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A catalog compared with its lock: what differs, and what can't be compared here."""

    name: str
    changed: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def lock_catalog(
    source: Source, project: Project, before: Locked | None = None, *, is_partial: bool = False
) -> Locked:
    """The catalog fetched and locked as it is now; `before`: as it was locked until now.

    `is_partial`: recipes that can't be read here are noted as `unread`.

    Raises:
        CatalogError, UsageError: it can't be had.
        RecipeError: it has no right `catalog.yaml`, or recipes that are wrong.
        RunnerError: a recipe can't be read here.
    """
    commit = resolve_rev(source.git, source.rev) if source.git else ""
    if source.git and not _is_here(source, commit, before):
        fetch_anew(source.git, commit)
    now = Locked(git=source.git, rev=source.rev, folder=source.folder, commit=commit, content="")
    folder = _checked(source, now)
    contents = contents_of(folder)
    if not is_partial:
        _expect_readable(contents)
    inputs = dict(_inputs(contents, folder, project))
    unread = tuple(sorted(path.relative_to(folder).as_posix() for path in contents.errors))
    return replace(now, content=tree_digest(folder), inputs=inputs, unread=unread)


def fetch_locked(source: Source, locked: Locked) -> None:
    """Fetches the catalog as it is locked, where it is not here or was damaged.

    Raises:
        CatalogError: it can't be had, or not as it was locked.
        RecipeError: it has no right `catalog.yaml`.
    """
    if source.git and locked.is_of(source) and not _is_here(source, locked.commit, locked):
        folder = fetch_anew(source.git, locked.commit) / source.folder
        if tree_digest(folder) != locked.content:
            message = (
                f"the files of the catalog {source.name!r} at {locked.commit} are not those that "
                "were locked"
            )
            raise CatalogError(message)
    _checked(source, locked)


def _is_here(source: Source, commit: str, locked: Locked | None) -> bool:
    """Whether the commit's files are here as they were locked; those of which nothing was locked
    may be damaged."""
    folder = checkout_folder(source.git, commit) / source.folder
    if locked is None or not locked.is_of(source) or locked.commit != commit:
        return False
    return folder.is_dir() and tree_digest(folder) == locked.content


def _checked(source: Source, locked: Locked) -> Path:
    """The folder of the catalog, which has a right `catalog.yaml`."""
    folder = folder_of(Catalog(name=source.name, source=source, locked=locked))
    read_manifest(folder)
    return folder


def _expect_readable(contents: Contents) -> None:
    """Raises what is wrong with recipes: all of their mistakes, else what this machine lacks."""
    errors = [each for each in contents.errors.values() if isinstance(each, DocumentError)]
    if errors:
        raise RecipeError([problem for each in errors for problem in each.problems])
    for error in contents.errors.values():
        for path, other in contents.errors.items():
            if other is not error:
                error.add_note(f"{path}: {other}")
        raise error


def contents_of(folder: Path) -> Contents:
    """What the catalog in the folder holds, out of the index as far as it is known there."""
    index: Index = open_index(cache_folder(), read)
    contents = Contents(errors={})
    headers = []
    for path in select_files([folder]):
        try:
            headers.append(index.header(path))
        except RunnerError as error:
            contents.errors[path] = error
    index.save()
    return Contents(headers=tuple(headers), errors=contents.errors)


def verify_catalog(catalog: Catalog, project: Project) -> Verified:
    """The catalog compared with its lock, byte by byte; nothing is fetched."""
    source, locked = catalog.source, catalog.locked
    if source is None:
        return Verified(name=catalog.name)
    try:
        folder = folder_of(catalog)
        read_manifest(folder)
    except CatalogError as fault:
        return Verified(name=catalog.name, absent=(str(fault),))
    if locked is None:
        message = f"it is not locked; run: recipe catalog update {catalog.name}"
        return Verified(name=catalog.name, absent=(message,))
    changed: list[str] = []
    absent: list[str] = []
    if tree_digest(folder) != locked.content:
        changed.append(f"the files in {str(folder)!r} are not those that were locked")
    contents = contents_of(folder)
    for path, error in contents.errors.items():
        if path.relative_to(folder).as_posix() not in locked.unread:
            kind = absent if isinstance(error, MissingError) else changed
            kind.append(f"{path.relative_to(folder)} can't be read: {error}")
    now = dict(_inputs(contents, folder, project))
    for name, digest in locked.inputs.items():
        if name not in now:
            absent.append(f"{name} is not here; is its root set?")
        elif now[name] != digest:
            changed.append(f"{name} is not what was locked")
    return Verified(
        name=catalog.name,
        changed=tuple(changed),
        absent=tuple(absent),
        warnings=tuple(cautions(source, locked)),
    )


def cautions(source: Source, locked: Locked) -> Iterator[str]:
    """Warnings of what a lock does not hold fast."""
    yield from moving(source, locked.commit)
    for recipe in locked.unread:
        yield (
            f"{recipe!r} could not be read when the catalog {source.name!r} was locked, so nothing "
            f"that it reads is; once it can be read, run: recipe catalog update {source.name}"
        )


def moving(source: Source, commit: str) -> Iterator[str]:
    """A warning where a rev may mean another commit tomorrow."""
    if source.is_moving:
        yield (
            f"the rev {source.rev!r} of the catalog {source.name!r} can move; "
            f"it is locked at {commit[:SHOWN_DIGITS]}. To pin it, write rev = {commit!r}"
        )


def expect_fixed(source: Source, commit: str) -> None:
    """Raises UsageError where a rev may mean another commit tomorrow."""
    for message in moving(source, commit):
        raise UsageError(message)


def _inputs(contents: Contents, folder: Path, project: Project) -> Iterator[tuple[str, str]]:
    """The models and data outside of the catalog: names below roots, and digests."""
    roots = {**project.roots, **_environment_roots()}
    found = {path for header in contents.headers for path in header.inputs}
    for path in sorted(each for each in found if not each.is_relative_to(folder)):
        if path.exists():
            yield _name(path, roots), tree_digest(path, follow=True)


def _environment_roots() -> dict[str, Path]:
    return {
        name.removeprefix(ROOT_PREFIX).lower(): Path(folder).absolute()
        for name, folder in os.environ.items()
        if name.startswith(ROOT_PREFIX) and folder
    }


def _name(path: Path, roots: dict[str, Path]) -> str:
    """The path below the innermost of the roots that it is below of."""
    above = {name: Path(os.path.normpath(folder)) for name, folder in roots.items()}
    holding = [name for name, folder in above.items() if path.is_relative_to(folder)]
    name = max(holding, key=lambda each: len(above[each].parts), default="")
    return f"{name}://{path.relative_to(above[name]).as_posix()}" if name else path.as_posix()
