"""Ticks of a picture's axes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.report.scatter import TICKS, ticks


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_lie_within_the_span_and_are_few(low: float, width: float) -> None:
    found = ticks((low, low + width))
    slack = 1e-9 * max(abs(low), width)
    assert all(low - slack <= each <= low + width + slack for each in found)
    assert 1 <= len(found) <= 2 * TICKS
