"""Projects with recipes, and what their runs say."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.harness.outcome import Outcome

CHILD = (sys.executable, "-S", "-E", str(Path(__file__).with_name("child.py")))
PLUGIN = ("--disable-plugin-autoload", "-p", "runner.pytest_plugin")
METRIC = {"n": 200, "ci95": [0.002, 0.018], "fp32": 0.95, "quantized": 0.94}


def check(name: str = "drop", status: str = "pass", **words: Any) -> dict[str, Any]:
    """A check of a report."""
    found: dict[str, Any] = {"metric": "accuracy", "kind": "max_drop"}
    found |= {"value": 0.01, "bound": 0.02}
    found |= {"severity": "error", "against": "fp32", "interval": None, "confidence": None}
    found |= {"message": f"{name} was measured", "where": "recipes/a.yaml:17:44", "n": 200}
    found |= {"is_warning": status == "inconclusive"}
    return {"id": name, "status": status, **found, **words}


def answer(*checks: Mapping[str, Any], exit_code: int = 0) -> dict[str, Any]:
    """The JSON document of `recipe apply` with these checks in its one report."""
    report = {
        "checks": checks or [check()],
        "metrics": {"accuracy": METRIC},
        "environment": {"device": "CPU", "isa": ["avx2"], "openvino": "2026.4"},
        "recipe": {"digest": "d1"},
        "artifacts": {"report_json": "build/a/cpu/report.json"},
    }
    return {"ok": not exit_code, "exit_code": exit_code, "errors": [], "reports": [report]}


def failed(message: str, exit_code: int, **words: Any) -> dict[str, Any]:
    """The JSON document of `recipe apply` where there is no report."""
    place = {"path": None, "line": None, "column": None}
    error = {"message": message, "hint": "", "notes": [], **place, **words}
    return {"ok": False, "exit_code": exit_code, "errors": [error], "reports": []}


def outcome(document: Mapping[str, Any]) -> Outcome:
    """The outcome of a run that said this."""
    return Outcome(
        seconds=1.5,
        exit_code=document["exit_code"],
        report=next(iter(document["reports"]), None),
        errors=document["errors"],
    )


def write_answers(folder: Path, answers: Mapping[str, Any]) -> None:
    """What runs in the folder say, by the stems of recipes' names."""
    (folder / "answers.json").write_text(json.dumps(answers))


def calls(folder: Path) -> list[str]:
    """The stems of the recipes that were run, in order."""
    path = folder / "calls.txt"
    return [Path(line).stem for line in path.read_text().splitlines()] if path.exists() else []
