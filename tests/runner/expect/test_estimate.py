from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.expect.estimate import Question, estimate, median_interval
from runner.expect.quantity import Quantity, Reference
from runner.expect.subjects import Noise

PAIRS = st.lists(st.tuples(st.floats(0.1, 9), st.floats(0.1, 9)), min_size=2, max_size=20)


def metric(parts: tuple[float, ...], *, better: bool = True) -> Quantity:
    value = sum(parts) / len(parts)
    return Quantity(value=value, higher_is_better=better, parts=parts, n=len(parts))


def ask(kind: str, after: Quantity, before: Quantity, **others: object) -> tuple[float, ...]:
    """The value and the ends of its interval."""
    question = Question(kind=kind, noise=Noise.SAMPLES, confidence=0.95, **others)
    found = estimate(question, after, Reference(name="FP32", quantities={"m": before}), "m")
    assert found.value is not None
    assert found.interval is not None
    return (found.value, *found.interval)


@given(PAIRS, st.booleans())
def test_a_relative_drop_and_a_ratio_are_the_drop_in_other_words(
    pairs: list[tuple[float, float]], better: bool
) -> None:
    """Higher is better: ratio = 1 - relative drop; lower is better: 1 + relative drop."""
    before, after = (metric(each, better=better) for each in zip(*pairs, strict=True))
    assert before.value is not None
    drop = ask("max_drop", after, before)
    relative = ask("max_drop", after, before, drop_type="relative")
    ratio = ask("min_ratio", after, before)
    sign = -1 if better else 1
    ends = sorted(1 + sign * end for end in relative[1:])
    assert relative == pytest.approx(tuple(each / before.value for each in drop))
    assert ratio == pytest.approx((1 + sign * relative[0], *ends))


def test_drops_and_ratios_of_shares_are_not_off_by_the_rounding_of_means() -> None:
    """The means differ by 0.0050000000000000044; their ratio is 0.9899999999999999."""
    share = {n: metric((1.0,) * n + (0.0,) * (600 - n)) for n in (527, 524, 500, 495)}
    assert ask("max_drop", share[524], share[527])[0] == 0.005
    assert ask("max_drop", share[495], share[500], drop_type="relative")[0] == 0.01
    assert ask("min_ratio", share[495], share[500])[0] == 0.99


@given(PAIRS)
def test_the_direction_of_a_metric_turns_its_drop_round(pairs: list[tuple[float, float]]) -> None:
    x, y = zip(*pairs, strict=True)
    higher = ask("max_drop", metric(y), metric(x))
    lower = ask("max_drop", metric(x, better=False), metric(y, better=False))
    assert lower == pytest.approx(higher)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40), st.sampled_from([0.5, 0.9, 0.99]))
def test_an_interval_of_a_median_has_its_confidence(values: list[float], confidence: float) -> None:
    """The chance that the k lowest or the k highest of n tosses leave the median out."""
    found, n, ordered = median_interval(values, confidence), len(values), sorted(values)
    if found is None:
        assert 1 - 2 / 2**n < confidence
        return
    k = ordered.index(found[0])
    assert 1 - 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n >= confidence
    assert found[0] <= ordered[n // 2] <= found[1]


def test_a_speed_up_is_taken_within_repeats_of_one_run() -> None:
    slow, fast = (100.0, 50.0, 100.0), (200.0, 150.0, 110.0)
    before, after = (
        Quantity(value=sorted(each)[1], higher_is_better=True, parts=each) for each in (slow, fast)
    )
    question = Question(kind="min_speedup", noise=Noise.ROUNDS)
    same = Reference(name="FP32", quantities={"m": before})
    apart = Reference(name="baseline", quantities={"m": before}, is_same_run=False)
    assert estimate(question, after, same, "m").value == 2.0
    assert estimate(question, after, apart, "m").value == 1.5


def test_speeds_that_were_measured_apart_have_a_wider_interval() -> None:
    values = tuple(float(each) for each in range(91, 111))
    speed = Quantity(value=100.0, higher_is_better=True, parts=values)
    question = Question(kind="min_speedup", noise=Noise.ROUNDS, confidence=0.95)
    same = Reference(name="FP32", quantities={"m": speed})
    apart = Reference(name="baseline", quantities={"m": speed}, is_same_run=False)
    assert estimate(question, speed, same, "m").interval == (1.0, 1.0)
    low, high = estimate(question, speed, apart, "m").interval or (1, 1)
    assert low < 1 < high
