"""Headers of recipes that were read before, found by content: a catalog is listed without parsing.

A header counts as long as every file that it was read from has the same bytes, the files of model
and data are there, the environment variables that it refers to and the options that it is read
with are the same, and so is our code. The index is a JSON file in the cache folder; one that is
damaged, or was overwritten by another process, costs only time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.cache.code import code_digest
from runner.catalog.lock import lock_path
from runner.header import CheckHeader, Header, TargetHeader, header_of
from runner.recipe.roots import ROOT_PREFIX, find_project_file
from runner.text_file import write_text

if TYPE_CHECKING:
    from runner.recipe.recipe import Recipe

NAME = "headers.json"
Entry = Mapping[str, Any]
"""`stamp`: the digest of all that the header follows from; `header`: its fields as plain data."""


@dataclass(slots=True, kw_only=True)
class Index:
    """Headers by recipe file; `save` keeps those that had to be read.

    Attributes:
        read: reads a recipe file, as `runner.recipe.read.read` does.
        options: what it is read with, as text.
    """

    path: Path
    read: Callable[[Path], Sequence[Recipe]]
    options: str = ""
    _kept: dict[str, Entry] = field(default_factory=dict)
    _fresh: dict[str, Entry] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)
    _there: dict[str, bool] = field(default_factory=dict)
    _projects: dict[str, Path | None] = field(default_factory=dict)
    _roots: dict[str, str] = field(default_factory=lambda: _set_roots())

    def header(self, path: Path) -> Header:
        """The header of the recipe in the file.

        Raises:
            RunnerError: the recipe can't be read.
        """
        key = str(path.absolute())
        kept = self._kept.get(key)
        if kept is not None and (header := self._valid(kept)) is not None:
            return header
        header = header_of(self.read(path))
        plain = _plain(header)
        self._fresh[key] = {"stamp": self._stamp(plain), "header": plain}
        return header

    def save(self) -> None:
        """Writes the index, where there is anything new; an index that can't be written is only
        slow. What another process has written meanwhile is kept."""
        if not self._fresh:
            return
        others = {k: e for k, e in _load(self.path).items() if Path(k).is_file()}
        content = {"code": code_digest(), "headers": {**others, **self._fresh}}
        with suppress(OSError):
            write_text(self.path, json.dumps(content))

    def _valid(self, entry: Entry) -> Header | None:
        """The header of an entry that still counts."""
        try:
            plain = entry["header"]
            if entry["stamp"] == self._stamp(plain) and all(map(self._exists, plain["inputs"])):
                return _header(plain)
        except (KeyError, TypeError, AttributeError):  # damaged
            return None
        return None

    def _stamp(self, plain: Entry) -> str:
        """The digest of all that a header follows from."""
        project = self._project(plain["path"])
        files = list(plain["files"])
        if project is not None:
            files += [str(project), str(lock_path(project))]
        environment = {name: os.environ.get(name) for name in plain["environment"]}
        digests = {each: self._digest(each) for each in files}
        return _digest([self.options, digests, environment, self._roots])

    def _exists(self, path: str) -> bool:
        if path not in self._there:
            self._there[path] = Path(path).exists()
        return self._there[path]

    def _project(self, path: str) -> Path | None:
        """The project file that holds for a recipe; one look-up per folder."""
        folder = path.rpartition(os.sep)[0]
        if folder not in self._projects:
            self._projects[folder] = find_project_file(Path(path))
        return self._projects[folder]

    def _digest(self, path: str) -> str:
        """The digest of a file, which is read once; empty where there is none."""
        if path not in self._digests:
            try:
                content = Path(path).read_bytes()
                self._digests[path] = hashlib.blake2b(content, digest_size=16).hexdigest()
            except OSError:
                self._digests[path] = ""
        return self._digests[path]


def open_index(
    folder: Path, read: Callable[[Path], Sequence[Recipe]], options: Iterable[str] = ()
) -> Index:
    """The index in the cache folder."""
    path = folder / NAME
    return Index(path=path, read=read, options=json.dumps(list(options)), _kept=_load(path))


def _load(path: Path) -> dict[str, Entry]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(content["headers"]) if content["code"] == code_digest() else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _plain(header: Header) -> Entry:
    plain: Entry = json.loads(json.dumps(asdict(header), default=str))
    return plain


def _header(plain: Entry) -> Header:
    paths = {key: tuple(map(_path, plain[key])) for key in ("files", "inputs")}
    texts = {key: tuple(plain[key]) for key in ("tags", "environment")}
    targets = {"targets": tuple(map(_target, plain["targets"]))}
    return Header(**{**plain, **paths, **texts, **targets, "path": _path(plain["path"])})


def _target(plain: Mapping[str, Any]) -> TargetHeader:
    checks = tuple(CheckHeader(**{**each, "path": _path(each["path"])}) for each in plain["checks"])
    return TargetHeader(**{**plain, "results": _path(plain["results"]), "checks": checks})


_path = cache(Path)
"""Recipes share bases and data: a Path of each is made once."""


def _set_roots() -> dict[str, str]:
    """The named roots that the environment sets."""
    return {name: value for name, value in os.environ.items() if name.startswith(ROOT_PREFIX)}


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
