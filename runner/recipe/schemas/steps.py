"""Steps, and the parameters of each algorithm.

Parameters keep POT's names; `quant.parameters` knows those of NNCF and of POT's documents.
Source: POT 2023.0 algorithm parameters (pot.md 1.5), NNCF 3.4 quantize parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quant.spellings import IGNORED_SPELLINGS, OF_GRADIENTS, SPELLINGS
from runner import plugins
from runner.packaged_steps import packaged
from runner.plugins import Blame, Table
from runner.recipe.schemas.estimators import ACTIVATIONS, WEIGHTS
from runner.recipe.schemas.values import (
    COUNT,
    NAME,
    NUMBER,
    POSITIVE,
    SCALAR,
    SEED,
    TEXT,
    TEXTS,
    TRUTH,
    Rules,
)

SCHEME_ADVICE = "write it under `weights` or `activations`"

ADVICE = {
    "target_device": "write `targets` at the top level of the recipe",
    "targets": "write `targets` at the top level of the recipe",
    "activations_range_estimator_params": "write activations: {range_estimator: {...}}",
    "weights_range_estimator_params": "write weights: {range_estimator: {...}}",
    **dict.fromkeys(("bits", "mode", "granularity", "level_low", "level_high"), SCHEME_ADVICE),
    "advanced_parameters": "write each of them beside `preset`, by its name here",
    "base_algorithm": "it is DefaultQuantization, whose parameters stand beside the limit",
    "use_prev_if_drop_increase": "leave it out: the search never goes on from a worse model",
    "exec_log_dir": "leave it out: every trial stands in the report",
    **OF_GRADIENTS,
}

STATISTICS: dict[str, Rules] = {
    "stat_subset_size": COUNT,
    "shuffle_data": TRUTH,
    "seed": SEED,
}

IGNORED: Rules = {
    "type": "dict",
    "schema": {
        "scope": TEXTS,
        "activations": TEXTS,
        "patterns": TEXTS,
        "operations": {
            "type": "list",
            "schema": {
                "type": "dict",
                "schema": {
                    "type": {**TEXT, "required": True},
                    "attributes": {
                        "type": "dict",
                        "valuesrules": {
                            "meta": {"forms": [SCALAR, {"type": "list", "schema": SCALAR}]}
                        },
                    },
                },
            },
            "meta": {"hint": "write a list, as in operations: [{type: Add}]"},
        },
        "subgraphs": {
            "type": "list",
            "schema": {
                "type": "dict",
                "schema": {
                    "inputs": {**TEXTS, "required": True, "minlength": 1},
                    "outputs": {**TEXTS, "required": True, "minlength": 1},
                },
            },
            "meta": {"hint": "write a list, as in subgraphs: [{inputs: [a], outputs: [b]}]"},
        },
    },
    "meta": {
        "spellings": IGNORED_SPELLINGS,
        "advice": {
            "skip_model": "a recipe holds one model; leave this out",
            "validate": "names that match nothing are always an error; leave this out",
        },
    },
}

MIN_MAX: dict[str, Rules] = {
    "preset": {"type": "string", "allowed": ["performance", "mixed", "accuracy"]},
    **STATISTICS,
    "model_type": {"type": "string", "allowed": ["transformer"]},
    "range_estimator": ACTIVATIONS["schema"]["range_estimator"],
    "ignored": IGNORED,
    "weights": WEIGHTS,
    "activations": ACTIVATIONS,
    "saturation_fix": {"type": "string", "allowed": ["auto", "first_layer", "all", "no"]},
}
FAST_BIAS: dict[str, Rules] = {**STATISTICS, "threshold": POSITIVE}
BIAS: dict[str, Rules] = {**FAST_BIAS, "apply_for_all_nodes": TRUTH}
SMOOTH: dict[str, Rules] = {
    **STATISTICS,
    "alpha": {"type": "number", "min": 0, "max": 1},
    "separate": TRUTH,
}
TUNING: dict[str, Rules] = {
    "num_samples_for_tuning": COUNT,
    "tuning_iterations": COUNT,
    "weight_decay": {"type": "number", "min": 0},
    "shuffle_data": TRUTH,
    "seed": SEED,
}
DEFAULT: dict[str, Rules] = {
    **MIN_MAX,
    **BIAS,
    "use_channel_alignment": TRUTH,
    **TUNING,
    "use_layerwise_tuning": TRUTH,
    "use_smooth_quant": TRUTH,
    "alpha": SMOOTH["alpha"],
    "use_weight_rounding": TRUTH,
    "use_bias_correction": TRUTH,
    "use_fast_bias": TRUTH,
    "inplace_statistics": TRUTH,
    "tune_hyperparams": TRUTH,
}

ACCURACY_AWARE: dict[str, Rules] = {
    **DEFAULT,
    "maximal_drop": {"type": "number", "min": 0},
    "drop_type": {"type": "string", "allowed": ["absolute", "relative"]},
    "metrics": TEXTS,
    "baseline_value": {
        "type": "dict",
        "valuesrules": NUMBER,
        "meta": {"hint": "write a mapping, as in baseline_value: {accuracy: 0.93}"},
    },
    "annotation_free": TRUTH,
    "annotation_conf_threshold": {"type": "number", "min": 0, "max": 1},
    "convert_to_mixed_preset": TRUTH,
    "metric_subset_ratio": {"type": "number", "min": 0, "forbidden": [0], "max": 1},
    "ranking_subset_size": COUNT,
    "max_iter_num": COUNT,
    "budget_minutes": {"type": "number", "min": 0},
    "unit": {"type": "string", "allowed": ["operation", "block"]},
    "revert_to": {
        "type": "list",
        "minlength": 1,
        "schema": {"type": "string", "allowed": ["int16", "fp32"]},
        "meta": {"hint": "write a list, as in revert_to: [int16, fp32]"},
    },
    "restore_mode": {
        "type": "string",
        "allowed": ["activations_and_weights", "only_activations"],
    },
    "on_miss": {"type": "string", "allowed": ["keep_best", "fail"]},
}

SHIPPED: dict[str, dict[str, Rules]] = {
    "DefaultQuantization": DEFAULT,
    "ActivationChannelAlignment": STATISTICS,
    "SmoothQuant": SMOOTH,
    "MinMaxQuantization": MIN_MAX,
    "WeightRounding": STATISTICS,
    "FastBiasCorrection": FAST_BIAS,
    "OverflowCorrection": STATISTICS,
    "BiasCorrection": BIAS,
    "LayerwiseTuning": TUNING,
    "AccuracyAwareQuantization": ACCURACY_AWARE,
}
PARAMETERS: Mapping[str, Mapping[str, Rules]] = Table(
    own=SHIPPED, group=plugins.STEPS, view=lambda step, blame: packaged(step, blame).schema
)


def _step(name: str) -> dict[str, Rules]:
    """The fields that a step's name brings along, with advice on parameters of other steps."""
    fields = SHIPPED[name]
    others = {
        key: f"it is a parameter of {other}, not of {name}"
        for other, theirs in reversed(SHIPPED.items())
        for key in theirs
        if key not in fields
    }
    advice = {key: text for key, text in ADVICE.items() if key not in fields}
    about = {"spellings": SPELLINGS, "advice": {**advice, **others}}
    return {"with": {"type": "dict", "schema": fields, "meta": about}}


def _of_package(loaded: Any, blame: Blame) -> dict[str, Rules]:
    """The fields that the name of a package's step brings along."""
    fields = packaged(loaded, blame).schema
    is_needed = any(rules.get("required") for rules in fields.values())
    return {"with": {"type": "dict", "schema": fields, "required": is_needed}}


ALGORITHMS: Mapping[str, Mapping[str, Rules]] = Table(
    own={name: _step(name) for name in SHIPPED}, group=plugins.STEPS, view=_of_package
)

STEPS: Rules = {
    "type": "list",
    "required": True,
    "minlength": 1,
    "schema": {
        "type": "dict",
        "schema": {"id": NAME, "with": {"type": "dict"}},
        "meta": {
            "choose": {
                "key": "use",
                "noun": "step",
                "kinds": ALGORITHMS,
            },
            "spellings": {
                "name": "use",
                "algorithm": "use",
                "params": "with",
                "parameters": "with",
            },
            "advice": {"preset": "parameters stand under `with`, as with: {preset: ...}"},
        },
    },
    "meta": {"hint": "write a list, as in steps: [{use: DefaultQuantization}]"},
}
