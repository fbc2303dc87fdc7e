"""`recipe.lock`: which commit of a catalog counts, and what its files, models and data hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import Location, Problem, RecipeError
from runner.project import COMMIT, Source
from runner.text_file import write_text

LOCK_FILE = "recipe.lock"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A catalog as it was when it was locked.

    Attributes:
        git, rev, folder: as `recipes.toml` said then.
        commit: what `rev` meant; empty for a folder.
        content: the SHA-256 of all files of the catalog.
        inputs: the SHA-256 of the models and datasets outside of the catalog that its recipes
            read, by their paths below named roots.
        unread: the recipes, by their paths in the catalog, that could not be read then, so that
            nothing is locked of what they read.
    """

    git: str = ""
    rev: str = ""
    folder: str = ""
    commit: str = ""
    content: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    def is_of(self, source: Source) -> bool:
        """Whether it was locked for what the project file says now."""
        return (self.git, self.rev, self.folder) == (source.git, source.rev, source.folder)


Lock = dict[str, Locked]
"""By the names of catalogs."""


def lock_path(project: Path) -> Path:
    """Where the lock of a project file is."""
    return project.with_name(LOCK_FILE)


def read_lock(path: Path) -> Lock:
    """The lock; an empty one where there is no such file.

    Raises:
        RecipeError: it is damaged, or of another version.
    """
    if not path.exists():
        return {}
    try:
        return parse_lock(path.read_text("utf-8"), path)
    except (OSError, UnicodeError) as error:
        raise _damaged(path) from error


def parse_lock(text: str, path: Path) -> Lock:
    """The lock that the text is; raises RecipeError at the path where it is none."""
    try:
        content = json.loads(text)
        if content["lock"] == VERSION:
            lock = {name: _locked(words) for name, words in content["catalogs"].items()}
            if all(map(_is_right, lock.values())):
                return lock
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path) from error
    raise _damaged(path)


def write_lock(path: Path, lock: Lock) -> None:
    """Writes the lock, in an order that keeps differences small."""
    content = {"lock": VERSION, "catalogs": {name: asdict(each) for name, each in lock.items()}}
    write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")


def _locked(words: dict[str, Any]) -> Locked:
    return Locked(**{**words, "unread": tuple(words.get("unread", ()))})


def _is_right(locked: Locked) -> bool:
    """Whether a file that anybody may have edited holds what we would write."""
    words = (locked.git, locked.rev, locked.folder, locked.content)
    texts = (*words, *locked.inputs.values(), *locked.unread)
    is_commit = COMMIT.fullmatch(locked.commit) or not (locked.git or locked.commit)
    return bool(is_commit) and all(isinstance(each, str) for each in texts)


def _damaged(path: Path) -> RecipeError:
    message = f"not a lock of version {VERSION} as `recipe catalog update` writes it"
    hint = "take it back from git, or remove it and run: recipe catalog update"
    return RecipeError([Problem(Location(path, 1, 1), message, hint)])
