from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from runner.errors import Location
from runner.expect.check import Check
from runner.expect.checks import Evidence, check_all
from runner.expect.quantity import Quantity, Reference
from runner.expect.verdict import Status
from runner.recipe.recipe import Expectation, ExpectedFailure, Severity

WHERE = Location(Path("r.yaml"), 7, 40)


def value(found: float | None, *, better: bool = True, parts: tuple[float, ...] = ()) -> Quantity:
    return Quantity(value=found, higher_is_better=better, parts=parts, n=100)


def counted(found: float) -> Quantity:
    return Quantity(value=found, higher_is_better=False)


FP32 = {
    "accuracy": value(0.75),
    "better": value(0.5),
    "error": value(0.5, better=False),
    "sqnr": value(None),
    "zero": value(0.0),
    "edge": value(0.3),
    "throughput": value(100.0, parts=(100.0, 50.0, 100.0)),
    "latency_ms": value(4.0, better=False, parts=(4.0, 8.0, 4.0)),
    "model_bytes": counted(1000),
}
FOUND = {
    "accuracy": value(0.5),
    "better": value(0.75),
    "error": value(0.75, better=False),
    "sqnr": value(30.0),
    "zero": value(0.0),
    "edge": value(0.1),
    "throughput": value(250.0, parts=(200.0, 150.0, 250.0)),
    "latency_ms": value(2.0, better=False, parts=(2.0, 2.0, 2.0)),
    "model_bytes": counted(300),
    "quantized_operations": replace(counted(5), higher_is_better=True),
    "reverted_operations": counted(2),
    "peak_memory_bytes": counted(4e9),
    "output_sqnr_db": replace(counted(25), higher_is_better=True),
}
ACCEPTED = {
    "accuracy": value(0.625),
    "throughput": value(200.0, parts=(200.0,) * 8),
    "quantized_operations": replace(counted(6), higher_is_better=True),
    "reverted_operations": counted(1),
}
REFERENCES = {
    "fp32": Reference(name="FP32", quantities=FP32),
    "baseline": Reference(name="the baseline", quantities=ACCEPTED, is_same_run=False),
}
EVIDENCE = Evidence(found=FOUND, references=REFERENCES, today=date(2026, 11, 20))


def check(
    metric: str, kind: str, bound: float, *, evidence: Evidence = EVIDENCE, **others: Any
) -> Check:
    expected = Expectation(id="c", metric=metric, kind=kind, bound=bound, where=WHERE, **others)
    (found,) = check_all([expected], evidence)
    return found


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    metric: str
    kind: str
    bound: float
    holds: bool
    found: float
    drop: str = "absolute"
    against: str = "fp32"


CASES = (
    Case("drop on the bound", "accuracy", "max_drop", 0.25, True, 0.25),
    Case("drop over it", "accuracy", "max_drop", 0.2, False, 0.25),
    Case("gain", "better", "max_drop", 0.0, True, -0.25),
    Case("lower is better", "error", "max_drop", 0.2, False, 0.25),
    Case("relative", "accuracy", "max_drop", 0.3, False, 1 / 3, "relative"),
    Case("relative of an error", "error", "max_drop", 0.4, False, 0.5, "relative"),
    Case("min", "accuracy", "min", 0.5, True, 0.5),
    Case("min missed", "accuracy", "min", 0.51, False, 0.5),
    Case("min of sqnr", "sqnr", "min", 25, True, 30.0),
    Case("max", "error", "max", 0.75, True, 0.75),
    Case("max missed", "error", "max", 0.7, False, 0.75),
    Case("ratio of a metric", "accuracy", "min_ratio", 0.7, False, 2 / 3),
    Case("speed-up", "throughput", "min_speedup", 2.5, True, 2.5),
    Case("throughput", "throughput", "min", 300, False, 250.0),
    Case("latency speed-up", "latency_ms", "min_speedup", 2.1, False, 2.0),
    Case("latency", "latency_ms", "max", 2, True, 2.0),
    Case("size ratio", "model_bytes", "max_ratio", 0.3, True, 0.3),
    Case("bytes", "model_bytes", "max", 299, False, 300.0),
    Case("operations", "quantized_operations", "min", 5, True, 5.0),
    Case("ratio of an error", "error", "max_ratio", 1.4, False, 1.5),
    Case("within", "better", "within", 0.25, True, -0.25),
    Case("within missed by a gain", "better", "within", 0.2, False, -0.25),
    Case("within, relative", "accuracy", "within", 0.3, False, 1 / 3, "relative"),
    Case("drop from the baseline", "accuracy", "max_drop", 0.1, False, 0.125, against="baseline"),
    Case("speed-up in turn", "throughput", "min_speedup", 2.5, True, 2.5),
    Case("speed-up apart", "throughput", "min_speedup", 1.2, True, 1.25, against="baseline"),
    Case("fewer operations", "quantized_operations", "max_drop", 0, False, 1, against="baseline"),
    Case("more reverted", "reverted_operations", "max_drop", 1, True, 1, against="baseline"),
    Case("reverted", "reverted_operations", "max", 1, False, 2),
    Case("memory", "peak_memory_bytes", "max", 4e9, True, 4e9),
    Case("output", "output_sqnr_db", "min", 20, True, 25),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_checks(case: Case) -> None:
    found = check(case.metric, case.kind, case.bound, drop_type=case.drop, against=case.against)
    assert (found.status, found.value) == (
        Status.PASS if case.holds else Status.FAIL,
        pytest.approx(case.found),
    )
    assert (found.bound, found.where) == (case.bound, "r.yaml:7:40")


def test_nothing_is_rounded_before_it_is_compared() -> None:
    """One step of floating point beyond the bound is too much, and the message shows it."""
    drop = 0.3 - 0.1
    assert check("edge", "max_drop", drop).status is Status.PASS
    missed = check("edge", "max_drop", math.nextafter(drop, 0))
    assert missed.status is Status.FAIL
    assert repr(drop) in missed.message


def test_drop_without_finite_baseline_fails() -> None:
    found = check("sqnr", "max_drop", 1.0)
    assert (found.status, found.value) == (Status.FAIL, None)
    assert "bound it with `min`" in found.message


def test_drop_relative_to_nothing_fails() -> None:
    assert check("zero", "max_drop", 1.0, drop_type="relative").status is Status.FAIL


def test_unmeasured_checks_are_skipped() -> None:
    none = Evidence(found={"model_bytes": FOUND["model_bytes"]}, references=REFERENCES)
    assert check("accuracy", "min", 0.1, evidence=none).status is Status.SKIPPED
    assert check("throughput", "min", 0.1, evidence=none).status is Status.SKIPPED
    assert check("model_bytes", "max_ratio", 0.5, evidence=none).status is Status.PASS


def test_a_condition_that_does_not_hold_skips() -> None:
    evidence = replace(EVIDENCE, unmet={"c": "only when target is 'npu', and it is 'cpu'"})
    found = check("accuracy", "min", 2, evidence=evidence)
    assert (found.status, found.is_warning) == (Status.SKIPPED, False)
    assert "only when target is 'npu'" in found.message


def test_nothing_is_compared_with_a_baseline_that_does_not_fit() -> None:
    why = Reference(name="the baseline", reasons={"": "there is none for cpu-amx"})
    evidence = replace(EVIDENCE, references={**REFERENCES, "baseline": why})
    found = check("accuracy", "max_drop", 1, evidence=evidence, against="baseline")
    assert (found.status, found.message) == (Status.SKIPPED, "there is none for cpu-amx")
    assert (found.fails(), found.fails(strict=True)) == (False, True)


@pytest.mark.parametrize(
    ("bound", "status"),
    [(0.25, Status.PASS), (0.02, Status.INCONCLUSIVE), (0.005, Status.FAIL)],
)
def test_an_interval_that_straddles_the_bound_decides_nothing(bound: float, status: Status) -> None:
    """Of 1000 samples 30 were lost: the interval is from 0.02 to 0.04."""
    before, after = (1.0,) * 1000, (0.0,) * 30 + (1.0,) * 970
    evidence = replace(
        EVIDENCE,
        found={"accuracy": value(0.97, parts=after)},
        references={
            "fp32": Reference(name="FP32", quantities={"accuracy": value(1.0, parts=before)})
        },
    )
    found = check("accuracy", "max_drop", bound, evidence=evidence, confidence=0.95)
    assert found.status is status
    assert found.is_warning == (status is Status.INCONCLUSIVE)
    assert found.interval is not None
    assert found.interval[0] < 0.03 < found.interval[1]
    assert "95 % interval" in found.message


def test_too_few_repeats_decide_nothing() -> None:
    found = check("throughput", "min_speedup", 1.0, confidence=0.95)
    assert (found.status, found.value) == (Status.INCONCLUSIVE, 2.5)
    assert "too little was measured for a 95 % interval" in found.message


def test_a_warning_does_not_fail_the_run_unless_warnings_count() -> None:
    found = check("accuracy", "min", 2, severity=Severity.WARNING)
    assert found.status is Status.FAIL
    assert (found.fails(), found.fails(strict=True)) == (False, True)


LATE, SOON = date(2026, 11, 19), date(2026, 11, 20)


def test_an_expected_failure_is_accepted_to_the_end_of_its_last_day() -> None:
    known = ExpectedFailure(reason="issue 12", until=SOON)
    found = check("accuracy", "min", 2, xfail=known)
    assert (found.status, found.fails(strict=True)) == (Status.XFAIL, False)
    assert "expected: issue 12" in found.message


def test_an_expected_failure_that_is_over_fails() -> None:
    found = check("accuracy", "min", 2, xfail=ExpectedFailure(reason="issue 12", until=LATE))
    assert (found.status, found.fails()) == (Status.FAIL, True)
    assert "accepted until 2026-11-19 only (issue 12)" in found.message


def test_an_unexpected_pass_is_told() -> None:
    found = check("accuracy", "min", 0.1, xfail=ExpectedFailure(reason="issue 12"))
    assert (found.status, found.fails(), found.fails(strict=True)) == (Status.PASS, False, True)
    assert "remove its xfail" in found.message
