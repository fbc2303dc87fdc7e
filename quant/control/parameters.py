"""The parameters of AccuracyAwareQuantization, under the seeds' (POT's) names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from quant.parameters import COUNT, DefaultParameters, bounded

_SIZE = bounded(0, float("inf"), "a number from 0 up")
_SHARE = bounded(1e-9, 1, "a share above 0, up to 1")
_CONFIDENCE = bounded(0, 1, "a number from 0 to 1")


class DropType(StrEnum):
    """Whether a drop counts in the metric's own unit, or as a share of FP32's value."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"


class Precision(StrEnum):
    """What operations are reverted to: weights of 16 bits, or floating point."""

    INT16 = "int16"
    FP32 = "fp32"


class Unit(StrEnum):
    """What is reverted at a time: an operation, or all that read tensors of one range."""

    OPERATION = "operation"
    BLOCK = "block"


class RestoreMode(StrEnum):
    """What of an operation returns to floating point: all of it, or its activations alone, on
    weights that stay integers."""

    ACTIVATIONS_AND_WEIGHTS = "activations_and_weights"
    ONLY_ACTIVATIONS = "only_activations"


class OnMiss(StrEnum):
    """What becomes of the best model where the limit is missed."""

    KEEP_BEST = "keep_best"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlParameters(DefaultParameters):
    """What `quantize_with_accuracy_control` takes: all of DefaultQuantization, and the limit.

    Attributes:
        maximal_drop: the largest drop that is accepted.
        convert_to_mixed_preset: with the preset performance, mixed is tried before operations are
            reverted, and kept where it is nearer to the limit.
        metric_subset_ratio: operations are ranked by what reverting each gains, on this share of
            the validation samples: those for which the quantized model falls furthest behind FP32.
            One evaluation of them per operation; None: by noise, from one pass over calibration
            samples.
        ranking_subset_size: samples that operations are ranked on at most; None: 32 of the
            calibration, all of the share.
        max_iter_num: the most models that are evaluated after the fully quantized one; None: as
            many as it takes.
        budget_minutes: no evaluation begins that would end later than this if it took as long as
            the longest before, calibration included; the first always does. None: no such limit.
        unit: what is reverted at a time.
        revert_to: in this order; empty: 16 bits where the target has such weights, else floating
            point.
        restore_mode: what of an operation returns to floating point.
        on_miss: what becomes of the best model where the limit is missed.
    """

    maximal_drop: float = field(default=0.01, metadata=_SIZE)
    drop_type: DropType = DropType.ABSOLUTE
    convert_to_mixed_preset: bool = False
    metric_subset_ratio: float | None = field(default=None, metadata=_SHARE)
    ranking_subset_size: int | None = field(default=None, metadata=COUNT)
    max_iter_num: int | None = field(default=None, metadata=COUNT)
    budget_minutes: float | None = field(default=None, metadata=_SIZE)
    unit: Unit = Unit.OPERATION
    revert_to: tuple[Precision, ...] = ()
    restore_mode: RestoreMode = RestoreMode.ACTIVATIONS_AND_WEIGHTS
    on_miss: OnMiss = OnMiss.KEEP_BEST


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyAwareParameters(ControlParameters):
    """Parameters of the step AccuracyAwareQuantization, which judges by metrics that have names.

    Attributes:
        metrics: those that the limit holds for; empty: every one.
        baseline_value: by metric, what drops are measured from in place of FP32's value.
        annotation_free: no labels are looked at: FP32's own answers are what is right.
        annotation_conf_threshold: with annotation_free, samples count whose class has at least this
            probability in FP32. Source of the default: POT 2023.0.2.
    """

    metrics: tuple[str, ...] = ()
    baseline_value: Mapping[str, float] = field(default_factory=dict)
    annotation_free: bool = False
    annotation_conf_threshold: float = field(default=0.6, metadata=_CONFIDENCE)
