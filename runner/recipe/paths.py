"""The paths in a recipe, made absolute and looked up.

A path is relative to the folder of the file that it is written in, the recipe or one of its bases,
to the working directory if it comes from the command line, or starts from a named root:
`NAME://path`. What a catalog's file names stays within the catalog.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath

from runner.catalog.bounds import HINT, escape
from runner.document.check import Checked
from runner.document.document import KeyPath, locate, value_at
from runner.document.edits import COMMAND_LINE
from runner.document.schema import meta
from runner.errors import Location, Problem
from runner.recipe.files import fault_of
from runner.recipe.roots import find_root

ROOTED = re.compile(r"([A-Za-z][A-Za-z0-9_.+-]*)://(.*)", re.DOTALL)
ADDRESSES = ("http", "https", "ftp", "file", "s3", "gs")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
DESCRIPTOR_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Absolute paths by the keys that hold them, what is wrong, and roots that are not set."""

    found: dict[KeyPath, Path] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    missing_roots: dict[str, Location] = field(default_factory=dict)


def resolve_paths(checked: Checked, roots: Mapping[str, Path]) -> Paths:
    """Every path of the recipe, looked up."""
    paths = Paths()
    for keys, kind, text in _written_paths(checked):
        location, hint = locate(checked.document, keys), ""
        path, message = _resolve(text, location.path, checked.document.path, roots)
        if path is not None:
            paths.found[keys] = path
            message = _escape(text, path, location.path)
            hint = HINT if message else ""
            message = message or fault_of(kind, path)
        elif not message:
            paths.missing_roots.setdefault(text.partition("://")[0], location)
        if message:
            paths.problems.append(Problem(location, message, hint))
    return paths


def is_path(target: str) -> bool:
    """Whether an entry of `targets` is the path of a descriptor rather than a name."""
    return "/" in target or target.endswith(DESCRIPTOR_SUFFIXES)


def is_relative(text: str) -> bool:
    """Whether a path starts from the folder of the file that it is written in."""
    return not (ROOTED.fullmatch(text) or PurePath(text).is_absolute())


def _written_paths(checked: Checked) -> Iterator[tuple[KeyPath, str, str]]:
    """The keys, the kind and the text of every path, in the recipe's order."""
    for keys, rules in checked.rules.items():
        kind, text = meta(rules, "path"), value_at(checked.value, keys)
        if kind and isinstance(text, str):
            yield keys, kind, text
    for i, target in enumerate(checked.value.get("targets", ())):
        if is_path(target):
            yield ("targets", i), "file", target


def _resolve(
    text: str, writer: Path, recipe: Path, roots: Mapping[str, Path]
) -> tuple[Path | None, str]:
    """The absolute path, or what is wrong; neither where a root is not set.

    `writer`: the file that the path is written in.
    """
    if UNPRINTABLE.search(text):
        return None, "a path can't hold control characters"
    rooted = ROOTED.fullmatch(text)
    if not rooted:
        return _normal(writer.absolute().parent / text), ""
    name, rest = rooted.groups()
    if name.lower() in ADDRESSES:
        return None, f"{name}:// addresses are not read; download the file and write its path"
    if rest.startswith("/") or ".." in PurePosixPath(rest).parts:
        return None, f"a path can't leave its root {name!r}"
    folder = find_root(name, recipe, roots)
    return (None, "") if folder is None else (_normal(folder / rest), "")


def _escape(text: str, path: Path, writer: Path) -> str:
    """What is wrong where a catalog's file names what is neither below it nor below a root."""
    is_bounded = writer != COMMAND_LINE and not ROOTED.fullmatch(text)
    return escape(path, writer) if is_bounded else ""


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path))  # not resolve(): a link keeps its own name and suffix
