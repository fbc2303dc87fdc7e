"""The folder of results: written aside, then put in place in one move.

A run that is killed leaves the last good result; one that crashes leaves what it had beside it, in
`<folder>.partial`. Files that are not ours are never touched.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.errors import RunError

STALE_S = 24 * 3600
"""Age at which what a killed run left aside is taken to be abandoned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFolder:
    """Where results go. `files`: the names of all files that a run may write, the verdict last."""

    path: Path
    files: tuple[str, ...]


@contextmanager
def staged(folder: OutputFolder) -> Iterator[Path]:
    """A folder to write into, which takes the place of the results when all went well.

    Raises:
        RunError: the results can't be written.
    """
    with _writing(folder.path):
        staging = _make_staging(folder)
    try:
        yield staging
        with _writing(folder.path):
            _publish(staging, folder)
    except BaseException as error:
        _keep_partial(staging, folder, error)
        raise
    _remove_if_ours(_partial(staging, folder), folder)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"{path}: the results can't be written: {error.strerror or error}"
        raise RunError(message) from error


def _make_staging(folder: OutputFolder) -> Path:
    path = folder.path
    path.parent.mkdir(parents=True, exist_ok=True)
    _recover(folder)
    _remove_stale(folder)
    parent = path.parent if _is_replaceable(folder) else path
    staging = parent / f"{_prefix(folder)}{os.getpid()}-{secrets.token_hex(3)}"
    staging.mkdir()
    return staging


def _prefix(folder: OutputFolder) -> str:
    return f".{folder.path.name}.run-"


def _previous(folder: OutputFolder) -> Path:
    return folder.path.with_name(f".{folder.path.name}.previous")


def _recover(folder: OutputFolder) -> None:
    """Puts back the last good result where a run was killed between the two moves."""
    if not folder.path.exists() and _previous(folder).exists():
        _previous(folder).rename(folder.path)


def _remove_stale(folder: OutputFolder) -> None:
    for parent in {folder.path.parent, folder.path}:
        for each in sorted(parent.glob(f"{_prefix(folder)}*")):
            if time.time() - each.stat().st_mtime > STALE_S:
                shutil.rmtree(each, ignore_errors=True)


def _is_replaceable(folder: OutputFolder) -> bool:
    """Whether the whole folder may be replaced: it is not there, or holds only files of ours."""
    path = folder.path
    if path.is_symlink() or path.is_mount():
        return False
    return not path.exists() or _is_ours(path, folder)


def _is_ours(path: Path, folder: OutputFolder) -> bool:
    return all(each.is_file() and each.name in folder.files for each in path.iterdir())


def _remove_if_ours(path: Path, folder: OutputFolder) -> None:
    if path.is_dir() and _is_ours(path, folder):
        shutil.rmtree(path, ignore_errors=True)


def _publish(staging: Path, folder: OutputFolder) -> None:
    if staging.parent != folder.path and _is_replaceable(folder):
        _replace_folder(staging, folder)
    else:
        _replace_files(staging, folder)


def _replace_folder(staging: Path, folder: OutputFolder) -> None:
    previous = _previous(folder)
    shutil.rmtree(previous, ignore_errors=True)
    if folder.path.exists():
        folder.path.rename(previous)
    staging.rename(folder.path)
    shutil.rmtree(previous, ignore_errors=True)


def _replace_files(staging: Path, folder: OutputFolder) -> None:
    """Moves the files one by one, and removes ours that this run did not write."""
    for name in folder.files:
        if (staging / name).exists():
            (staging / name).replace(folder.path / name)
        else:
            (folder.path / name).unlink(missing_ok=True)
    shutil.rmtree(staging, ignore_errors=True)


def _partial(staging: Path, folder: OutputFolder) -> Path:
    return staging.with_name(f"{folder.path.name}.partial")


def _keep_partial(staging: Path, folder: OutputFolder, error: BaseException) -> None:
    """Keeps what was written before a crash, and says so in a note of the error."""
    partial = _partial(staging, folder)
    _remove_if_ours(partial, folder)
    if partial.exists() or not staging.exists() or not any(staging.iterdir()):
        shutil.rmtree(staging, ignore_errors=True)
        return
    staging.rename(partial)
    error.add_note(f"partial results are in {partial}")
