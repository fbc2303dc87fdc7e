"""Whether the files that a recipe names are there, and what may have been meant where not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from runner.document.names import listed, suggest
from runner.git_lfs import pointer_fault
from runner.model_files import model_files

MODEL_SUFFIXES = (".xml", ".onnx", ".tflite", ".pb", ".pdmodel")
SAVED_MODEL = "saved_model.pb"
MOST_SIBLINGS = 2_000
WILDCARDS = "*?["
ALIKE = 0.75
"""The share of letters in which file names agree that are taken for one another; suffixes count."""


def fault_of(kind: str, path: Path) -> str:
    """What is wrong with the file or folder at `path`, or nothing.

    `kind`: file, folder, files (a folder or a pattern) or model.
    """
    return _FAULTS[kind](path)


def _file(path: Path) -> str:
    if _is(Path.is_dir, path):
        return f"expected a file, but {str(path)!r} is a folder"
    return pointer_fault(path) if _is(Path.is_file, path) else _missing("file", path)


def _folder(path: Path) -> str:
    if _is(Path.is_file, path):
        return f"expected a folder, but {str(path)!r} is a file"
    return "" if _is(Path.is_dir, path) else _missing("folder", path)


def _files(path: Path) -> str:
    if not any(character in str(path) for character in WILDCARDS):
        return _folder(path)
    fixed = path
    while any(character in str(fixed) for character in WILDCARDS):
        fixed = fixed.parent
    if fault := _folder(fixed):
        return fault
    return "" if _matches(fixed, str(path.relative_to(fixed))) else f"no file matches {str(path)!r}"


def _model(path: Path) -> str:
    if _is(Path.is_dir, path):
        if not _is(Path.is_file, path / SAVED_MODEL):
            return f"no {SAVED_MODEL} in the folder {str(path)!r}"
    elif path.suffix.lower() not in MODEL_SUFFIXES:
        suffixes = listed(MODEL_SUFFIXES)
        return f"{path.name!r} is no model file; expected {suffixes}, or a SavedModel folder"
    elif fault := _file(path):
        return fault
    elif path.suffix.lower() == ".xml" and (fault := _file(path.with_suffix(".bin"))):
        return f"the weights are missing: {fault}"
    return next(filter(None, map(pointer_fault, model_files(path))), "")


_FAULTS: dict[str, Callable[[Path], str]] = {
    "file": _file,
    "folder": _folder,
    "files": _files,
    "model": _model,
}


def _is(test: Callable[[Path], bool], path: Path) -> bool:
    try:
        return test(path)
    except (OSError, ValueError):  # a name that is too long, or no name at all
        return False


def _matches(folder: Path, pattern: str) -> bool:
    try:
        return next(folder.glob(pattern), None) is not None
    except (OSError, ValueError):
        return False


def _missing(noun: str, path: Path) -> str:
    """The message for a path that is not there, with the name that comes nearest where it stops."""
    last = path
    while not _is(Path.is_dir, last.parent) and last.parent != last.parent.parent:
        last = last.parent
    names = _names_in(last.parent)
    return f"no such {noun}: {str(path)!r}{suggest(last.name, names, cutoff=ALIKE)}"


def _names_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name for entry, _ in zip(entries, range(MOST_SIBLINGS), strict=False)
            )
    except (OSError, ValueError):
        return []
