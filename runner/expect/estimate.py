"""What a check looks at, estimated: the value that its bound is about, with an interval.

What is relative to another model takes that model's value as fixed: the interval is that of the
drop, divided. The error of that is as small against it as the drop is against the value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from quant.drop import drop, ratio, relative_drop
from runner.expect.quantity import Quantity, Reference, paired
from runner.expect.subjects import BOUNDS, Noise
from runner.metrics.interval import Interval, drop_interval, value_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of quantities. `confidence`: of the interval; None: none is made."""

    kind: str
    noise: Noise
    drop_type: str = "absolute"
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The value that a bound is about, and its interval, where one was asked for and there is one.

    A value of None has no finite number, and `note` says why.
    """

    value: float | None
    interval: Interval | None = None
    note: str = ""


def estimate(question: Question, found: Quantity, reference: Reference, metric: str) -> Estimate:
    """The answer to a question about a model, compared with a reference where the bound is.

    `reference` holds the metric where the bound compares.
    """
    if found.value is None:
        return Estimate(value=None, note=f"has no finite value{_because(found)}")
    if not BOUNDS[question.kind].is_compared:
        return Estimate(value=found.value, interval=_own_interval(question, found))
    other = reference.quantities[metric]
    if other.value is None or math.isinf(other.value) or math.isinf(found.value):
        note = f"has no finite {reference.name} value to compare with{_because(other)}"
        return Estimate(value=None, note=f"{note}; bound it with `min` or `max`")
    if question.noise is Noise.ROUNDS:
        return _speedup(question, found, other, reference)
    return _drop_or_ratio(question, found, other, reference)


def median_interval(values: Sequence[float], confidence: float) -> Interval | None:
    """The interval of the median between two of the values, as narrow as the confidence allows;
    None for too few of them. It assumes nothing of how the values are spread.

    Source: Conover (1999), Practical Nonparametric Statistics, 3.2: the order statistics whose
    ranks are quantiles of the binomial distribution of n tosses.

    >>> median_interval([3.0, 1.0, 2.0, 5.0, 4.0, 6.0], 0.95)
    (1.0, 6.0)
    """
    n, outside = len(values), 0
    tail = 0.0
    while (tail := tail + math.comb(n, outside) / 2**n) <= (1 - confidence) / 2:
        outside += 1
    if not outside:
        return None
    ordered = sorted(values)
    return ordered[outside - 1], ordered[n - outside]


def _because(quantity: Quantity) -> str:
    return f": {quantity.note}" if quantity.note else ""


def _own_interval(question: Question, found: Quantity) -> Interval | None:
    if question.confidence is None:
        return None
    if question.noise is Noise.ROUNDS:
        return median_interval(found.parts, question.confidence)
    return value_interval(found.parts, value=found.value, confidence=question.confidence)


def _drop_or_ratio(
    question: Question, found: Quantity, other: Quantity, reference: Reference
) -> Estimate:
    assert found.value is not None
    assert other.value is not None
    sign = 1.0 if found.higher_is_better else -1.0
    pair, interval = paired(other, found), None
    worse = drop(*pair, higher_is_better=found.higher_is_better)
    if question.confidence is not None and question.noise is Noise.SAMPLES:
        before, after = (other, found) if found.higher_is_better else (found, other)
        interval = drop_interval(
            before.parts, after.parts, drop=worse, confidence=question.confidence
        )
    is_ratio = not BOUNDS[question.kind].has_drop_type
    if not is_ratio and question.drop_type == "absolute":
        return Estimate(value=worse, interval=interval)
    if other.value == 0:
        note = f"has a value of 0 in {reference.name}, which nothing is relative to"
        return Estimate(value=None, note=note)
    scale = abs(other.value)
    if not is_ratio:
        share = relative_drop(*pair, higher_is_better=found.higher_is_better)
        return Estimate(value=share, interval=_mapped(interval, lambda x: x / scale))
    times = ratio(*pair)
    return Estimate(
        value=times, interval=_mapped(interval, lambda x: times - sign * (x - worse) / scale)
    )


def _mapped(interval: Interval | None, change: Callable[[float], float]) -> Interval | None:
    if interval is None:
        return None
    low, high = sorted(map(change, interval))
    return low, high


def _speedup(
    question: Question, found: Quantity, other: Quantity, reference: Reference
) -> Estimate:
    """How many times as fast: within each repeat where the models took turns, else by medians."""
    fast, slow = (found, other) if found.higher_is_better else (other, found)
    if reference.is_same_run:
        ratios = [a / b for a, b in zip(fast.parts, slow.parts, strict=True)]
        interval = question.confidence and median_interval(ratios, question.confidence)
        return Estimate(value=median(ratios), interval=interval or None)
    assert fast.value is not None
    assert slow.value is not None
    return Estimate(value=fast.value / slow.value, interval=_apart(question, fast, slow))


def _apart(question: Question, fast: Quantity, slow: Quantity) -> Interval | None:
    """The interval of a ratio of medians that were measured apart: both hold by Bonferroni."""
    if question.confidence is None:
        return None
    each = (1 + question.confidence) / 2
    above, below = median_interval(fast.parts, each), median_interval(slow.parts, each)
    if above is None or below is None:
        return None
    return above[0] / below[1], above[1] / below[0]
