"""Which catalogs are locked otherwise than at a git revision: their files are in no repository."""

from __future__ import annotations

from pathlib import Path

from runner.catalog.checkout import checkout_folder
from runner.catalog.lock import Lock, lock_path, parse_lock, read_lock
from runner.errors import RecipeError
from runner.harness.changed import Changes


def relocked(project: Path, changes: Changes) -> tuple[Path, ...]:
    """The folders of fetched catalogs whose entry in the project's lock has changed.

    Raises:
        UsageError, MissingTool: git can't tell.
        RecipeError: the lock is damaged.
    """
    path = lock_path(project)
    if not changes.touch([path]):
        return ()
    before = _before(path, changes)
    return tuple(
        checkout_folder(each.git, each.commit)
        for name, each in read_lock(path).items()
        if each.git and each != before.get(name)
    )


def _before(path: Path, changes: Changes) -> Lock:
    """The lock at the revision; an empty one where there was none that can be read."""
    try:
        return parse_lock(changes.content(path), path)
    except RecipeError:
        return {}
