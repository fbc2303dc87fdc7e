from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from runner.expect.subjects import BOUNDS
from runner.expect.verdict import Status, allowed, decide, decide_by_interval

KINDS = st.sampled_from(sorted(BOUNDS))
NUMBERS = st.floats(-1e6, 1e6)
LIMITS = st.floats(0, 1e6)
INTERVALS = st.tuples(NUMBERS, NUMBERS).map(lambda ends: (min(ends), max(ends)))


@given(KINDS, LIMITS, NUMBERS)
def test_an_interval_without_width_decides_as_its_value_does(
    kind: str, bound: float, value: float
) -> None:
    wanted = allowed(kind, bound)
    assert decide_by_interval((value, value), wanted) is decide(value, wanted)


@given(KINDS, LIMITS, INTERVALS, st.floats(0, 1))
def test_what_an_interval_decides_every_value_in_it_does(
    kind: str, bound: float, interval: tuple[float, float], share: float
) -> None:
    wanted = allowed(kind, bound)
    found = decide_by_interval(interval, wanted)
    value = min(max(interval[0] + share * (interval[1] - interval[0]), interval[0]), interval[1])
    assert found in (Status.INCONCLUSIVE, decide(value, wanted))


@given(KINDS, LIMITS, INTERVALS, st.floats(0, 10), st.floats(0, 10))
def test_a_wider_interval_never_turns_a_verdict_round(
    kind: str, bound: float, interval: tuple[float, float], below: float, above: float
) -> None:
    wanted = allowed(kind, bound)
    wide = decide_by_interval((interval[0] - below, interval[1] + above), wanted)
    assert wide in (Status.INCONCLUSIVE, decide_by_interval(interval, wanted))


@given(LIMITS, INTERVALS)
def test_a_looser_limit_of_a_drop_never_fails_what_a_tighter_one_passes(
    bound: float, interval: tuple[float, float]
) -> None:
    tight = decide_by_interval(interval, allowed("max_drop", bound))
    loose = decide_by_interval(interval, allowed("max_drop", bound + 1))
    assert (tight, loose) not in ((Status.PASS, Status.FAIL), (Status.PASS, Status.INCONCLUSIVE))


def test_no_interval_decides_nothing() -> None:
    assert decide_by_interval(None, allowed("max", 1.0)) is Status.INCONCLUSIVE


def test_values_on_the_bound_are_allowed() -> None:
    assert decide(0.3, allowed("within", 0.3)) is Status.PASS
    assert decide(-0.3, allowed("within", 0.3)) is Status.PASS
    assert decide(math.nextafter(-0.3, -1), allowed("within", 0.3)) is Status.FAIL
