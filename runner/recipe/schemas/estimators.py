"""How weights and activations are quantized: scheme and range estimator of each.

Source: POT 2023.0 `range_estimator` (pot.md 1.5), seed 002.
"""

from __future__ import annotations

from quant.spellings import LAYER_SPELLINGS, REQUEST_SPELLINGS, SIDE_SPELLINGS
from runner.recipe.schemas.values import NUMBER, TEXTS, Rules

AGGREGATORS = [
    "mean",
    "max",
    "min",
    "median",
    "mean_no_outliers",
    "median_no_outliers",
    "hl_estimator",
]
EITHER = ["abs_max", "quantile", "abs_quantile", "mse", "histogram"]
TYPES = {"min": ["min", *EITHER], "max": ["max", *EITHER]}
PRESETS = ["default", "quantile", "mse", "histogram"]

PER_CHANNEL = "write `granularity: perchannel` or `granularity: pertensor`"


def _border(types: list[str], *, of_weights: bool) -> Rules:
    fields: dict[str, Rules] = {
        "type": {"type": "string", "allowed": types, "meta": {"noun": "estimator"}},
        "outlier_prob": {"type": "number", "min": 0, "max": 0.5, "forbidden": [0, 0.5]},
        "clipping_value": NUMBER,
    }
    granularity = {"granularity": "the scheme's granularity holds; write it beside range_estimator"}
    about = {"spellings": SIDE_SPELLINGS, "advice": granularity}
    if of_weights:
        about["advice"] = {
            **granularity,
            "aggregator": "weights have no aggregator: they are one tensor, not a set of samples",
        }
    else:
        fields["aggregator"] = {"type": "string", "allowed": AGGREGATORS}
    return {"type": "dict", "schema": fields, "meta": about}


def _request(*, of_weights: bool) -> dict[str, Rules]:
    borders = {side: _border(types, of_weights=of_weights) for side, types in TYPES.items()}
    preset: Rules = {"type": "string", "allowed": PRESETS}
    return {
        "bits": {"type": "integer", "allowed": [2, 4, 8, 16, 32]},
        "mode": {"type": "string", "allowed": ["symmetric", "asymmetric"]},
        "granularity": {
            "type": "string",
            "allowed": ["pertensor", "perchannel"],
            "meta": {"hint": PER_CHANNEL},
        },
        "level_low": {"type": "integer"},
        "level_high": {"type": "integer"},
        "range_estimator": {
            "type": "dict",
            "schema": {"preset": preset, **borders},
            "meta": {
                "advice": dict.fromkeys(
                    ("type", "aggregator", "outlier_prob", "clipping_value"),
                    "write it under `min` or `max`",
                )
            },
        },
    }


def _scheme(*, of_weights: bool) -> Rules:
    request = _request(of_weights=of_weights)
    about = {
        "spellings": REQUEST_SPELLINGS,
        "advice": {"per_channel": PER_CHANNEL, "signedness_to_force": "set level_low instead"},
    }
    named = {**REQUEST_SPELLINGS, **LAYER_SPELLINGS}
    layer: Rules = {
        "type": "dict",
        "schema": {"names": TEXTS, "patterns": TEXTS, "types": TEXTS, **request},
        "meta": {**about, "spellings": named},
    }
    layers: Rules = {
        "type": "list",
        "schema": layer,
        "meta": {"hint": "write a list, as in layers: [{names: [conv1], mode: asymmetric}]"},
    }
    return {"type": "dict", "schema": {**request, "layers": layers}, "meta": about}


WEIGHTS = _scheme(of_weights=True)
ACTIVATIONS = _scheme(of_weights=False)
