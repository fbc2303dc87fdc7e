"""Two records compared: better, the same or worse, with the interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from runner.baseline.record import Record, quantities_of
from runner.baseline.reference import reference_of
from runner.expect.estimate import Estimate, Question, estimate
from runner.expect.quantity import Quantity, Reference
from runner.expect.subjects import Noise, subject_of
from runner.expect.verdict import Interval
from runner.metrics.interval import CONFIDENCE


class Change(StrEnum):
    """What became of a subject.

    SAME: the interval holds no change at all. UNCLEAR: there is no interval to tell. NONE: it is
    not compared.
    """

    BETTER = "better"
    SAME = "same"
    WORSE = "worse"
    UNCLEAR = "unclear"
    NONE = "not compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A subject of two runs.

    Attributes:
        before, after: its values.
        worse_by: the drop; for a speed, `1 - how many times as fast`. With its 95 % interval.
        note: why it is not compared.
    """

    change: Change
    before: float | None
    after: float | None
    worse_by: float | None = None
    interval: Interval | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineUse:
    """The accepted result of a class of environments, and what became of it by subject."""

    environment: str
    path: str
    comparisons: Mapping[str, Comparison]


def compare(then: Record, now: Record, name: str = "the baseline") -> Mapping[str, Comparison]:
    """Every subject of the later run that the earlier one has, in order: metrics first."""
    reference, before = reference_of(then, now, name), quantities_of(then)
    return {
        key: _comparison(key, found, before[key], reference)
        for key, found in quantities_of(now).items()
        if key in before
    }


def is_metric_worse(now: Record, comparisons: Mapping[str, Comparison]) -> bool:
    """Whether the interval of a metric says that it is worse."""
    return any(
        each.change is Change.WORSE for name, each in comparisons.items() if name in now.metrics
    )


def _comparison(key: str, after: Quantity, before: Quantity, reference: Reference) -> Comparison:
    values = Comparison(change=Change.NONE, before=before.value, after=after.value)
    if key in reference.reasons:
        return replace(values, note=reference.reasons[key])
    noise = subject_of(key).noise
    found = _worsening(key, noise, after, reference)
    if found.value is None:
        return replace(values, note=f"it {found.note}")
    exact = (found.value, found.value) if noise is Noise.EXACT else None
    change = _change(exact or found.interval)
    return replace(values, change=change, worse_by=found.value, interval=found.interval)


def _worsening(key: str, noise: Noise, after: Quantity, reference: Reference) -> Estimate:
    kind = "min_speedup" if noise is Noise.ROUNDS else "max_drop"
    question = Question(kind=kind, noise=noise, confidence=CONFIDENCE)
    found = estimate(question, after, reference, key)
    if noise is not Noise.ROUNDS or found.value is None:
        return found
    span = None if found.interval is None else (1 - found.interval[1], 1 - found.interval[0])
    return Estimate(value=1 - found.value, interval=span)


def _change(interval: Interval | None) -> Change:
    if interval is None:
        return Change.UNCLEAR
    if interval[0] > 0:
        return Change.WORSE
    return Change.BETTER if interval[1] < 0 else Change.SAME
