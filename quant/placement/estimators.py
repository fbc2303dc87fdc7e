"""Default range estimators per scheme, and the user's settings over them."""

from __future__ import annotations

from quant.parameters import (
    JOINT,
    QUANTILES,
    Aggregator,
    Estimator,
    EstimatorPreset,
    RangeEstimator,
    Request,
    SideEstimator,
)
from quant.plan import Estimators, Side
from quant.scheme import Granularity, Mode, Scheme

DEFAULT_OUTLIER_PROB = 1e-4
"""Share of values that quantile estimators leave outside. Source: POT 2023.0.2, preset
`quantile`."""

_FINE = 16
"""From this width on steps are so small that only clipping costs accuracy: ranges hold every
sample. Unlike POT, which takes the mean of the samples' extremes at every width."""

_AGGREGATORS = {
    (Granularity.PERTENSOR, Mode.SYMMETRIC): (Aggregator.MIN, Aggregator.MEAN),
    (Granularity.PERTENSOR, Mode.ASYMMETRIC): (Aggregator.MEAN, Aggregator.MEAN),
    (Granularity.PERCHANNEL, Mode.SYMMETRIC): (Aggregator.MIN, Aggregator.MAX),
    (Granularity.PERCHANNEL, Mode.ASYMMETRIC): (Aggregator.MIN, Aggregator.MAX),
}
"""How activations aggregate over samples, for min and max. Source: POT 2023.0.2, NNCF 3.4.0."""

_TYPES = {
    (EstimatorPreset.DEFAULT, Mode.SYMMETRIC): (Estimator.MIN, Estimator.ABS_MAX),
    (EstimatorPreset.DEFAULT, Mode.ASYMMETRIC): (Estimator.MIN, Estimator.MAX),
    (EstimatorPreset.QUANTILE, Mode.SYMMETRIC): (Estimator.MIN, Estimator.ABS_QUANTILE),
    (EstimatorPreset.QUANTILE, Mode.ASYMMETRIC): (Estimator.QUANTILE, Estimator.QUANTILE),
    (EstimatorPreset.MSE, Mode.SYMMETRIC): (Estimator.MSE, Estimator.MSE),
    (EstimatorPreset.MSE, Mode.ASYMMETRIC): (Estimator.MSE, Estimator.MSE),
    (EstimatorPreset.HISTOGRAM, Mode.SYMMETRIC): (Estimator.HISTOGRAM, Estimator.HISTOGRAM),
    (EstimatorPreset.HISTOGRAM, Mode.ASYMMETRIC): (Estimator.HISTOGRAM, Estimator.HISTOGRAM),
}

_SYMMETRIC_TYPE = {Estimator.MAX: Estimator.ABS_MAX, Estimator.QUANTILE: Estimator.ABS_QUANTILE}
"""A symmetric range is set by the largest magnitude, on whichever side it lies."""


def estimators(scheme: Scheme, common: RangeEstimator | None, request: Request) -> Estimators:
    """The estimators of a quantizer: the group's own `range_estimator`, else the step's, over the
    preset."""
    wanted = request.range_estimator or common or RangeEstimator()
    preset = wanted.preset or EstimatorPreset.DEFAULT
    types = _TYPES[preset, scheme.mode]
    aggregators = _AGGREGATORS[scheme.granularity, scheme.mode]
    if scheme.bits >= _FINE:
        aggregators = (Aggregator.MIN, Aggregator.MAX)
    low = _side(wanted.min, types[0], aggregators[0], is_low=True)
    high = _side(wanted.max, types[1], aggregators[1], is_low=False)
    if scheme.mode is Mode.SYMMETRIC:
        high = Side(
            type=_SYMMETRIC_TYPE.get(high.type, high.type),
            aggregator=high.aggregator,
            outlier_prob=high.outlier_prob,
            clipping_value=high.clipping_value,
        )
    return Estimators(min=low, max=high)


def _side(wanted: SideEstimator, kind: Estimator, aggregator: Aggregator, *, is_low: bool) -> Side:
    kind = wanted.type or kind
    if kind in JOINT:
        aggregator = Aggregator.MIN if is_low else Aggregator.MAX  # of the extremes around them
    return Side(
        type=kind,
        aggregator=wanted.aggregator or aggregator,
        outlier_prob=(wanted.outlier_prob or DEFAULT_OUTLIER_PROB) if kind in QUANTILES else None,
        clipping_value=wanted.clipping_value,
    )
