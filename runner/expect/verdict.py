"""The arithmetic of verdicts: a value, or an interval, and the values that a bound allows."""

from __future__ import annotations

import math
from enum import StrEnum

from runner.expect.subjects import BOUNDS

Interval = tuple[float, float]
"""Low and high, both included; either may be infinite."""


class Status(StrEnum):
    """The outcome of a check.

    INCONCLUSIVE: the interval holds values on both sides of the bound, or there is no interval.
    SKIPPED: it was not looked at. XFAIL: it missed its bound, as is known and accepted.
    """

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"
    XFAIL = "xfail"


def allowed(kind: str, bound: float) -> Interval:
    """The values that keep a bound.

    >>> allowed("max_drop", 0.01), allowed("min", 0.9), allowed("within", 2.0)
    ((-inf, 0.01), (0.9, inf), (-2.0, 2.0))
    """
    if BOUNDS[kind].is_at_least:
        return bound, math.inf
    return (-bound if BOUNDS[kind].is_two_sided else -math.inf), bound


def decide(value: float, wanted: Interval) -> Status:
    """The verdict of a point estimate, as it is: nothing is rounded and there is no tolerance."""
    return Status.PASS if wanted[0] <= value <= wanted[1] else Status.FAIL


def decide_by_interval(interval: Interval | None, wanted: Interval) -> Status:
    """The verdict of an interval: whether all of it is allowed, or none, or that is open.

    >>> decide_by_interval((-0.002, 0.008), allowed("max_drop", 0.01)).value
    'pass'
    >>> decide_by_interval((-0.002, 0.012), allowed("max_drop", 0.01)).value
    'inconclusive'
    """
    if interval is None:
        return Status.INCONCLUSIVE
    low, high = interval
    if wanted[0] <= low and high <= wanted[1]:
        return Status.PASS
    is_apart = high < wanted[0] or low > wanted[1]
    return Status.FAIL if is_apart else Status.INCONCLUSIVE
