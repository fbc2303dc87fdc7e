"""Ratios within rounds, and when a machine was too noisy for them."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.measurement import Measurement, Ratio, doubts, ratios
from tests.benchmarks.measured import MEASURED, rounds


def test_ratios_are_taken_within_rounds() -> None:
    """The machine runs at half its speed in the second round: no ratio of times notices."""
    found = ratios(MEASURED)
    assert found.quantize == Ratio(median=0.25, low=0.25, high=0.25)
    assert found.quantize_to_floor == Ratio(median=2.0, low=2.0, high=2.0)
    assert found.nncf_to_floor == Ratio(median=8.0, low=8.0, high=8.0)
    assert found.process == Ratio(median=0.3, low=0.3, high=0.3)


def test_growth_and_throughput_are_ours_over_the_peers() -> None:
    found = ratios(MEASURED)
    assert found.growth == Ratio(median=0.5, low=0.5, high=0.5)
    assert found.throughput == Ratio(median=1.0, low=0.98, high=1.02)


@pytest.mark.parametrize(
    ("floors", "is_noisy"), [((1.0, 1.05, 1.1), False), ((1.0, 1.05, 1.2), True)]
)
def test_a_floor_that_differs_by_a_tenth_tells_nothing(
    floors: tuple[float, ...], *, is_noisy: bool
) -> None:
    found = doubts(dataclasses.replace(MEASURED, rounds=rounds(*floors)))
    expected = "too noisy to tell: the floor's rounds differ by 19%, more than 10%"
    assert found == ((expected,) if is_noisy else ())


@pytest.mark.parametrize(("slow", "is_noisy"), [(97.0, False), (90.0, True)])
def test_pairs_that_differ_by_more_than_a_model_may_tell_nothing(
    slow: float, *, is_noisy: bool
) -> None:
    pairs = ((slow, 100.0), (slow, 100.0), (100.0, 100.0), (100.0, 100.0), (100.0, 100.0))
    found = doubts(dataclasses.replace(_steady(), throughput_fps=pairs))
    reason = "the middle half of the throughput's pairs differs by 10%, more than 6%"
    assert found == ((f"too noisy to tell: {reason}",) if is_noisy else ())


def test_one_outlier_among_the_pairs_is_no_noise() -> None:
    pairs = (*[(100.0, 100.0)] * 4, (50.0, 100.0))
    assert doubts(dataclasses.replace(_steady(), throughput_fps=pairs)) == ()


def test_one_round_and_one_pair_tell_no_noise() -> None:
    few = dataclasses.replace(MEASURED, rounds=rounds(1.0), throughput_fps=((1.0, 1.0),))
    assert doubts(few) == (
        "too few rounds to know the noise: 1, fewer than 3",
        "too few pairs to know the noise: 1, fewer than 5",
    )


def _steady() -> Measurement:
    return dataclasses.replace(MEASURED, rounds=rounds(1.0, 1.0, 1.0))
