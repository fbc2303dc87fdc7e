"""What a run measured of one case, and the ratios that follow from it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MOST_FLOOR_SPREAD = 0.10
"""The floor is the same work in every round, so its spread is the machine's alone. Where that is
more than a tenth, a ratio of two calls, which ran at different moments, is off by as much."""

MOST_THROUGHPUT_SPREAD = 0.06
"""The middle half of the pairs: twice the 3 % that a model may be slower than its peer."""

FEWEST_ROUNDS, FEWEST_PAIRS = 3, 5
"""Fewer show no spread to judge by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One quantize call: seconds of itself and of its whole process (imports, reading the case
    and saving the model included), and how much higher it drove the peak of memory."""

    quantize_s: float
    process_s: float
    growth_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What was measured right after one another."""

    floor_s: float
    ours: Call
    nncf: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """All rounds of one case under one preset. `throughput_fps`: pairs of (ours, NNCF's)."""

    case: str
    preset: str
    sample_count: int
    rounds: tuple[Round, ...]
    throughput_fps: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """The median of ratios, each of one round or pair, and the extremes of them."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios:
    """What a measurement says. Ours over NNCF's unless it is over the floor."""

    quantize_to_floor: Ratio
    nncf_to_floor: Ratio
    quantize: Ratio
    process: Ratio
    growth: Ratio
    throughput: Ratio
    doubts: tuple[str, ...]


def ratios(found: Measurement) -> Ratios:
    """The ratios within each round, so that a machine that slows down later does not matter."""
    rounds = found.rounds
    return Ratios(
        quantize_to_floor=ratio((each.ours.quantize_s, each.floor_s) for each in rounds),
        nncf_to_floor=ratio((each.nncf.quantize_s, each.floor_s) for each in rounds),
        quantize=ratio((each.ours.quantize_s, each.nncf.quantize_s) for each in rounds),
        process=ratio((each.ours.process_s, each.nncf.process_s) for each in rounds),
        growth=ratio((each.ours.growth_bytes, each.nncf.growth_bytes) for each in rounds),
        throughput=ratio(found.throughput_fps),
        doubts=doubts(found),
    )


def ratio(pairs: Iterable[tuple[float, float]]) -> Ratio:
    """The median and the extremes of a / b.

    >>> ratio([(1, 4), (3, 4), (2, 4)])
    Ratio(median=0.5, low=0.25, high=0.75)
    """
    values = [a / b for a, b in pairs]
    return Ratio(median=statistics.median(values), low=min(values), high=max(values))


def doubts(found: Measurement) -> tuple[str, ...]:
    """Why a measurement can't be told from the machine's noise; nothing where it can."""
    floor = spread([each.floor_s for each in found.rounds])
    middle = middle_half([a / b for a, b in found.throughput_fps])
    differing = (
        ("the floor's rounds differ", floor, MOST_FLOOR_SPREAD),
        ("the middle half of the throughput's pairs differs", middle, MOST_THROUGHPUT_SPREAD),
    )
    few = (
        ("rounds", len(found.rounds), FEWEST_ROUNDS),
        ("pairs", len(found.throughput_fps), FEWEST_PAIRS),
    )
    return (
        *(
            f"too noisy to tell: {what} by {value:.0%}, more than {most:.0%}"
            for what, value, most in differing
            if value > most
        ),
        *(
            f"too few {what} to know the noise: {count}, fewer than {least}"
            for what, count, least in few
            if count < least
        ),
    )


def spread(values: Sequence[float]) -> float:
    """The distance of the extremes in medians.

    >>> spread([9.0, 10.0, 12.0])
    0.3
    """
    return (max(values) - min(values)) / statistics.median(values)


def middle_half(values: Sequence[float]) -> float:
    """The distance of the quartiles in medians; of fewer than two values nothing is known: 0.

    >>> middle_half([1.0, 2.0, 3.0, 4.0, 50.0])
    0.6666666666666666
    """
    if len(values) < 2:
        return 0.0
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / median
