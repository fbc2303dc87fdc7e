"""What is told to be undecidable can't pass; what is told to be enough can."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.expect.estimate import Question, estimate, median_interval
from runner.expect.power import repeats_note, resolution_note, share_note
from runner.expect.quantity import Quantity, Reference
from runner.expect.subjects import Noise
from runner.expect.verdict import Status, allowed, decide_by_interval

LEVELS = st.sampled_from([0.8, 0.9, 0.95, 0.99])


def share(value: float, n: int) -> Quantity:
    return Quantity(value=value, higher_is_better=True, parts=(value,) * n, n=n)


def best_verdict(kind: str, bound: float, n: int, confidence: float) -> Status:
    """The verdict where the quantized model answers as well as can be."""
    best = share(0.0 if kind == "max" else 1.0, n)
    question = Question(kind=kind, noise=Noise.SAMPLES, confidence=confidence)
    reference = Reference(name="FP32", quantities={"m": share(1.0, n)})
    found = estimate(question, best, reference, "m")
    return decide_by_interval(found.interval, allowed(kind, bound))


@given(
    st.sampled_from(["max_drop", "within", "min_ratio", "min", "max"]),
    st.floats(0.01, 0.3),
    st.integers(2, 600),
    LEVELS,
)
def test_the_note_agrees_with_the_verdict(
    kind: str, room: float, n: int, confidence: float
) -> None:
    bound = 1 - room if kind in ("min", "min_ratio") else room
    note = share_note(kind, bound, n, confidence)
    assert bool(note) == (best_verdict(kind, bound, n, confidence) is not Status.PASS)
    if note:
        needed = int(re.search(r"at least ([\d,]+)", note)[1].replace(",", ""))
        assert best_verdict(kind, bound, needed, confidence) is Status.PASS
        assert best_verdict(kind, bound, needed - 1, confidence) is not Status.PASS


def test_a_drop_of_zero_can_not_be_shown() -> None:
    assert share_note("max_drop", 0.0, 10**6, 0.95).startswith("no number of samples")


def test_the_usual_number_of_samples() -> None:
    """0.005 at 95 %: 1.96 sqrt(2) / 0.005 - 2 = 552.4 at the least, 0.03 (1.96 / 0.005)^2 = 4610
    where 3 % differ."""
    note = share_note("max_drop", 0.005, 100, 0.95)
    assert "at least 553 are needed, some 4,610 where 3 % of the answers differ" in note


@pytest.mark.parametrize(
    ("kind", "bound", "told"),
    [
        ("max_drop", 0.005, True),
        ("max_drop", 0.01, False),
        ("max_drop", 0.0, False),
        ("min_ratio", 0.995, True),
        ("min_ratio", 0.9, False),
        ("min", 0.001, False),
    ],
)
def test_a_step_of_a_share_is_a_sample(kind: str, bound: float, told: bool) -> None:
    assert bool(resolution_note(kind, bound, 100)) is told


@given(LEVELS, st.integers(1, 30), st.booleans())
def test_repeats_that_are_told_to_be_enough_have_an_interval(
    confidence: float, repeats: int, is_apart: bool
) -> None:
    note = repeats_note(confidence, repeats, is_apart=is_apart)
    level = (1 + confidence) / 2 if is_apart else confidence
    assert bool(note) == (median_interval([1.0] * repeats, level) is None)
    if note:
        needed = int(re.search(r"repeats: (\d+)", note)[1])
        assert median_interval([1.0] * needed, level) is not None


def test_without_a_confidence_repeats_are_enough() -> None:
    assert repeats_note(None, 1) == ""
