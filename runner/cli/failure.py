"""What went wrong, as lines for people and as data for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import (
    DataError,
    DocumentError,
    LimitMissed,
    MissingCatalog,
    MissingDevice,
    MissingRoot,
    MissingVariable,
    Problem,
    RunnerError,
)

_MISSING = (MissingCatalog, MissingDevice, MissingRoot, MissingVariable)
"""What is missing is so at a place in the recipe, whatever the target."""
_PLACED = (*_MISSING, LimitMissed)
"""Errors, other than those of documents, that name their place in the recipe themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error, and the recipe and target that it came up in, where there is one."""

    error: BaseException
    exit_code: int
    recipe: Path | None = None
    target: str | None = None


def failure(error: RunnerError, recipe: Path | None = None, target: str | None = None) -> Failure:
    """A failure with the exit code that the error leads to."""
    return Failure(error=error, exit_code=error.exit_code, recipe=recipe, target=target)


def problems_of(error: BaseException) -> tuple[Problem, ...]:
    """The problems of an error about a document; other errors have none."""
    return error.problems if isinstance(error, DocumentError) else ()


def failure_text(failed: Failure) -> str:
    """The error for a terminal or a log, as it is: `path:line:column` is never wrapped."""
    text = str(failed.error)
    if not isinstance(failed.error, DocumentError):
        target = "" if failed.target is None else f" [{failed.target}]"
        is_placed = failed.recipe is None or isinstance(failed.error, _MISSING)
        where = "" if is_placed else f"{failed.recipe}{target}: "
        text = f"error: {where}{_words(failed.error)}"
    return "\n".join([text, *getattr(failed.error, "__notes__", ())])


def failure_content(failed: Failure) -> Iterator[dict[str, Any]]:
    """The error as JSON data, an entry per problem."""
    error = failed.error
    common = {
        "kind": type(error).__name__,
        "recipe": None if failed.recipe is None else str(failed.recipe),
        "target": failed.target,
        "notes": list(getattr(error, "__notes__", ())),
    }
    if not isinstance(error, DocumentError):
        yield {**_place(failed), "message": _message(error), "hint": "", **common}
        return
    for problem in error.problems:
        place = problem.location
        yield {
            "path": str(place.path),
            "line": place.line,
            "column": place.column,
            "length": place.length,
            "message": problem.message,
            "hint": problem.hint,
            **common,
        }


def _message(error: BaseException) -> str:
    return error.message if isinstance(error, (DataError, *_PLACED)) else _words(error)


def _words(error: BaseException) -> str:
    """The error's own words; of an error that we did not raise, its kind before them."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, RunnerError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _place(failed: Failure) -> dict[str, Any]:
    error, path, line, column = failed.error, failed.recipe, None, None
    if isinstance(error, DataError) and error.path is not None:
        path, line = error.path, error.line
    if isinstance(error, _PLACED):
        path, line, column = error.location.path, error.location.line, error.location.column
    return {"path": None if path is None else str(path), "line": line, "column": column}
