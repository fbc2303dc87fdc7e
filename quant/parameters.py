"""The parameters of the steps as frozen dataclasses, and the one reader of mappings into them.

The names are the seeds' (POT's). Absent stays absent (None) where a default depends on the target,
the preset or the scheme; such defaults are resolved once, in `placement`.
"""

from __future__ import annotations

import dataclasses
import difflib
import numbers
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from quant.errors import KeyPath, ParameterError, ParameterProblem
from quant.scheme import Granularity, Mode, Preset

T = typing.TypeVar("T")


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
    name), by type, and by what they lie between."""

    scope: tuple[str, ...] = ()
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

    `num_samples_for_tuning` None: every sample. `tuning_iterations`: how often every weight is
    looked at. `weight_decay`: pull towards the original weights, as a share of the inputs' mean
    variance, against fitting too few samples too well.
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

    `apply_for_all_nodes` goes with `use_fast_bias: false` only.

    `inplace_statistics` is accepted for POT's sake: reductions always run inside the graph.
    """

    use_channel_alignment: bool = True
    use_smooth_quant: bool = True
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


_NO_GRADIENTS = "layers are tuned by least squares, without gradients; use {}"

OF_GRADIENTS: Mapping[str, str] = {
    "optimizer": _NO_GRADIENTS.format("tuning_iterations and weight_decay"),
    "loss": _NO_GRADIENTS.format("nothing in its place: it is the mean squared error"),
    "batch_size": _NO_GRADIENTS.format("num_samples_for_tuning: all of them count at once"),
    "calibration_indices_pool": _NO_GRADIENTS.format(
        "num_samples_for_tuning: each sample is read once per stage"
    ),
    "use_ranking_subset": _NO_GRADIENTS.format("num_samples_for_tuning with shuffle_data"),
    "calculate_grads_on_loss_increase_only": _NO_GRADIENTS.format(
        "nothing in its place: a change is kept only where the error falls"
    ),
}
"""POT's parameters of layer-wise tuning that have no meaning here, and what to use instead."""


def read_parameters(kind: type[T], given: Mapping[str, Any] | T, step: int = 0) -> T:
    """A parameter dataclass from a mapping whose nested values are mappings or dataclasses.

    Raises:
        ParameterError: with every unknown key, wrong type and impossible value.
    """
    problems: list[ParameterProblem] = []
    value = _read(
        kind, given, (), lambda path, text: problems.append(ParameterProblem(step, path, text))
    )
    if problems:
        raise ParameterError(problems)
    return typing.cast(T, value)


def _read(hint: Any, value: Any, path: KeyPath, report: Any) -> Any:
    """`value` as the type `hint`; what does not fit is reported with the keys that lead to it."""
    if isinstance(hint, types.UnionType):
        if value is None and type(None) in hint.__args__:
            return None
        hint = next(arg for arg in hint.__args__ if arg is not type(None))
    if dataclasses.is_dataclass(hint):
        return _read_dataclass(typing.cast(type, hint), value, path, report)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _read_enum(hint, value, path, report)
    origin = typing.get_origin(hint)
    if origin is tuple:
        return _read_tuple(typing.get_args(hint)[0], value, path, report)
    return _read_plain(dict if origin is not None else hint, value, path, report)


def _read_dataclass(kind: type, value: Any, path: KeyPath, report: Any) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        return report(path, f"found {value!r}, expected a mapping")
    hints = typing.get_type_hints(kind)
    known = {f.name: f for f in dataclasses.fields(kind)}
    read: dict[str, Any] = {}
    for key, item in value.items():
        if key not in known:
            report((*path, key), f"unknown parameter {key!r}{_ours(str(key), tuple(known))}")
            continue
        read[key] = _read(hints[key], item, (*path, key), report)
        _check_bounds(known[key].metadata, read[key], (*path, key), report)
    if issubclass(kind, Request):
        _check_request(kind, value, path, report)
    if issubclass(kind, DefaultParameters):
        for keys, fault in part_faults(value):
            report((*path, *keys), fault)
    if issubclass(kind, MinMaxParameters):
        _check_weights(read.get("weights"), (*path, "weights"), report)
    if kind is RangeEstimator:
        for keys, fault in range_faults({**value, **_plain(read)}):
            report((*path, *keys), fault)
    missing = [
        f.name
        for f in known.values()
        if f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
        and f.name not in value
    ]
    for name in missing:
        report(path, f"missing parameter {name!r}")
    return None if missing else kind(**read)


def _check_request(
    kind: type[Request], given: Mapping[str, Any], path: KeyPath, report: Any
) -> None:
    """Levels come in pairs; an entry for layers says for which ones, and what."""
    if ("level_low" in given) != ("level_high" in given):
        report(path, "level_low and level_high go together; give both or none")
    if kind is LayerRequest:
        if not any(given.get(key) for key in LAYER_KEYS):
            report(path, "it names no layers; add names, patterns or types")
        if not any(given.get(key) is not None for key in REQUEST_KEYS):
            report(path, f"it asks for nothing; add one of {', '.join(REQUEST_KEYS)}")


def _check_weights(weights: Overrides | None, path: KeyPath, report: Any) -> None:
    """Weights are one tensor, so that there is nothing to aggregate."""
    if weights is None:
        return
    layers = [((*path, "layers", i), each) for i, each in enumerate(weights.layers or ())]
    for at, request in ((path, weights), *layers):
        found = request.range_estimator if request is not None else None
        for side in ("min", "max") if found is not None else ():
            own = getattr(found, side)
            if own is not None and own.aggregator is not None:
                text = "weights have no aggregator: they are one tensor, not a set of samples"
                report((*at, "range_estimator", side, "aggregator"), text)


def part_faults(given: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Parameters of DefaultQuantization for a part that is not on: the keys and what is wrong.

    >>> [keys for keys, _ in part_faults({"apply_for_all_nodes": True, "weight_decay": 0.1})]
    [('apply_for_all_nodes',), ('weight_decay',)]
    """
    if given.get("apply_for_all_nodes") is True and given.get("use_fast_bias", True) is True:
        text = "'apply_for_all_nodes' needs BiasCorrection; add `use_fast_bias: false`"
        yield ("apply_for_all_nodes",), text
    if given.get("use_layerwise_tuning", False) is False:
        for key in ("num_samples_for_tuning", "tuning_iterations", "weight_decay"):
            if given.get(key) is not None:
                yield (key,), f"{key!r} needs LayerwiseTuning; add `use_layerwise_tuning: true`"


def range_faults(given: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """What does not go together in a `range_estimator`, as mappings: the keys and what is wrong.

    >>> list(range_faults({"min": {"type": "mse"}}))
    [((), "'mse' finds both sides at once; write preset: mse")]
    """
    preset, sides = given.get("preset"), {"min": given.get("min"), "max": given.get("max")}
    found = {side: value if isinstance(value, Mapping) else {} for side, value in sides.items()}
    kinds = {side: str(value.get("type") or preset or "default") for side, value in found.items()}
    joint = next((kind for kind in kinds.values() if kind in JOINT), None)
    if joint is not None and kinds["min"] != kinds["max"]:
        yield (), f"{joint!r} finds both sides at once; write preset: {joint}"
        return
    for side, value in found.items():
        if value.get("type") == _OPPOSITE[side]:
            fitting = ", ".join(sorted({side, *MAGNITUDES, *QUANTILES, *JOINT}))
            yield (
                (side, "type"),
                f"{str(value['type'])!r} is the other side's; expected one of {fitting}",
            )
        if joint is not None and value.get("aggregator") is not None:
            yield (side, "aggregator"), f"{joint!r} sees the values of all samples at once"
        if value.get("outlier_prob") is not None and kinds[side] not in QUANTILES:
            text = "'outlier_prob' has no effect without a quantile; add `type: quantile`"
            yield (side, "outlier_prob"), text
        clip = value.get("clipping_value")
        if isinstance(clip, float | int) and not _SIGN[side] * clip >= 0:
            yield (side, "clipping_value"), f"found {clip!r}, which leaves zero outside the range"
    if all(value.get("clipping_value") == 0 for value in found.values()):
        text = "both sides are clipped at 0, which leaves nothing of the range; raise this one"
        yield ("max", "clipping_value"), text


_OPPOSITE = {"min": Estimator.MAX, "max": Estimator.MIN}
_SIGN = {"min": -1, "max": 1}


def _plain(read: Mapping[str, Any]) -> dict[str, Any]:
    """Sides that were read as dataclasses as mappings again."""
    return {
        key: {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        for key, value in read.items()
        if isinstance(value, SideEstimator)
    }


def _check_bounds(metadata: Mapping[str, Any], value: Any, path: KeyPath, report: Any) -> None:
    if value is not None and metadata and not metadata["low"] <= value <= metadata["high"]:
        report(path, f"found {value!r}, expected {metadata['expected']}")


def _read_enum(kind: type[StrEnum], value: Any, path: KeyPath, report: Any) -> Any:
    names = tuple(member.value for member in kind)
    if isinstance(value, str) and value in names:
        return kind(value)
    expected = ", ".join(repr(name) for name in names)
    return report(
        path, f"unknown value {value!r}; expected one of {expected}{_nearest(str(value), names)}"
    )


def _read_tuple(item: Any, value: Any, path: KeyPath, report: Any) -> Any:
    if isinstance(value, str) or not isinstance(value, list | tuple):
        return report(path, f"found {value!r}, expected a list")
    return tuple(_read(item, each, (*path, i), report) for i, each in enumerate(value))


def _read_plain(kind: Any, value: Any, path: KeyPath, report: Any) -> Any:
    """A value of a built-in type; numbers may be numpy's."""
    number = {int: numbers.Integral, float: numbers.Real}.get(kind)
    if number is not None and isinstance(value, number) and not isinstance(value, bool):
        return kind(value)
    if number is None and isinstance(value, kind):
        return value
    return report(path, f"found {value!r}, expected {kind.__name__}")


SPELLINGS = {
    "max_drop": "maximal_drop",
    "subset_size": "stat_subset_size",
    "num_samples": "stat_subset_size",
    "ignored_scope": "ignored",
    "model type": "model_type",
    "inplace_statistic": "inplace_statistics",
    "inplase_statistics": "inplace_statistics",
    "fast_bias_correction": "use_fast_bias",
    "overflow_fix": "saturation_fix",
    "smooth_quant": "use_smooth_quant",
    "shuffle": "shuffle_data",
    "random_seed": "seed",
    "max_num_iterations": "max_iter_num",
    "ranking_subset": "ranking_subset_size",
    "weights_quantization_params": "weights",
    "activations_quantization_params": "activations",
    "activation": "activations",
    "weight": "weights",
}
"""Parameters of steps as NNCF 3.4.0, POT's documents and frequent slips write them, and ours."""

REQUEST_SPELLINGS = {"num_bits": "bits", "range_estimator_params": "range_estimator"}
SIDE_SPELLINGS = {
    "statistics_type": "type",
    "aggregator_type": "aggregator",
    "quantile_outlier_prob": "outlier_prob",
}
IGNORED_SPELLINGS = {"names": "scope", "types": "operations"}
LAYER_SPELLINGS = {"name": "names", "scope": "names", "operations": "types"}
_ALL_SPELLINGS = (
    SPELLINGS,
    REQUEST_SPELLINGS,
    SIDE_SPELLINGS,
    IGNORED_SPELLINGS,
    LAYER_SPELLINGS,
)


def _ours(name: str, known: tuple[str, ...]) -> str:
    """Our name for what another tool calls `name`, what to use instead, or the nearest name."""
    if name in OF_GRADIENTS:
        return f": {OF_GRADIENTS[name]}"
    ours = next((t[name] for t in _ALL_SPELLINGS if t.get(name) in known), None)
    return f"; here it is called {ours!r}" if ours else _nearest(name, known)


def _nearest(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" - did you mean {close[0]!r}?" if close else ""
