"""Range estimators: the presets, and what the user puts over them. Source: POT 2023.0.2."""

from __future__ import annotations

import pytest

from quant.parameters import (
    Aggregator,
    Estimator,
    EstimatorPreset,
    Overrides,
    RangeEstimator,
    SideEstimator,
)
from quant.placement.estimators import DEFAULT_OUTLIER_PROB, estimators
from quant.plan import Estimators, Side
from quant.scheme import Granularity, Mode, Scheme

TENSOR, CHANNEL = Granularity.PERTENSOR, Granularity.PERCHANNEL
SYMMETRIC, ASYMMETRIC = Mode.SYMMETRIC, Mode.ASYMMETRIC


def side(kind: str, aggregator: str) -> Side:
    probability = DEFAULT_OUTLIER_PROB if "quantile" in kind else None
    return Side(type=Estimator(kind), aggregator=Aggregator(aggregator), outlier_prob=probability)


@pytest.mark.parametrize(
    ("preset", "granularity", "mode", "low", "high"),
    [
        ("default", TENSOR, SYMMETRIC, ("min", "min"), ("abs_max", "mean")),
        ("default", TENSOR, ASYMMETRIC, ("min", "mean"), ("max", "mean")),
        ("default", CHANNEL, SYMMETRIC, ("min", "min"), ("abs_max", "max")),
        ("default", CHANNEL, ASYMMETRIC, ("min", "min"), ("max", "max")),
        ("quantile", TENSOR, SYMMETRIC, ("min", "min"), ("abs_quantile", "mean")),
        ("quantile", TENSOR, ASYMMETRIC, ("quantile", "mean"), ("quantile", "mean")),
        ("quantile", CHANNEL, SYMMETRIC, ("min", "min"), ("abs_quantile", "max")),
        ("quantile", CHANNEL, ASYMMETRIC, ("quantile", "min"), ("quantile", "max")),
        ("mse", TENSOR, SYMMETRIC, ("mse", "min"), ("mse", "max")),
        ("mse", CHANNEL, ASYMMETRIC, ("mse", "min"), ("mse", "max")),
        ("histogram", TENSOR, ASYMMETRIC, ("histogram", "min"), ("histogram", "max")),
    ],
)
def test_presets(
    preset: str,
    granularity: Granularity,
    mode: Mode,
    low: tuple[str, str],
    high: tuple[str, str],
) -> None:
    wanted = RangeEstimator(preset=EstimatorPreset(preset))
    found = estimators(Scheme(mode=mode, granularity=granularity), wanted, Overrides())
    assert found == Estimators(min=side(*low), max=side(*high))


def test_no_estimator_is_the_default_preset() -> None:
    assert estimators(Scheme(), None, Overrides()) == estimators(
        Scheme(), RangeEstimator(preset=EstimatorPreset.DEFAULT), Overrides()
    )


def test_fields_go_over_the_preset_one_by_one() -> None:
    wanted = RangeEstimator(max=SideEstimator(aggregator=Aggregator.MAX, clipping_value=6.0))
    found = estimators(Scheme(mode=ASYMMETRIC), wanted, Overrides())
    expected = Side(type=Estimator.MAX, aggregator=Aggregator.MAX, clipping_value=6.0)
    assert found == Estimators(min=side("min", "mean"), max=expected)


def test_a_group_s_estimator_goes_before_the_step_s() -> None:
    own = RangeEstimator(max=SideEstimator(aggregator=Aggregator.MEDIAN))
    common = RangeEstimator(max=SideEstimator(aggregator=Aggregator.MAX))
    found = estimators(Scheme(), common, Overrides(range_estimator=own))
    assert found.max == side("abs_max", "median")


@pytest.mark.parametrize(("given", "expected"), [("max", "abs_max"), ("quantile", "abs_quantile")])
def test_symmetric_ranges_look_at_both_sides(given: str, expected: str) -> None:
    wanted = RangeEstimator(max=SideEstimator(type=Estimator(given)))
    assert estimators(Scheme(), wanted, Overrides()).max == side(expected, "mean")


def test_outlier_prob_counts_for_quantiles_only() -> None:
    wanted = RangeEstimator(
        min=SideEstimator(outlier_prob=0.1),
        max=SideEstimator(type=Estimator.QUANTILE, outlier_prob=0.1),
    )
    found = estimators(Scheme(mode=ASYMMETRIC), wanted, Overrides())
    assert (found.min.outlier_prob, found.max.outlier_prob) == (None, 0.1)
