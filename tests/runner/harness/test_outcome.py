from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runner.harness import outcome
from runner.harness.outcome import Outcome, outcome_from_json, outcome_to_json, run_apart
from tests.runner.harness.builders import answer, calls, failed, write_answers


def run(project: Path, *, timeout_s: float = 30) -> Outcome:
    recipe = Path("recipes/a.yaml")
    return run_apart(recipe, ["--target", "cpu"], project / "logs" / "a.log", timeout_s=timeout_s)


def test_what_a_run_says(project: Path) -> None:
    found = run(project)
    assert (found.exit_code, found.report, found.errors) == (0, answer()["reports"][0], [])
    assert found.log == "the last words"
    assert (project / "calls.txt").read_text() == "apply --target cpu --json recipes/a.yaml\n"
    assert [each.name for each in (project / "logs").iterdir()] == ["a.log"]


def test_an_error(project: Path) -> None:
    write_answers(project, {"a": failed("no such layer", 2)})
    found = run(project)
    assert (found.exit_code, found.report, found.crash) == (2, None, "")
    assert found.errors[0]["message"] == "no such layer"


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGKILL"])
def test_killed_by_a_signal(project: Path, name: str) -> None:
    write_answers(project, {"a": {"signal": name}})
    found = run(project)
    crash = f"was killed by {name} before its report"
    assert (found.exit_code, found.report, found.crash) == (None, None, crash)
    assert found.log == "the last words"


def test_killed_after_its_answer(project: Path) -> None:
    """As by a library that crashes when it is unloaded; `recipe apply` fails then, too."""
    write_answers(project, {"a": {**answer(), "last_signal": "SIGSEGV"}})
    found = run(project)
    crash = "was killed by SIGSEGV after its report"
    assert (found.exit_code, found.report, found.crash) == (None, None, crash)


def test_a_run_that_hangs_is_stopped(project: Path) -> None:
    write_answers(project, {"a": {**answer(), "sleep_s": 60}})
    found = run(project, timeout_s=0.3)
    assert (found.exit_code, found.crash) == (None, "was stopped after 0.3 s")
    assert found.seconds < 60


def test_words_that_are_no_answer(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "COMMAND", (sys.executable, "-c", "print('{'); exit(7)"))
    assert run(project).crash == "ended with exit code 7 before its report"


def test_json_and_back(project: Path) -> None:
    found = run(project)
    assert outcome_from_json(outcome_to_json(found)) == found
    assert calls(project) == ["a"]
