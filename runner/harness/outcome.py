"""What came of one run of a recipe on a target, in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-P", "-m", "runner")
"""The command line, without the working directory among the places that modules come from."""
SHOWN_LINES = 20
"""Lines of a log that are shown of a run that crashed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended.

    Attributes:
        exit_code: that of `recipe apply`; None where it did not get as far as that.
        report: the content of its report, where there is one.
        errors: those that it told, as in its JSON.
        crash: how it ended, where it told nothing.
        log: the last lines that it wrote.
    """

    seconds: float
    exit_code: int | None
    report: Mapping[str, Any] | None = None
    errors: Sequence[Mapping[str, Any]] = ()
    crash: str = ""
    log: str = ""


def run_apart(recipe: Path, arguments: Sequence[str], log: Path, *, timeout_s: float) -> Outcome:
    """The outcome of `recipe apply`; what the process writes on stderr goes to `log`.

    Only one target may be left by the arguments.
    """
    command = [*COMMAND, "apply", *arguments, "--json", str(recipe)]
    log.parent.mkdir(parents=True, exist_ok=True)
    answer = log.with_suffix(".json")
    started = time.monotonic()
    try:
        with answer.open("wb") as out, log.open("wb") as err:
            code: int | None = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                timeout=timeout_s,
                check=False,
            ).returncode
        document = _document(answer)
    except subprocess.TimeoutExpired:
        code, document = None, None
    finally:
        answer.unlink(missing_ok=True)
    seconds = time.monotonic() - started
    if document is None or code != document["exit_code"]:
        crash = _crash(code, timeout_s, is_told=document is not None)
        return Outcome(seconds=seconds, exit_code=None, crash=crash, log=_tail(log))
    return Outcome(
        seconds=seconds,
        exit_code=document["exit_code"],
        report=next(iter(document.get("reports", ())), None),
        errors=document["errors"],
        log=_tail(log),
    )


def outcome_to_json(outcome: Outcome) -> str:
    """The outcome as text."""
    return json.dumps(asdict(outcome))


def outcome_from_json(text: str) -> Outcome:
    """What `outcome_to_json` was given."""
    return Outcome(**json.loads(text))


def _document(path: Path) -> dict[str, Any] | None:
    """The one JSON document of a whole call; None where it is not there in full."""
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError:
        return None
    return document


def _crash(code: int | None, timeout_s: float, *, is_told: bool) -> str:
    if code is None:
        return f"was stopped after {timeout_s:g} s"
    when = "after" if is_told else "before"
    how = f"was killed by {_signal(-code)}" if code < 0 else f"ended with exit code {code}"
    return f"{how} {when} its report"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-SHOWN_LINES:])
