"""Errors in the formats of code hosts: annotations of GitHub Actions, and SARIF 2.1.0.

Source: GitHub, "Workflow commands for GitHub Actions"; OASIS, SARIF Version 2.1.0, section 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from runner.cli.failure import Failure, failure_content
from runner.document.edits import COMMAND_LINE
from runner.version import runner_version

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

Entry = dict[str, Any]


def github_lines(failures: Iterable[Failure]) -> Iterator[str]:
    """A line for each error, which GitHub Actions shows beside the code."""
    for entry in _entries(failures):
        properties = {
            "file": entry["path"],
            "line": entry["line"],
            "col": entry["column"],
            "endColumn": _end(entry),
            "title": entry["kind"],
        }
        given = ",".join(f"{k}={_escaped(v, ':,')}" for k, v in properties.items() if v is not None)
        yield f"::error {given}::{_escaped(_text(entry))}"


def sarif_content(failures: Iterable[Failure]) -> dict[str, Any]:
    """The errors as a SARIF log of one run; columns count characters."""
    entries = list(_entries(failures))
    rules = [{"id": kind} for kind in sorted({entry["kind"] for entry in entries})]
    driver = {"name": "recipe", "version": runner_version(), "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(entry) for entry in entries],
    }
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _entries(failures: Iterable[Failure]) -> Iterator[Entry]:
    """The errors; those of the command line at the beginning of the recipe."""
    for failed in failures:
        for entry in failure_content(failed):
            if entry["path"] == str(COMMAND_LINE):
                place = {"path": entry["recipe"], "line": None, "column": None}
                yield {**entry, **place, "message": f"{COMMAND_LINE}: {entry['message']}"}
            else:
                yield entry


def _result(entry: Entry) -> dict[str, Any]:
    result = {"ruleId": entry["kind"], "level": "error", "message": {"text": _text(entry)}}
    if entry["path"] is None:
        return result
    region = {
        "startLine": entry["line"],
        "startColumn": entry["column"],
        "endColumn": _end(entry),
    }
    known = {key: value for key, value in region.items() if value is not None}
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(Path(entry["path"]))}}
    place |= {"region": known} if known else {}
    return {**result, "locations": [{"physicalLocation": place}]}


def _end(entry: Entry) -> int | None:
    return None if entry["column"] is None else entry["column"] + entry.get("length", 1)


def _text(entry: Entry) -> str:
    return "\n".join(filter(None, (entry["message"], entry["hint"])))


def _escaped(value: Any, more: str = "") -> str:
    return "".join(f"%{ord(c):02X}" if c in f"%\r\n{more}" else c for c in str(value))


def _uri(path: Path) -> str:
    """Relative to the working directory where the file is below it."""
    here = Path.cwd()
    if path.is_absolute() and not path.is_relative_to(here):
        return path.as_uri()
    return quote((path.relative_to(here) if path.is_absolute() else path).as_posix())
