"""The parameters of the steps as frozen dataclasses; `parameter_reader` reads mappings into them.

The names are the seeds' (POT's). Absent stays absent (None) where a default depends on the target,
the preset or the scheme; such defaults are resolved once, in `placement`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from quant.scheme import Granularity, Mode, Preset


class Estimator(StrEnum):
    """What is taken of one sample's tensor for one side of the range.

    `min`, `abs_max` (its negative), `quantile` and `abs_quantile` serve the low side; `max`,
    `abs_max`, `quantile` and `abs_quantile` the high one. `mse` and `histogram` find both sides at
    once, from all samples' values: the least squared error of quantization, or its first minimum on
    the way in from the extremes.
    """

    MIN = "min"
    MAX = "max"
    ABS_MAX = "abs_max"
    QUANTILE = "quantile"
    ABS_QUANTILE = "abs_quantile"
    MSE = "mse"
    HISTOGRAM = "histogram"


class Aggregator(StrEnum):
    """How the samples' values become one."""

    MEAN = "mean"
    MAX = "max"
    MIN = "min"
    MEDIAN = "median"
    MEAN_NO_OUTLIERS = "mean_no_outliers"
    MEDIAN_NO_OUTLIERS = "median_no_outliers"
    HL_ESTIMATOR = "hl_estimator"


class EstimatorPreset(StrEnum):
    """Named pairs of estimators; see `placement.estimators`."""

    DEFAULT = "default"
    QUANTILE = "quantile"
    MSE = "mse"
    HISTOGRAM = "histogram"


class ModelType(StrEnum):
    """Architectures that need operations kept in floating point."""

    TRANSFORMER = "transformer"


class SaturationFix(StrEnum):
    """Which weights use half of their range, against 16-bit accumulators that saturate.

    `auto`: on a target whose instruction set saturates, the layers at risk; none elsewhere.
    """

    AUTO = "auto"
    FIRST_LAYER = "first_layer"
    ALL = "all"
    NO = "no"


def bounded(low: float, high: float, expected: str) -> dict[str, Any]:
    """A field's metadata: the lowest and the highest value, and what to say of any other."""
    return {"low": low, "high": high, "expected": expected}


COUNT = bounded(1, float("inf"), "a whole number from 1 up")
_SEED = bounded(0, float("inf"), "a whole number from 0 up")


@dataclass(frozen=True, slots=True, kw_only=True)
class SideEstimator:
    """One side of a range: `outlier_prob` is the share of values left outside by the quantiles."""

    type: Estimator | None = None
    aggregator: Aggregator | None = None
    outlier_prob: float | None = field(
        default=None, metadata=bounded(1e-9, 0.4999999, "a share above 0 and below 0.5")
    )
    clipping_value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeEstimator:
    """Both sides; what is given here goes over the preset field by field."""

    preset: EstimatorPreset | None = None
    min: SideEstimator = SideEstimator()
    max: SideEstimator = SideEstimator()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of quantizers: each key of a scheme filters the target's candidates."""

    bits: int | None = None
    mode: Mode | None = None
    granularity: Granularity | None = None
    level_low: int | None = None
    level_high: int | None = None
    range_estimator: RangeEstimator | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRequest(Request):
    """What is asked for some operations: those with one of the names, with a whole name that one of
    the regular expressions matches, or of one of the types."""

    names: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides(Request):
    """What the user asks of weights or activations: of all of them, and of some layers.

    `layers` goes over the rest key by key, and a later entry over an earlier one.
    """

    layers: tuple[LayerRequest, ...] = ()


QUANTILES = frozenset({Estimator.QUANTILE, Estimator.ABS_QUANTILE})
MAGNITUDES = frozenset({Estimator.ABS_MAX, Estimator.ABS_QUANTILE})
JOINT = frozenset({Estimator.MSE, Estimator.HISTOGRAM})
"""Estimators of both sides at once."""

REQUEST_KEYS = tuple(f.name for f in dataclasses.fields(Request))
LAYER_KEYS = ("names", "patterns", "types")


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoredOperation:
    """All operations of a type, or those whose attributes have the given values (one, or one of a
    list)."""

    type: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoredSubgraph:
    """All operations on ways from one of the operations `inputs` to one of `outputs`, both ends
    included."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Operations that stay in floating point: by exact name, by regular expression (the whole
    name), by type, and by what they lie between.

    `activations`: exact names of operations that compute in floating point as well, but on weights
    that are stored as integers.
    """

    scope: tuple[str, ...] = ()
    activations: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    operations: tuple[IgnoredOperation, ...] = ()
    subgraphs: tuple[IgnoredSubgraph, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetParameters:
    """Which samples a step's statistics are taken from. `stat_subset_size` None: every sample."""

    stat_subset_size: int | None = field(default=None, metadata=COUNT)
    shuffle_data: bool = False
    seed: int = field(default=0, metadata=_SEED)


@dataclass(frozen=True, slots=True, kw_only=True)
class MinMaxParameters(SubsetParameters):
    """Parameters of MinMaxQuantization."""

    preset: Preset = Preset.PERFORMANCE
    model_type: ModelType | None = None
    ignored: Ignored = Ignored()
    weights: Overrides = Overrides()
    activations: Overrides = Overrides()
    range_estimator: RangeEstimator | None = None
    saturation_fix: SaturationFix = SaturationFix.AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightRoundingParameters(SubsetParameters):
    """Parameters of WeightRounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FastBiasParameters(SubsetParameters):
    """Parameters of FastBiasCorrection.

    `threshold`: a layer whose shift exceeds this many times its bias, in any channel with a bias,
    is left alone; None corrects every layer.
    """

    threshold: float | None = field(
        default=None, metadata=bounded(1e-9, float("inf"), "a number above 0")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OverflowParameters(SubsetParameters):
    """Parameters of OverflowCorrection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasParameters(FastBiasParameters):
    """Parameters of BiasCorrection; a fifth of `stat_subset_size` is inferred again.

    `apply_for_all_nodes`: layers whose weights stay in floating point are corrected as well.
    """

    apply_for_all_nodes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAlignmentParameters(SubsetParameters):
    """Parameters of ActivationChannelAlignment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerwiseParameters:
    """Parameters of LayerwiseTuning.

    `num_samples_for_tuning` None: 64, from all over the samples. `tuning_iterations`: how often
    every weight is looked at. `weight_decay`: pull towards the original weights, as a share of the
    inputs' mean variance, against fitting too few samples too well.
    """

    num_samples_for_tuning: int | None = field(default=None, metadata=COUNT)
    tuning_iterations: int = field(default=3, metadata=COUNT)
    weight_decay: float = field(
        default=0.01, metadata=bounded(0, float("inf"), "a number from 0 up")
    )
    shuffle_data: bool = False
    seed: int = field(default=0, metadata=_SEED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothParameters(SubsetParameters):
    """Parameters of SmoothQuant. `alpha` None: chosen per group of layers from the statistics.

    `separate`: MatMuls on a tensor that others read as well get a quantizer of their own, so that
    they can be smoothed, too. In DefaultQuantization only with `model_type: transformer`.
    """

    alpha: float | None = field(default=None, metadata=bounded(0, 1, "a number from 0 to 1"))
    separate: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultParameters(MinMaxParameters):
    """Parameters of DefaultQuantization: those of the steps that it is made of.

    `use_weight_rounding` takes `use_bias_correction`, which takes back what it does to means.
    `apply_for_all_nodes` goes with `use_fast_bias: false` only. `alpha`: that of SmoothQuant.
    `tune_hyperparams`: what is not given here is chosen by comparing models, see `quant.quantize`.

    `inplace_statistics` is accepted for POT's sake: reductions always run inside the graph.
    """

    use_channel_alignment: bool = True
    use_smooth_quant: bool = True
    alpha: float | None = field(default=None, metadata=bounded(0, 1, "a number from 0 to 1"))
    use_weight_rounding: bool = True
    use_bias_correction: bool = True
    use_fast_bias: bool = True
    threshold: float | None = field(
        default=None, metadata=bounded(1e-9, float("inf"), "a number above 0")
    )
    apply_for_all_nodes: bool = False
    use_layerwise_tuning: bool = False
    num_samples_for_tuning: int | None = field(default=None, metadata=COUNT)
    tuning_iterations: int = field(default=3, metadata=COUNT)
    weight_decay: float = field(
        default=0.01, metadata=bounded(0, float("inf"), "a number from 0 up")
    )
    inplace_statistics: bool = True
    tune_hyperparams: bool = False
