"""Which files differ from those of a git revision."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from runner.errors import UsageError
from runner.git import git


@dataclass(slots=True, kw_only=True)
class Changes:
    """Files that are new or not as in `revision`, looked up once per repository.

    Files that git ignores, and those outside of a repository, count as unchanged.
    """

    revision: str
    _changed: dict[Path, frozenset[Path]] = field(default_factory=dict)
    _top: dict[Path, Path | None] = field(default_factory=dict)

    def touch(self, paths: Iterable[Path]) -> bool:
        """Whether one of the files, or anything below one of the folders, has changed.

        Raises:
            UsageError: there is no such revision, or git can't tell what has changed.
            MissingTool: there is no git.
        """
        return any(self._is_changed(path.resolve()) for path in paths)

    def expect_repository(self, path: Path) -> None:
        """Raises UsageError where the path is in no repository."""
        if self._repository(path) is None:
            message = f"state:modified needs git, and {str(path.parent)!r} is in no repository"
            raise UsageError(message)

    def expect_revision(self, folder: Path) -> None:
        """Raises UsageError where the folder is in a repository without this revision."""
        top = self._repository(folder.resolve())
        if top is not None:
            self._commit(top)

    def content(self, path: Path) -> str:
        """The text of a file of a repository at the revision; empty where it was not there."""
        path = path.resolve()
        top = self._repository(path)
        assert top is not None
        name = path.relative_to(top).as_posix()
        done = _git(top, "show", "--no-ext-diff", "--no-textconv", f"{self._commit(top)}:{name}")
        return "" if done.returncode else done.stdout

    def _is_changed(self, path: Path) -> bool:
        top = self._repository(path)
        if top is None:
            return False
        if top not in self._changed:
            self._changed[top] = self._changed_in(top)
        changed = self._changed[top]
        return path in changed or (path.is_dir() and any(path in each.parents for each in changed))

    def _repository(self, path: Path) -> Path | None:
        folder = path if path.is_dir() else path.parent
        if folder not in self._top:
            done = _git(folder, "rev-parse", "--show-toplevel")
            self._top[folder] = Path(done.stdout.strip()).resolve() if not done.returncode else None
        return self._top[folder]

    def _commit(self, top: Path) -> str:
        commit = f"{self.revision}^{{commit}}"
        verified = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", commit)
        if verified.returncode:
            message = f"git knows no revision {self.revision!r} in {str(top)!r}"
            raise UsageError(message)
        return verified.stdout.strip()

    def _changed_in(self, top: Path) -> frozenset[Path]:
        revision = self._commit(top)
        differ = _said(top, "diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", revision)
        new = _said(top, "ls-files", "--others", "--exclude-standard", "-z")
        names = (differ + new).split("\0")
        return frozenset((top / name).resolve() for name in names if name)


def _said(top: Path, *arguments: str) -> str:
    """What git answers; raises UsageError where it fails."""
    done = _git(top, *arguments)
    if done.returncode:
        reason = done.stderr.strip() or f"it ended with exit code {done.returncode}"
        message = f"git {arguments[0]} failed in {str(top)!r}: {reason}"
        raise UsageError(message)
    return done.stdout


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return git(folder, *arguments, needed_by="state:modified")
