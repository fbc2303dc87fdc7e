from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.harness.finding import finding
from runner.harness.outcome import Outcome
from runner.harness.status import Status
from runner.header import CheckHeader
from tests.runner.harness.builders import answer, check, failed, outcome

DROP = CheckHeader(id="drop", path=Path("a.yaml"), line=1)


def test_a_missed_bound(project: Path) -> None:
    missed = check(status="fail", message="absolute drop of accuracy is 0.03, expected at most 0.5")
    found = finding(outcome(answer(missed)), DROP, "recipes/a.yaml", "cpu")
    assert (found.status, found.message) == (Status.FAIL, missed["message"])
    assert found.text.splitlines() == [
        f"recipes/a.yaml:17:44: drop on cpu: {missed['message']}",
        " 17 |   - {id: drop, metric: accuracy, max_drop: 0.5}",
        "    |                                            ^^^",
        "95 % interval of the absolute drop: [+0.0020, +0.0180], n=200",
        "try: recipe sensitivity recipes/a.yaml --target cpu, for the operations that lose most",
        "try: preset: mixed, or use: AccuracyAwareQuantization with maximal_drop",
        "report: build/a/cpu/report.json",
    ]
    assert found.figures == {
        "run_s": 1.5,
        "recipe_digest": "d1",
        "environment": "CPU avx2 openvino 2026.4",
        "metric": "accuracy",
        "kind": "max_drop",
        "against": "fp32",
        "severity": "error",
        "value": 0.01,
        "bound": 0.02,
        "where": "recipes/a.yaml:17:44",
        "n": 200,
        "interval_low": 0.002,
        "interval_high": 0.018,
        "confidence": 0.95,
    }


def test_an_interval_of_the_check_itself() -> None:
    told = check(status="inconclusive", interval=[0.001, 0.03], confidence=0.9)
    found = finding(outcome(answer(told)), DROP, "a.yaml", "cpu")
    assert "90 % interval of the drop: [+0.0010, +0.0300], n=200" in found.text
    assert (found.figures["interval_low"], found.figures["confidence"]) == (0.001, 0.9)


@pytest.mark.parametrize(
    ("words", "code", "strict_code"),
    [
        ({"status": "fail"}, 1, 1),
        ({"status": "fail", "severity": "warning", "is_warning": True}, 0, 1),
        ({"status": "pass", "is_warning": True}, 0, 1),
        ({"status": "inconclusive"}, 0, 1),
        ({"status": "skipped"}, 0, 0),
        ({"status": "skipped", "is_warning": True}, 0, 1),
        ({"status": "xfail"}, 0, 0),
        ({"status": "pass"}, 0, 0),
    ],
)
def test_exit_codes(words: dict[str, Any], code: int, strict_code: int) -> None:
    found = finding(outcome(answer(check(**words))), DROP, "a.yaml", "cpu")
    assert (found.exit_code(strict=False), found.exit_code(strict=True)) == (code, strict_code)


@pytest.mark.parametrize(
    ("metric", "words"),
    [("throughput", "does nothing else"), ("model_bytes", "recipe plan a.yaml --target cpu")],
)
def test_advice_follows_the_metric(metric: str, words: str) -> None:
    missed = check(status="fail", metric=metric, kind="min_ratio")
    assert words in finding(outcome(answer(missed)), DROP, "a.yaml", "cpu").text


@pytest.mark.parametrize(("change", "is_warning"), [("worse", True), ("same", False)])
def test_since_the_baseline(change: str, is_warning: bool) -> None:
    document = answer()
    compared = {"change": change, "before": 0.96, "worse_by": 0.02, "interval": [0.01, 0.03]}
    document["reports"][0]["baseline"] = {"comparisons": {"accuracy": compared}}
    found = finding(outcome(document), DROP, "a.yaml", "cpu")
    by = "worse by +0.0200, 95 % interval [+0.0100, +0.0300]"
    assert f"since the baseline (0.9600): {change}: {by}" in found.text
    assert (found.status, found.is_warning) == (Status.PASS, is_warning)
    assert found.figures["baseline"] == change


def test_a_recipe_that_expects_nothing() -> None:
    assert finding(outcome(answer()), None, "a.yaml", "cpu").status is Status.PASS


def test_a_check_that_the_run_does_not_have() -> None:
    found = finding(outcome(answer(check("other"))), DROP, "a.yaml", "cpu")
    assert (found.status, found.message) == (
        Status.INVALID,
        "the run has no check 'drop': the recipe has changed since it was collected",
    )


def test_a_report_beside_errors_is_none(project: Path) -> None:
    document = {**failed("out of memory", 3), "reports": answer()["reports"]}
    assert finding(outcome(document), None, "a.yaml", "cpu").status is Status.CRASHED


def test_a_crash() -> None:
    crashed = Outcome(seconds=2, exit_code=None, crash="was killed by SIGSEGV", log="one\ntwo")
    found = finding(crashed, DROP, "a.yaml", "cpu")
    assert (found.status, found.figures) == (Status.CRASHED, {"run_s": 2})
    assert found.text.splitlines() == [
        "the run of a.yaml on cpu was killed by SIGSEGV",
        "the last that it wrote:",
        "  one",
        "  two",
        "try: recipe apply a.yaml --target cpu",
    ]


@pytest.mark.parametrize(
    ("code", "status"),
    [(1, Status.FAIL), (2, Status.INVALID), (3, Status.CRASHED), (4, Status.MISSING)],
)
def test_errors_by_exit_code(project: Path, code: int, status: Status) -> None:
    place = {"path": "recipes/a.yaml", "line": 11, "column": 12}
    document = failed("no operation is named 'x'", code, hint="look", notes=["a note"], **place)
    found = finding(outcome(document), DROP, "recipes/a.yaml", "cpu")
    assert found.status is status
    assert found.text.splitlines()[:5] == [
        "recipes/a.yaml:11:12: no operation is named 'x'",
        " 11 |     with: {preset: mixed}",
        "    |            ^^^^^^^",
        "    = look",
        "a note",
    ]


def test_an_error_without_a_place() -> None:
    found = finding(outcome(failed("out of memory", 3)), DROP, "a.yaml", "cpu")
    assert found.text == "out of memory\ntry: recipe apply a.yaml --target cpu --debug"
