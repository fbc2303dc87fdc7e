from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quant.control.decision import best_case, telling_parts
from quant.control.verdict import Limit, verdict

answers = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        *[st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n)] * 2,
        st.lists(st.integers(0, n - 1), max_size=n),
    )
)


@given(answers, st.sampled_from([0.0, 0.05, 0.1, 0.5]), st.booleans())
def test_a_model_is_given_up_exactly_where_it_misses(
    drawn: tuple[list[float], list[float], list[int]], maximal_drop: float, better: bool
) -> None:
    """At every part: what is given up misses on all samples, whose drop is at least as large."""
    fp32, after = (np.array(each) for each in drawn[:2])
    limits = {"m": Limit(baseline=fp32.mean(), maximal_drop=maximal_drop, higher_is_better=better)}
    whole = verdict(limits, {"m": after.mean()}, {"m": (fp32, after)})
    read: list[int] = []
    for part in telling_parts(limits, {"m": fp32}, drawn[2]):
        read += part
        found = best_case(limits, {"m": fp32}, read, {"m": after[read].tolist()})
        assert found.excess <= 0 or not whole.meets
        assert found.drops["m"] <= whole.drops["m"]
    assert sorted(read) == list(range(len(fp32)))
    assert (found.meets, found.drops, found.excess) == (whole.meets, whole.drops, whole.excess)


def test_what_can_gain_and_what_was_lost_before_is_read_first() -> None:
    limit = Limit(baseline=0.75, maximal_drop=0)
    fp32 = np.array([1.0, 1, 1, 0] * 4)
    first, *rest = telling_parts({"m": limit}, {"m": fp32}, [5, 3, 0])
    assert first == [3, 7, 11, 15, 5, 0]
    assert [len(each) for each in rest] == [3, 3, 2, 2]
    found = best_case({"m": limit}, {"m": fp32}, first, {"m": [0.0, 0, 0, 0, 1, 0]})
    assert (found.lost, found.drops, found.meets) == ((0,), {"m": 1 / 16}, False)
