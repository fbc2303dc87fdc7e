"""Files that never change, found by the content that they follow from.

An entry is `KIND/KEY/SHA256.npz`; its name is the digest of its bytes, so damage is seen when it is
read. Entries are written aside and moved into place: any number of processes may read, write and
remove them at the same time.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

DAY_S = 24 * 3600
SUFFIX, ASIDE = ".npz", ".writing"


class Kind(StrEnum):
    """What entries hold."""

    STATISTICS = "statistics"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file: its bytes, and when it was last used, in seconds since the epoch."""

    path: Path
    kind: Kind
    size_bytes: int
    used_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """The entries below a folder; `notes` says what went wrong with it and cost only time."""

    path: Path
    notes: list[str] = field(default_factory=list)

    def read(self, kind: Kind, key: str) -> list[bytes]:
        """The contents of a key's entries, which are used with that; damaged ones are removed."""
        found = []
        for path in sorted(self._folder(kind, key).glob(f"*{SUFFIX}")):
            content = self._content(path)
            if content is not None:
                found.append(content)
                _touch(path)
        return found

    def write(self, kind: Kind, key: str, content: bytes) -> None:
        """Adds an entry; a cache that can't be written is only slow."""
        path = self._folder(kind, key) / f"{_digest(content)}{SUFFIX}"
        aside = path.with_name(f"{os.getpid()}-{secrets.token_hex(4)}{ASIDE}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(content)
            aside.replace(path)
        except OSError as error:
            self.notes.append(f"the cache can't be written: {error.strerror}: {str(self.path)!r}")
            _remove(aside)

    def entries(self) -> tuple[Entry, ...]:
        """All entries, in the order of their paths."""
        return tuple(self._entries())

    def verify(self) -> tuple[Entry, ...]:
        """The damaged entries, which are removed."""
        return tuple(each for each in self.entries() if self._content(each.path) is None)

    def prune(
        self, *, older_than_days: float | None = None, max_bytes: int | None = None
    ) -> tuple[Entry, ...]:
        """Removes what was not used for so long, then what was not used for longest until the rest
        has at most so many bytes; returns what was removed."""
        latest = sorted(self.entries(), key=lambda each: each.used_s, reverse=True)
        removed, total = [], 0
        for each in latest:
            is_old = older_than_days is not None and _age_s(each.path) > older_than_days * DAY_S
            total += each.size_bytes
            if is_old or (max_bytes is not None and total > max_bytes):
                _remove(each.path)
                removed.append(each)
        self._tidy()
        return tuple(removed)

    def _folder(self, kind: Kind, key: str) -> Path:
        return self.path / kind / key

    def _entries(self) -> Iterator[Entry]:
        for kind in Kind:
            for path in sorted((self.path / kind).glob(f"*/*{SUFFIX}")):
                try:
                    found = path.stat()
                except OSError:  # another process has removed it
                    continue
                yield Entry(path=path, kind=kind, size_bytes=found.st_size, used_s=found.st_mtime)

    def _content(self, path: Path) -> bytes | None:
        """The bytes of an entry; None where they are not those that were written."""
        try:
            content = path.read_bytes()
            if _digest(content) == path.stem:
                return content
        except FileNotFoundError:  # another process has removed it
            return None
        except OSError as error:
            self.notes.append(f"an entry of the cache can't be read: {error.strerror}: {path}")
            return None
        self.notes.append(f"a damaged entry of the cache was removed: {path}")
        _remove(path)
        return None

    def _tidy(self) -> None:
        """Removes what killed processes left, and folders that are empty."""
        for kind in Kind:
            for folder in sorted((self.path / kind).glob("*/")):
                for aside in folder.glob(f"*{ASIDE}"):
                    if _age_s(aside) > DAY_S:
                        _remove(aside)
                if not any(folder.iterdir()):
                    _remove_empty(folder)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:  # a cache of someone else's, or another process has removed it
        return


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # another process reads it, on Windows
        return


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # another process has just written to it
        return
