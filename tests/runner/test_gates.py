from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.errors import Location
from runner.gates import Measures, check_all
from runner.recipe.recipe import Expectation
from runner.report.report import (
    Check,
    Latency,
    MetricValue,
    Performance,
    Size,
    Speed,
    Status,
)

WHERE = Location(Path("r.yaml"), 7, 40)


def value(
    fp32: float | None, quantized: float | None, *, higher_is_better: bool = True
) -> MetricValue:
    drop = None
    if fp32 is not None and quantized is not None:
        drop = fp32 - quantized if higher_is_better else quantized - fp32
    return MetricValue(
        metric="accuracy",
        fp32=fp32,
        quantized=quantized,
        drop=drop,
        n=100,
        ci95=None,
        higher_is_better=higher_is_better,
    )


def speed(fps: float, latency: float) -> Speed:
    return Speed(throughput_fps=fps, latency_ms=Latency(median=latency, p90=latency), spread=0.0)


METRICS = {
    "accuracy": value(0.75, 0.5),
    "better": value(0.5, 0.75),
    "error": value(0.5, 0.75, higher_is_better=False),
    "sqnr": value(None, 30.0),
    "zero": value(0.0, 0.0),
    "edge": value(0.3, 0.1),
}
MEASURES = Measures(
    metrics=METRICS,
    performance=Performance(
        fp32=speed(100.0, 4.0),
        quantized=speed(250.0, 2.0),
        speedup=2.5,
        throughput_speedup=2.5,
        latency_speedup=2.0,
        hint="throughput",
        seconds=1.0,
        repeats=3,
    ),
    size=Size(fp32_bytes=1000, quantized_bytes=300, ratio=0.3),
    quantized_operations=5,
)


def check(
    metric: str, kind: str, bound: float, *, measures: Measures = MEASURES, drop: str = "absolute"
) -> Check:
    expected = Expectation(
        id="c", metric=metric, kind=kind, bound=bound, drop_type=drop, where=WHERE
    )
    (found,) = check_all([expected], measures)
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
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_checks(case: Case) -> None:
    found = check(case.metric, case.kind, case.bound, drop=case.drop)
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
    assert check("zero", "max_drop", 1.0, drop="relative").status is Status.FAIL


def test_unmeasured_checks_are_skipped() -> None:
    none = Measures(metrics=None, performance=None, size=MEASURES.size, quantized_operations=5)
    assert check("accuracy", "min", 0.1, measures=none).status is Status.SKIPPED
    assert check("throughput", "min", 0.1, measures=none).status is Status.SKIPPED
    assert check("model_bytes", "max_ratio", 0.5, measures=none).status is Status.PASS
