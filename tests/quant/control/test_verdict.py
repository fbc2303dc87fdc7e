"""Drops, limits, and what a part of the samples tells of all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.control.parameters import DropType
from quant.control.verdict import Limit, verdict
from quant.errors import EvaluationError

RELATIVE = DropType.RELATIVE


@pytest.mark.parametrize(
    ("limit", "value", "drop"),
    [
        (Limit(baseline=0.75, maximal_drop=0.1), 0.5, 0.25),
        (Limit(baseline=0.5, maximal_drop=0.1, drop_type=RELATIVE), 0.25, 0.5),
        (Limit(baseline=2, maximal_drop=0.1, higher_is_better=False), 2.5, 0.5),
        (Limit(baseline=-2, maximal_drop=0.1, drop_type=RELATIVE), -3, 0.5),
        (Limit(baseline=1, maximal_drop=0.1), math.nan, math.inf),
    ],
    ids=["absolute", "relative", "lower", "negative", "nan"],
)
def test_a_drop_is_a_change_for_the_worse(limit: Limit, value: float, drop: float) -> None:
    assert limit.drop(value) == drop


@pytest.mark.parametrize("baseline", [math.nan, math.inf])
def test_nothing_drops_from_what_is_no_number(baseline: float) -> None:
    with pytest.raises(EvaluationError, match="from which nothing drops"):
        Limit(baseline=baseline, maximal_drop=0.1)


values = st.floats(-10, 10)


@given(values, values, st.floats(0, 5), st.booleans())
def test_what_meets_has_no_excess(
    baseline: float, value: float, maximal_drop: float, higher_is_better: bool
) -> None:
    limit = Limit(baseline=baseline, maximal_drop=maximal_drop, higher_is_better=higher_is_better)
    found = verdict({"m": limit}, {"m": value}, {})
    assert found.meets == (found.drops["m"] <= maximal_drop)
    assert not found.meets or found.excess <= 0
    assert not verdict({"m": limit}, {"m": value}, {}, is_whole=False).meets


def test_the_worst_of_several_metrics_decides() -> None:
    limits = {name: Limit(baseline=1, maximal_drop=0.1) for name in "ab"}
    found = verdict(limits, {"a": 1, "b": 0.5}, {})
    assert (found.meets, found.excess) == (False, 0.4)


@pytest.mark.parametrize(
    ("right", "after", "n", "limit"),
    [
        (527, 524, 600, Limit(baseline=527 / 600, maximal_drop=0.005)),
        (500, 495, 600, Limit(baseline=500 / 600, maximal_drop=0.01, drop_type=RELATIVE)),
        (76, 73, 600, Limit(baseline=524 / 600, maximal_drop=0.005)),
    ],
    ids=["absolute", "relative", "of a part, in pairs"],
)
def test_a_drop_as_large_as_the_limit_meets_it(
    right: int, after: int, n: int, limit: Limit
) -> None:
    """The difference of the means exceeds it, by 4e-17 and 2e-18; or has nothing to do with it."""
    pair = np.repeat([1.0, 0.0], [right, n - right]), np.repeat([1.0, 0.0], [after, n - after])
    found = verdict({"m": limit}, {"m": after / n}, {"m": pair})
    assert (found.meets, found.drops["m"]) == (True, limit.maximal_drop)
    assert found.excess == 0


@pytest.mark.parametrize("drop_type", DropType)
def test_samples_that_have_no_finite_mean_miss_every_limit(drop_type: DropType) -> None:
    limit = Limit(baseline=1, maximal_drop=9, drop_type=drop_type)
    for values in ([math.inf, -math.inf], [0.0, -math.inf]):
        found = verdict({"m": limit}, {"m": sum(values)}, {"m": (np.ones(2), np.array(values))})
        assert (found.meets, found.drops["m"]) == (False, math.inf)


def test_a_relative_drop_on_samples_that_fp32_has_wrong_is_of_the_whole_value() -> None:
    limit = Limit(baseline=0.5, maximal_drop=0.1, drop_type=RELATIVE)
    assert limit.drop(0.25, (np.zeros(4), np.array([1.0, 0, 0, 0]))) == -0.5


def test_a_half_that_loses_everything_decides() -> None:
    limit = Limit(baseline=1, maximal_drop=0.1)
    assert limit.is_missed(np.ones(32), np.zeros(32), 64)
    assert not limit.is_missed(np.ones(32), np.ones(32), 64)


def test_a_few_lost_samples_decide_nothing() -> None:
    limit = Limit(baseline=1, maximal_drop=0.1)
    lost = np.ones(32)
    lost[:5] = 0
    assert not limit.is_missed(np.ones(32), lost, 256)


def test_of_models_that_just_keep_the_limit_one_in_2000_is_given_up() -> None:
    """Half of 128 answers change, for better and for worse."""
    rng, limit = np.random.default_rng(0), Limit(baseline=1, maximal_drop=0.01)
    worse = np.repeat([1.0, -1.0, 0.0], [32, 31, 65])
    given_up = 0
    for _ in range(5000):
        drawn = rng.permutation(worse)
        given_up += any(limit.is_missed(drawn[:n], np.zeros(n), 128) for n in (16, 32, 64))
    assert given_up <= 2


@given(st.integers(0, 2**32 - 1))
def test_models_within_the_limit_are_not_given_up(seed: int) -> None:
    """Of 400 samples 8 % are lost, and 10 % may be."""
    rng, limit = np.random.default_rng(seed), Limit(baseline=1, maximal_drop=0.1)
    after = rng.permutation(np.repeat([0.0, 1.0], [32, 368]))
    assert not any(limit.is_missed(np.ones(n), after[:n], 400) for n in (50, 100, 200))
