"""What does not go together in parameters: of each fault the keys that lead to it, and the text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from quant.errors import KeyPath
from quant.parameters import (
    JOINT,
    LAYER_KEYS,
    MAGNITUDES,
    QUANTILES,
    REQUEST_KEYS,
    DefaultParameters,
    Estimator,
    LayerRequest,
    MinMaxParameters,
    Overrides,
    RangeEstimator,
    Request,
    SideEstimator,
)

Fault = tuple[KeyPath, str]


def faults(kind: type, given: Mapping[str, Any], read: Mapping[str, Any]) -> Iterator[Fault]:
    """Those of the values `given` for a parameter dataclass, which became the values `read`."""
    if issubclass(kind, Request):
        yield from _request_faults(kind, given)
    if issubclass(kind, DefaultParameters):
        yield from part_faults(given)
    if issubclass(kind, MinMaxParameters):
        yield from _weights_faults(read.get("weights"))
    if kind is RangeEstimator:
        yield from range_faults({**given, **_plain(read)})


def part_faults(given: Mapping[str, Any]) -> Iterator[Fault]:
    """Parameters of DefaultQuantization for a part that is not on: the keys and what is wrong.

    >>> [keys for keys, _ in part_faults({"apply_for_all_nodes": True, "weight_decay": 0.1})]
    [('apply_for_all_nodes',), ('weight_decay',)]
    """
    if given.get("use_smooth_quant") is False and given.get("alpha") is not None:
        yield ("alpha",), "'alpha' needs SmoothQuant; remove `use_smooth_quant: false`"
    if given.get("use_bias_correction") is False:
        for key in ("use_fast_bias", "threshold", "apply_for_all_nodes", "use_weight_rounding"):
            if given.get(key) is not None:
                yield (key,), f"{key!r} has no effect with `use_bias_correction: false`"
    elif given.get("apply_for_all_nodes") is True and given.get("use_fast_bias", True) is True:
        text = "'apply_for_all_nodes' needs BiasCorrection; add `use_fast_bias: false`"
        yield ("apply_for_all_nodes",), text
    if given.get("use_layerwise_tuning", False) is False:
        for key in ("num_samples_for_tuning", "tuning_iterations", "weight_decay"):
            if given.get(key) is not None:
                yield (key,), f"{key!r} needs LayerwiseTuning; add `use_layerwise_tuning: true`"


def range_faults(given: Mapping[str, Any]) -> Iterator[Fault]:
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


def _request_faults(kind: type[Request], given: Mapping[str, Any]) -> Iterator[Fault]:
    """Levels come in pairs; an entry for layers says for which ones, and what."""
    if ("level_low" in given) != ("level_high" in given):
        yield (), "level_low and level_high go together; give both or none"
    if kind is LayerRequest:
        if not any(given.get(key) for key in LAYER_KEYS):
            yield (), "it names no layers; add names, patterns or types"
        if not any(given.get(key) is not None for key in REQUEST_KEYS):
            yield (), f"it asks for nothing; add one of {', '.join(REQUEST_KEYS)}"


def _weights_faults(weights: Overrides | None) -> Iterator[Fault]:
    """Weights are one tensor, so that there is nothing to aggregate."""
    if weights is None:
        return
    layers: list[tuple[KeyPath, Request | None]] = [
        (("weights", "layers", i), each) for i, each in enumerate(weights.layers or ())
    ]
    for at, request in ((("weights",), weights), *layers):
        found = request.range_estimator if request is not None else None
        for side in ("min", "max") if found is not None else ():
            own = getattr(found, side)
            if own is not None and own.aggregator is not None:
                text = "weights have no aggregator: they are one tensor, not a set of samples"
                yield (*at, "range_estimator", side, "aggregator"), text


def _plain(read: Mapping[str, Any]) -> dict[str, Any]:
    """Sides that were read as dataclasses as mappings again."""
    return {
        key: {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        for key, value in read.items()
        if isinstance(value, SideEstimator)
    }
