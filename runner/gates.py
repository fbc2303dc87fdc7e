"""Checks: what was measured against what the recipe expects.

A check decides on its point estimate as it is: nothing is rounded and there is no tolerance.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from runner.recipe.recipe import Expectation
from runner.report.report import Check, MetricValue, Performance, Size, Status

AT_MOST, AT_LEAST = (operator.le, "at most"), (operator.ge, "at least")
HOLDS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "max_drop": AT_MOST,
    "min": AT_LEAST,
    "max": AT_MOST,
    "min_speedup": AT_LEAST,
    "max_ratio": AT_MOST,
    "min_ratio": AT_LEAST,
}
"""Per kind of bound, what value and bound must satisfy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What a run measured; None where it did not."""

    metrics: Mapping[str, MetricValue] | None
    performance: Performance | None
    size: Size
    quantized_operations: int


def check_all(expectations: Iterable[Expectation], measures: Measures) -> tuple[Check, ...]:
    """The outcome of every expectation, in order."""
    return tuple(_check(each, measures) for each in expectations)


def _check(expected: Expectation, measures: Measures) -> Check:
    if expected.metric in ("throughput", "latency_ms"):
        performance = measures.performance
        if performance is None:
            return _result(expected, Status.SKIPPED, None, "speed was not measured in this run")
        return _compare(expected, _speed(expected, performance))
    if expected.metric == "model_bytes":
        size = measures.size
        return _compare(
            expected, size.ratio if expected.kind == "max_ratio" else float(size.quantized_bytes)
        )
    if expected.metric == "quantized_operations":
        return _compare(expected, float(measures.quantized_operations))
    if measures.metrics is None:
        return _result(expected, Status.SKIPPED, None, "nothing was evaluated in this run")
    return _compare_metric(expected, measures.metrics[expected.metric])


def _speed(expected: Expectation, performance: Performance) -> float:
    if expected.metric == "throughput":
        is_ratio = expected.kind == "min_speedup"
        return performance.throughput_speedup if is_ratio else performance.quantized.throughput_fps
    if expected.kind == "min_speedup":
        return performance.latency_speedup
    return performance.quantized.latency_ms.median


def _compare_metric(expected: Expectation, found: MetricValue) -> Check:
    both = f"(FP32 {_shown(found.fp32)}, quantized {_shown(found.quantized)}, n={found.n})"
    value = _metric_value(expected, found)
    if value is not None:
        return _compare(expected, value, both)
    why = "has no finite value"
    if expected.kind == "max_drop" and found.fp32 is None:
        why = "has no finite FP32 value to drop from; bound it with `min`"
    elif found.fp32 == 0:
        why = "has an FP32 value of 0, which nothing is relative to"
    return _result(expected, Status.FAIL, None, f"{expected.metric} {why} {both}")


def _metric_value(expected: Expectation, found: MetricValue) -> float | None:
    if expected.kind == "max_drop":
        is_relative = expected.drop_type == "relative"
        return _ratio(found.drop, found.fp32) if is_relative else found.drop
    if expected.kind == "min_ratio":
        return _ratio(found.quantized, found.fp32)
    return found.quantized


def _ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / abs(whole)


def _compare(expected: Expectation, value: float, context: str = "") -> Check:
    holds, words = HOLDS[expected.kind]
    status = Status.PASS if holds(value, expected.bound) else Status.FAIL
    found, bound = _told_apart(value, expected.bound)
    message = f"{_subject(expected)} is {found}, expected {words} {bound}"
    return _result(expected, status, value, f"{message} {context}".rstrip())


def _subject(expected: Expectation) -> str:
    words = {
        "max_drop": f"{expected.drop_type} drop of {expected.metric}",
        "min_speedup": f"speed-up in {expected.metric}",
        "max_ratio": f"ratio of {expected.metric} to FP32",
        "min_ratio": f"ratio of {expected.metric} to FP32",
    }
    return words.get(expected.kind, expected.metric)


def _told_apart(value: float, bound: float) -> tuple[str, str]:
    """Value and bound in six digits, or in all of them where six would make them look equal."""
    if value != bound and _shown(value) == _shown(bound):
        return repr(value), repr(bound)
    return _shown(value), _shown(bound)


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


def _result(expected: Expectation, status: Status, value: float | None, message: str) -> Check:
    return Check(
        id=expected.id,
        status=status,
        metric=expected.metric,
        kind=expected.kind,
        value=value,
        bound=expected.bound,
        where=str(expected.where),
        message=message,
    )
