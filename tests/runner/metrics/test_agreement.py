from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runner.errors import ModelError
from runner.metrics.agreement import Power
from runner.metrics.metric import Outputs
from tests.runner.metrics.builders import metric, outputs, sample

CLASSES = outputs(y=[[0.1, 0.9]])
MAP = outputs(y=[[3.0], [4.0]])


def outcome(ours: Outputs, fp32: Outputs, **options: Any) -> Any:
    found = metric("agreement", **options)
    return found.outcome(found.answer(ours, sample()), found.answer(fp32, sample()))


def test_class_scores_agree_on_the_best_class() -> None:
    assert outcome(outputs(y=[[0.4, 0.6]]), CLASSES) == 1.0
    assert outcome(outputs(y=[[0.6, 0.4]]), CLASSES) == 0.0
    assert outcome(outputs(y=[[0.1, np.nan]]), CLASSES) == 0.0


def test_other_outputs_are_compared_by_noise() -> None:
    assert outcome(outputs(y=[[3.0], [4.5]]), MAP) == Power(signal=25.0, noise=0.25)


def test_several_outputs_pool_their_noise() -> None:
    fp32, ours = outputs(a=[[3, 0]], b=[[4, 0]]), outputs(a=[[3, 1]], b=[[4, 2]])
    assert outcome(ours, fp32) == Power(signal=25.0, noise=5.0)
    assert outcome(ours, fp32, output="a", compare="sqnr") == Power(signal=9.0, noise=1.0)


def test_top_1_of_several_outputs_needs_a_name() -> None:
    fp32 = outputs(a=[[3, 0]], b=[[4, 0]])
    with pytest.raises(ModelError, match="'a' and 'b'; name one with 'output'"):
        outcome(fp32, fp32, compare="top_1")
    assert outcome(fp32, fp32, compare="top_1", output="b") == 1.0


def test_top_1_is_a_share() -> None:
    assert metric("agreement").value([1.0, 0.0, 1.0, 1.0]) == 0.75


def test_sqnr_is_in_decibels_over_all_samples() -> None:
    powers = [Power(signal=60.0, noise=1.0), Power(signal=40.0, noise=0.0)]
    assert metric("agreement").value(powers) == pytest.approx(20.0)


def test_fp32_agrees_with_itself() -> None:
    agreement = metric("agreement")
    assert agreement.value([outcome(CLASSES, CLASSES)]) == 1.0
    assert agreement.value([outcome(MAP, MAP)]) is None


def test_what_a_sample_adds_to_the_sqnr() -> None:
    """The jackknife: of two samples of 20 and 10 dB together, each alone counts twice less."""
    powers = [Power(signal=100.0, noise=1.0), Power(signal=100.0, noise=10.0)]
    agreement = metric("agreement")
    whole = agreement.value(powers) or 0
    assert agreement.contributions(powers) == pytest.approx((2 * whole - 10, 2 * whole - 20))


def test_fp32_s_own_sqnr_has_no_contributions() -> None:
    assert metric("agreement").contributions([Power(signal=1.0, noise=0.0)] * 3) == ()


def test_what_a_sample_adds_to_a_share_is_its_outcome() -> None:
    assert metric("agreement").contributions([1.0, 0.0]) == [1.0, 0.0]


def test_values_without_a_finite_noise_are_refused() -> None:
    with pytest.raises(ModelError, match="sample 's' hold NaN or infinite"):
        outcome(outputs(y=[[np.inf], [4.0]]), MAP)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ModelError, match=r"shape \[1, 3\], and FP32's has \[1, 2\]"):
        outcome(outputs(y=[[1, 2, 3]]), CLASSES)


def test_a_class_can_be_kept_and_whole_outputs_can_not() -> None:
    agreement = metric("agreement")
    answer = agreement.answer(CLASSES, sample())
    packed = agreement.pack(answer)
    assert packed is not None
    assert agreement.unpack(packed) == answer
    assert agreement.pack(agreement.answer(MAP, sample())) is None
