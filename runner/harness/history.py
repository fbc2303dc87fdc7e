"""What became of checks when they last ran, over sessions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from runner.harness.status import Status
from runner.text_file import write_text

NAME = "history.json"
SCHEMA = "recipe.history/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """A check's last outcome; `run_s`: seconds of its whole run, which other checks share."""

    status: str
    run_s: float | None = None


def load_history(folder: Path) -> dict[str, Last]:
    """The last outcomes by the checks' ids; none where there is no history that can be read."""
    try:
        items = json.loads((folder / NAME).read_text(encoding="utf-8"))["items"]
        return {name: Last(**each) for name, each in items.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def add_to_history(
    folder: Path, items: Iterable[Mapping[str, Any]], missing: Iterable[str] = ()
) -> None:
    """Notes what became of checks, and which of them were to run and have no result; what is known
    of others stays."""
    known = load_history(folder)
    for name in missing:
        known[name] = replace(known.get(name, Last(status="")), status=Status.CRASHED)
    for each in items:
        known[each["id"]] = Last(status=each["status"], run_s=each.get("run_s"))
    content = {"schema": SCHEMA, "items": {name: asdict(known[name]) for name in sorted(known)}}
    write_text(folder / NAME, json.dumps(content, indent=1) + "\n")
