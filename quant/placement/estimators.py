"""Default range estimators per scheme, and the user's settings over them."""

from __future__ import annotations

import math

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

OUTSIDE = 1e-4
"""Share of values that a range of 8 bits leaves outside on a side, at most, unless the user chose
the estimators. It is what the least squared error asks for: 8 bits of normal values are clipped at
3.92 standard deviations, 4.4e-5 of them on a side, of Laplace's at 9.89 scales, 2.5e-5.
Source: Banner et al. 2019, "Post training 4-bit quantization", section 2.1."""

FEW = 10_000
"""Values of a sample up to which its largest one is a larger share than may lie outside."""

UNKNOWN = 32
"""Positions along an axis of unknown size, as words of a sentence."""

PICTURE = 4
"""Channels that a picture has at most; one is brighter than another."""

_COARSE = 8
"""The width for which that share is."""

FINE = 16
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
    if scheme.bits >= FINE:
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


def outside(scheme: Scheme, common: RangeEstimator | None, request: Request) -> float | None:
    """The largest share of activations that may lie outside a range: none of 16 bits and more; None
    where that is open, at other widths than these and 8 bits, or where the user chose the
    estimators."""
    wanted = request.range_estimator or common or RangeEstimator()
    is_default = wanted.preset in (None, EstimatorPreset.DEFAULT)
    is_chosen = not is_default or _is_chosen(wanted.min) or _is_chosen(wanted.max)
    if is_chosen or (scheme.bits != _COARSE and scheme.bits < FINE):
        return None
    return OUTSIDE if scheme.bits == _COARSE else 0.0


def few(shape: tuple[int | None, ...] | None) -> int | None:
    """How many values a sample has, of a tensor whose axis 0 is the batch; None where there is no
    batch, they are more than `FEW`, or it is not known: an axis may be as long as a waveform where
    the others hold next to nothing."""
    known = [size for size in (shape or ())[1:] if size is not None]
    if not shape or (len(known) < len(shape) - 1 and math.prod(known) <= PICTURE):
        return None
    count = math.prod(UNKNOWN if size is None else size for size in shape[1:])
    return max(count, 1) if count <= FEW else None


def _is_chosen(wanted: SideEstimator) -> bool:
    """Whether the user said how a side is estimated."""
    return (wanted.type, wanted.aggregator, wanted.outlier_prob) != (None, None, None)


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
