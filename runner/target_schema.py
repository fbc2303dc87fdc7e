"""What a hardware descriptor may hold, as plain data; see `runner.document.schema`."""

from __future__ import annotations

from typing import Any

from quant.isa import DETECT, SATURATES
from runner.document.composition import COMPOSITION

Rules = dict[str, Any]

GROUPS = ("activations", "weights", "outputs")
"""The tensors of an operation that have candidate schemes of their own."""

TEXT: Rules = {"type": "string", "empty": False}
TEXTS: Rules = {"type": "list", "schema": TEXT}
ONE_OR_MORE: Rules = {"meta": {"forms": [TEXT, {**TEXTS, "minlength": 1}]}}
PRESET: Rules = {"type": "string", "allowed": ["performance", "mixed", "accuracy"]}


def _choice(rules: Rules) -> Rules:
    """One value, or a list of candidates."""
    return {"meta": {"forms": [rules, {"type": "list", "schema": rules, "minlength": 1}]}}


BITS: Rules = {"type": "integer", "allowed": [2, 4, 8, 16, 32]}
MODE: Rules = {"type": "string", "allowed": ["symmetric", "asymmetric"]}
GRANULARITY: Rules = {"type": "string", "allowed": ["pertensor", "perchannel"]}

SCHEME: Rules = {
    "type": "dict",
    "schema": {
        "bits": {**_choice(BITS), "required": True},
        "mode": {**_choice(MODE), "required": True},
        "granularity": {**_choice(GRANULARITY), "required": True},
        "level_low": {"type": "integer"},
        "level_high": {"type": "integer"},
        "unified_zero_point": {"type": "boolean"},
    },
    "meta": {"spellings": {"num_bits": "bits", "unified_zeropoint": "unified_zero_point"}},
}

PORTS: Rules = {
    "meta": {
        "expected": "'all' or lists of ports, as in [[0, 1], [4, 5]]",
        "forms": [
            {"type": "string", "allowed": ["all"]},
            {
                "type": "list",
                "minlength": 1,
                "schema": {"type": "list", "minlength": 2, "schema": {"type": "integer", "min": 0}},
            },
        ],
    }
}

OPERATION: Rules = {
    "type": "dict",
    "schema": {
        "op": {**ONE_OR_MORE, "required": True},
        **dict.fromkeys(GROUPS, ONE_OR_MORE),
        "unified_scales": PORTS,
    },
    "meta": {
        "spellings": {"type": "op", "scales": "unified_scales"},
        "advice": {
            "quantization": "write `activations`, `weights` and `outputs` beside `op`",
            "attributes": "write `unified_scales` beside `op`",
        },
    },
}

DESCRIPTOR: Rules = {
    "type": "dict",
    "schema": {
        "hardware": {
            "type": "integer",
            "required": True,
            "allowed": [1],
            "meta": {"expected": "1, the only version of the format that this program reads"},
        },
        "name": {
            "type": "string",
            "required": True,
            "regex": r"[A-Za-z0-9][A-Za-z0-9_.-]*",
            "meta": {"expected": "letters, digits, '_', '-' and '.'"},
        },
        **COMPOSITION["schema"],
        "runtime": {
            "type": "dict",
            "required": True,
            "schema": {
                "device": {**TEXT, "required": True, "nullable": True},
                "isa": {"type": "string", "allowed": [DETECT, *SATURATES]},
                "emulate_on": TEXT,
            },
            "meta": {"hint": "for example: runtime: {device: CPU}"},
        },
        "presets": {"type": "dict", "keysrules": PRESET, "valuesrules": PRESET},
        "primary_bitwidth": BITS,
        "schemes": {
            "type": "dict",
            "required": True,
            "minlength": 1,
            "valuesrules": SCHEME,
        },
        "operations": {"type": "list", "required": True, "minlength": 1, "schema": OPERATION},
        "passthrough": TEXTS,
        "input_priority_types": TEXTS,
    },
    "meta": {
        "spellings": {"target_device": "name", "quantization": "schemes"},
        "advice": {"config": "this is POT's layout; write `schemes` and `operations` at the top"},
    },
}
