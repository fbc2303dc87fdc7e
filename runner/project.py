"""`recipes.toml`: what a project sets for the recipes below it.

[roots]
zoo = "../zoo"                                # folders that NAME://path starts from

[catalogs.team]                               # where catalog:team/PATH is
git = "https://git.example.com/recipes.git"   # or path = "../shared"
rev = "v3.1.0"                                # a commit, or a tag or branch, which may move
folder = "catalog"                            # where catalog.yaml is in it
env = ["DATA"]                                # variables that its recipes may read
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from runner.document.names import listed, suggest
from runner.errors import DocumentError, Location, Problem, RecipeError

if TYPE_CHECKING:
    from runner.document.edits import Edit

PROJECT_FILE = "recipes.toml"
TABLES = ("roots", "catalogs", "profiles")
KEYS = ("git", "path", "rev", "folder", "env")
CATALOG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
URL = re.compile(r"(https|ssh|file)://[^\s\x00-\x1f]+")
SCP = re.compile(r"[\w.-]+@[\w][\w.-]*:[^:\s][^\s]*")
"""The short form of ssh://, as in git@example.com:team/recipes.git."""
PASSWORD = re.compile(r"https://[^/@]*:[^/@]*@|https://[^/@]{20,}@")
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a catalog comes from: a folder, or a commit, tag or branch of a git repository.

    Attributes:
        path: the folder; None with `git`.
        folder: where in it the catalog is; empty: at its top.
        env: the variables of the environment that its recipes may read.
    """

    name: str
    path: Path | None = None
    git: str = ""
    rev: str = ""
    folder: str = ""
    env: tuple[str, ...] = ()

    @property
    def is_moving(self) -> bool:
        """Whether what `rev` means can change."""
        return bool(self.git) and not COMMIT.fullmatch(self.rev)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What a project file says, paths made absolute."""

    path: Path
    roots: Mapping[str, Path] = field(default_factory=dict)
    catalogs: Mapping[str, Source] = field(default_factory=dict)
    profiles: Mapping[str, tuple[Edit, ...]] = field(default_factory=dict)


def read_project(path: Path) -> Project:
    """The project file.

    Raises:
        RecipeError: it is wrong.
    """
    try:
        text = path.read_text("utf-8")
        content = tomllib.loads(text)
    except (OSError, ValueError) as error:
        line = re.search(r"at line (\d+)", str(error))
        raise _wrong(path, f"not valid TOML: {error}", int(line[1]) if line else 1) from error
    roots, catalogs = content.get("roots", {}), content.get("catalogs", {})
    if not _is_table(roots, str):
        raise _wrong(path, "[roots] holds names and folders, as in: zoo = '../zoo'", 1)
    if not _is_table(catalogs, dict):
        raise _wrong(path, "[catalogs.NAME] holds a catalog each, as in: path = '../shared'", 1)
    profiles = content.get("profiles", {})
    if not _is_table(profiles, list) or not all(
        isinstance(edit, str) for edits in profiles.values() for edit in edits
    ):
        hint = "[profiles] holds lists of edits, as in: quick = ['vars.samples=20']"
        raise _wrong(path, hint, 1)
    problems = [
        Problem(_place(path, text, word), message) for word, message in _faults(content, catalogs)
    ]
    if problems:
        raise RecipeError(problems)
    here = path.absolute().parent
    return Project(
        path=path,
        roots={name: here / folder for name, folder in roots.items()},
        catalogs={name: _source(name, words, here) for name, words in catalogs.items()},
        profiles={name: _edits(path, text, edits) for name, edits in profiles.items()},
    )


def source_faults(name: str, words: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with a catalog's table: the word that it is about, and what to say."""
    if not CATALOG_NAME.fullmatch(name):
        yield name, f"{name!r} is no name of a catalog; expected letters, digits, _ and -"
    for key in words.keys() - set(KEYS):
        yield key, f"unknown key {key!r}; expected {listed(KEYS)}{suggest(key, KEYS)}"
    texts = {key: words[key] for key in KEYS[:-1] if key in words}
    for key, value in texts.items():
        if not isinstance(value, str) or not value:
            yield key, f"{key!r} of the catalog {name!r} has to be a text"
            return
    if ("git" in words) == ("path" in words):
        yield name, f"the catalog {name!r} needs either git or path"
    if "git" in words and "rev" not in words:
        yield name, f"the catalog {name!r} has no rev; write a commit, a tag or a branch"
    if "git" in words and (fault := url_fault(words["git"])):
        yield "git", fault
    if words.get("rev", "").startswith("-") or re.search(r"[\s:^~]", words.get("rev", "")):
        yield "rev", f"{words['rev']!r} is no commit, tag or branch"
    inner = PurePosixPath(words.get("folder", ""))
    if inner.is_absolute() or ".." in inner.parts:
        yield "folder", f"folder {str(inner)!r} lies outside of the catalog's repository"
    env = words.get("env", [])
    if not isinstance(env, list) or not all(isinstance(each, str) for each in env):
        yield "env", "env lists names of variables, as in: env = ['DATA']"


def url_fault(url: str) -> str:
    """What is wrong with the address of a repository, or nothing."""
    if PASSWORD.match(url):
        return "the address holds a password; leave it to git's credential helper"
    if "::" not in url and (URL.fullmatch(url) or SCP.fullmatch(url)):
        return ""
    return f"{url!r} is no address of a repository; expected https://, ssh:// or file://"


def _faults(content: Mapping[str, Any], catalogs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in content.keys() - set(TABLES):
        yield key, f"unknown table {key!r}; expected {listed(TABLES)}{suggest(key, TABLES)}"
    for name, words in catalogs.items():
        yield from source_faults(name, words)


def _source(name: str, words: Mapping[str, Any], here: Path) -> Source:
    path = {"path": here / words["path"]} if "path" in words else {}
    texts = {key: words[key] for key in ("git", "rev", "folder") if key in words}
    return Source(name=name, **path, **texts, env=tuple(words.get("env", ())))


def _edits(path: Path, text: str, edits: list[str]) -> tuple[Edit, ...]:
    """The edits of a profile, each at its place."""
    try:
        return tuple(_edit(path, text, each) for each in edits)
    except DocumentError as error:
        raise RecipeError(error.problems) from error


def _edit(path: Path, text: str, edit: str) -> Edit:
    from runner.document.edits import parse_edit_in  # which imports what reads YAML

    for number, line in enumerate(text.splitlines(), start=1):
        if edit in line:
            return parse_edit_in(path, edit, line=number, column=line.index(edit) + 1)
    return parse_edit_in(path, edit, line=1, column=1)


def _is_table(value: Any, kind: type) -> bool:
    return isinstance(value, dict) and all(isinstance(each, kind) for each in value.values())


def _place(path: Path, text: str, word: str) -> Location:
    """The first line that holds the word; TOML's reader does not tell places."""
    for number, line in enumerate(text.splitlines(), start=1):
        found = re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", line.partition("#")[0])
        if found:
            return Location(path, number, found.start() + 1, len(word), line)
    return Location(path, 1, 1)


def _wrong(path: Path, message: str, line: int) -> RecipeError:
    return RecipeError([Problem(Location(path, line, 1), message)])
