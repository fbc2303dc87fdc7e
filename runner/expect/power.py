"""What the samples of a plan can't decide, told before anything runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING

from runner.expect.estimate import median_interval
from runner.expect.subjects import BASELINE, SPEED
from runner.metrics.interval import proportion_drop_interval, proportion_interval, quantile

if TYPE_CHECKING:
    from runner.plan import CheckPlan, Plan

MOST_SAMPLES = 10**9
TYPICAL = 0.03
"""The share of samples on which FP32 and a quantized model often differ."""


def power_notes(plan: Plan) -> Iterator[str]:
    """A note for each check that the plan's samples or repeats can't decide."""
    for check in plan.checks:
        if not check.unmet and (note := _note(check, plan)):
            yield f"check {check.id!r}: {note}"


def _note(check: CheckPlan, plan: Plan) -> str:
    if check.metric in SPEED:
        repeats = plan.benchmark.repeats if plan.benchmark else 0
        return repeats_note(check.confidence, repeats, is_apart=check.against == BASELINE)
    metric = plan.metrics.get(check.metric)
    if metric is None or not metric.is_share:
        return ""
    n = plan.datasets["validation"].samples
    if check.confidence is None:
        return resolution_note(check.kind, check.bound, n)
    return share_note(check.kind, check.bound, n, check.confidence)


def resolution_note(kind: str, bound: float, n: int) -> str:
    """That a share of `n` samples has no steps as small as what is asked, where that is so.

    >>> resolution_note("max_drop", 0.005, 100)
    '0.005 is half a sample of 100: a single answer decides; 200 samples have steps of that size'
    """
    room = _room(kind, bound)
    if room is None or not 0 < room * n < 1:
        return ""
    part = "half a sample" if room * n == 0.5 else f"{room * n:.2g} of a sample"
    return (
        f"{bound:g} is {part} of {n}: a single answer decides; "
        f"{math.ceil(1 / room)} samples have steps of that size"
    )


def share_note(kind: str, bound: float, n: int, confidence: float) -> str:
    """That a share of `n` samples can't keep a bound with that confidence, even with the best
    answers there are, where that is so."""
    if _can_pass(kind, bound, confidence)(n):
        return ""
    level = f"{confidence * 100:g} %"
    needed = _fewest(_can_pass(kind, bound, confidence))
    if needed is None:
        return f"no number of samples can show that {kind} {bound:g} holds at {level}"
    room = _room(kind, bound)
    typical = "" if room is None else _typical(room, confidence)
    return (
        f"{n} samples can't show that {kind} {bound:g} holds at {level}, whatever the answers; "
        f"at least {needed:,} are needed{typical}"
    )


def repeats_note(confidence: float | None, repeats: int, *, is_apart: bool = False) -> str:
    """That a benchmark has too few repeats for an interval, where that is so."""
    if confidence is None or not repeats:
        return ""
    each = (1 + confidence) / 2 if is_apart else confidence
    needed = next(n for n in count(1) if median_interval([0.0] * n, each))
    if repeats >= needed:
        return ""
    return (
        f"{repeats} repeats are too few for a {confidence * 100:g} % interval; "
        f"write benchmark: {{repeats: {needed}}}"
    )


def _room(kind: str, bound: float) -> float | None:
    """How much worse than the reference a share may be; None for other kinds of bounds."""
    rooms = {"max_drop": bound, "within": bound, "min_ratio": 1 - bound, "max_ratio": bound - 1}
    return rooms.get(kind)


def _can_pass(kind: str, bound: float, confidence: float) -> Callable[[int], bool]:
    """Whether the best answers of so many samples keep the bound."""
    room = _room(kind, bound)
    if room is not None:
        return lambda n: proportion_drop_interval(0, 0, n, confidence=confidence)[1] <= room
    if kind == "min":
        return lambda n: proportion_interval(n, n, confidence=confidence)[0] >= bound
    return lambda n: proportion_interval(0, n, confidence=confidence)[1] <= bound


def _fewest(can_pass: Callable[[int], bool]) -> int | None:
    """The smallest number of samples that can; more can as well."""
    high = 2
    while not can_pass(high):
        high *= 2
        if high > MOST_SAMPLES:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if can_pass(middle) else (middle, high)
    return high


def _typical(room: float, confidence: float) -> str:
    """How many where the models differ as often as they do, and neither is better."""
    n = math.ceil(TYPICAL * (quantile(confidence) / room) ** 2)
    return f", some {n:,} where {TYPICAL:.0%} of the answers differ".replace("%", " %")
