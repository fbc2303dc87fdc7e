"""Packages that are installed for one test: folders on `sys.path` with metadata of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner import plugins
from runner.cache.code import code_digest
from runner.catalog import find

_KEPT = (plugins._all, plugins._loaded, find._installed, code_digest)


@contextmanager
def installed(
    folder: Path, name: str, code: str, points: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A module with entry points, in a folder of its own."""
    write_dist(folder, name, points)
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    forget()
    yield folder
    sys.modules.pop(name, None)
    forget()


def forget() -> None:
    """Looks for packages again."""
    for kept in _KEPT:
        kept.cache_clear()


def write_dist(folder: Path, name: str, points: str) -> None:
    """The metadata of an installed package."""
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(points)
