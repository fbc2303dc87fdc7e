"""Every expectation of a recipe to a check, by what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from runner.expect.check import Check
from runner.expect.estimate import Estimate, Question, estimate
from runner.expect.quantity import Quantities, Quantity, Reference
from runner.expect.subjects import BASELINE, BOUNDS, FP32, SPEED, subject_of
from runner.expect.verdict import Status, allowed, decide, decide_by_interval
from runner.recipe.recipe import Expectation, ExpectedFailure, Severity

UNMEASURED = {
    **dict.fromkeys(SPEED, "speed was not measured in this run"),
    "peak_memory_bytes": "this system does not tell the peak of a process's memory",
}
NOT_EVALUATED = "nothing was evaluated in this run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a run measured.

    Attributes:
        found: of the quantized model.
        references: what there is to compare with, by the word of `against`.
        unmet: by the ids of checks whose conditions do not hold, which.
        today: the day by which expected failures end.
    """

    found: Quantities
    references: Mapping[str, Reference]
    unmet: Mapping[str, str] = field(default_factory=dict)
    today: date = field(default_factory=date.today)


def check_all(expectations: Iterable[Expectation], evidence: Evidence) -> tuple[Check, ...]:
    """The outcome of every expectation, in order."""
    return tuple(_excused(_check(each, evidence), each.xfail, evidence) for each in expectations)


def _check(expected: Expectation, evidence: Evidence) -> Check:
    if expected.id in evidence.unmet:
        return _skipped(expected, evidence.unmet[expected.id])
    found = evidence.found.get(expected.metric)
    if found is None:
        return _skipped(expected, UNMEASURED.get(expected.metric, NOT_EVALUATED))
    reference = evidence.references.get(expected.against, Reference(name=""))
    other = reference.quantities.get(expected.metric)
    if BOUNDS[expected.kind].is_compared and other is None:
        why = reference.reasons.get(expected.metric) or reference.reasons.get("", NOT_EVALUATED)
        return replace(_skipped(expected, why), is_warning=expected.against == BASELINE)
    return _judged(expected, found, reference)


def _judged(expected: Expectation, found: Quantity, reference: Reference) -> Check:
    result = estimate(_question(expected), found, reference, expected.metric)
    other = reference.quantities.get(expected.metric)
    both = _both(found, other, reference)
    if result.value is None:
        message = f"{expected.metric} {result.note} {both}".rstrip()
        return _result(expected, Status.FAIL, result, message, found.n)
    wanted = allowed(expected.kind, expected.bound)
    if expected.confidence is None:
        status = decide(result.value, wanted)
    else:
        status = decide_by_interval(result.interval, wanted)
    check = _result(expected, status, result, _message(expected, result, reference, both), found.n)
    if other is None or not BOUNDS[expected.kind].is_compared:
        return check
    return replace(check, reference=other.value)


def _question(expected: Expectation) -> Question:
    return Question(
        kind=expected.kind,
        noise=subject_of(expected.metric).noise,
        drop_type=expected.drop_type,
        confidence=expected.confidence,
    )


def _result(
    expected: Expectation,
    status: Status,
    result: Estimate,
    message: str,
    n: int | None = None,
) -> Check:
    is_missed = status is Status.FAIL and expected.severity is Severity.WARNING
    return Check(
        id=expected.id,
        status=status,
        metric=expected.metric,
        kind=expected.kind,
        value=result.value,
        bound=expected.bound,
        where=str(expected.where),
        message=message,
        severity=expected.severity,
        against=expected.against,
        drop_type=expected.drop_type,
        confidence=expected.confidence,
        interval=result.interval,
        n=n,
        is_warning=is_missed or status is Status.INCONCLUSIVE,
    )


def _skipped(expected: Expectation, why: str) -> Check:
    return _result(expected, Status.SKIPPED, Estimate(value=None), why)


def _excused(check: Check, known: ExpectedFailure | None, evidence: Evidence) -> Check:
    """The check with regard to what is known: a failure that is accepted, for now."""
    if known is None or check.status not in (Status.PASS, Status.FAIL):
        return check
    is_over = known.until is not None and evidence.today > known.until
    if check.status is Status.PASS:
        message = f"{check.message}; it was expected to fail ({known.reason}): remove its xfail"
        return replace(check, message=message, is_warning=True)
    if is_over:
        message = f"{check.message}; that was accepted until {known.until} only ({known.reason})"
        return replace(check, message=message)
    message = f"{check.message}; expected: {known.reason}"
    return replace(check, status=Status.XFAIL, message=message, is_warning=False)


def _message(expected: Expectation, result: Estimate, reference: Reference, both: str) -> str:
    assert result.value is not None
    bound = BOUNDS[expected.kind]
    words = bound.words.format(metric=expected.metric, drop_type=expected.drop_type)
    if expected.kind.endswith("_ratio"):
        words += f" to {reference.name}"
    elif bound.is_compared and expected.against != FP32:
        words += f" against {reference.name}"
    found, limit = _told_apart(result.value, expected.bound)
    side = "at least" if bound.is_at_least else "at most"
    ways = " either way" if bound.is_two_sided else ""
    interval = _shown_interval(expected, result)
    return f"{words} is {found}{interval}, expected {side} {limit}{ways} {both}".rstrip()


def _shown_interval(expected: Expectation, result: Estimate) -> str:
    if expected.confidence is None:
        return ""
    level = f"{expected.confidence * 100:g} % interval"
    if result.interval is None:
        return f" (too little was measured for a {level})"
    low, high = result.interval
    return f" ({level} {_shown(low)} to {_shown(high)})"


def _both(found: Quantity, other: Quantity | None, reference: Reference) -> str:
    """The two values in brackets, and how many samples they come from."""
    parts = [] if other is None else [f"{reference.name} {_shown(other.value)}"]
    parts += [f"quantized {_shown(found.value)}"] if parts else []
    parts += [] if found.n is None else [f"n={found.n}"]
    return f"({', '.join(parts)})" if parts else ""


def _told_apart(value: float, bound: float) -> tuple[str, str]:
    """Value and bound in six digits, or in all of them where six would make them look equal."""
    if value != bound and _shown(value) == _shown(bound):
        return repr(value), repr(bound)
    return _shown(value), _shown(bound)


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
