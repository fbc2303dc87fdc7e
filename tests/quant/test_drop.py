from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from quant.drop import drop, is_mean, ratio, relative_drop

counts = st.integers(1, 900).flatmap(
    lambda n: st.tuples(st.integers(1, n), st.integers(0, n), st.just(n))
)


def answers(right: int, n: int) -> list[float]:
    return [1.0] * right + [0.0] * (n - right)


@given(counts)
def test_drops_of_shares_are_the_nearest_numbers_to_the_fractions(
    found: tuple[int, int, int],
) -> None:
    """So that 3 of 600 are a limit of 0.005, and 5 of 500 one of 1 %."""
    right, after, n = found
    pair = answers(right, n), answers(after, n)
    assert drop(*pair) == (right - after) / n
    assert drop(*pair, higher_is_better=False) == (after - right) / n
    assert relative_drop(*pair) == (right - after) / right
    assert ratio(*pair) == after / right


def test_a_metric_is_no_mean_of_what_is_not_finite() -> None:
    assert not is_mean(math.inf, [math.inf, 1.0])
    assert not is_mean(math.nan, [math.nan])
