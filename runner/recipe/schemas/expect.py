"""What to expect: checks, each with one bound."""

from __future__ import annotations

from runner.expect.subjects import BOUNDS
from runner.recipe.schemas.values import NAME, POSITIVE, TEXT, TRUTH, Rules

UNITS = (
    "write a plain number in the metric's own unit: 0.01 of an accuracy is one percentage point; "
    "for one percent of FP32's value add `drop_type: relative`"
)
DISTANCE = (
    "write one number, how far it may be from the value that it is compared with; for a range of "
    "values write two checks, one with `min` and one with `max`"
)
PLAIN_NUMBER = "write a plain number"
RATIO = "write a plain number: 1.5 stands for one and a half times"

NOT_NEGATIVE: Rules = {"type": "number", "min": 0}
NUMBER: Rules = {"type": "number"}


def _bound(kind: str) -> Rules:
    bound = BOUNDS[kind]
    if bound.has_drop_type:
        hint = DISTANCE if bound.is_two_sided else UNITS
        return {**NOT_NEGATIVE, "meta": {"hint": hint}}
    rules, hint = (POSITIVE, RATIO) if bound.is_compared else (NUMBER, PLAIN_NUMBER)
    return {**rules, "meta": {"hint": hint}}


def _one_or_more(rules: Rules) -> Rules:
    return {"meta": {"forms": [rules, {"type": "list", "schema": rules, "minlength": 1}]}}


ISA_CLASSES = ("amx", "vnni", "avx512", "avx2", "sse4", "i8mm", "dotprod", "asimd", "generic")
"""Classes of instruction sets, by what computes integers there; see `runner.isa`."""

WHEN: Rules = {
    "type": "dict",
    "minlength": 1,
    "schema": {
        "target": _one_or_more(TEXT),
        "profile": _one_or_more(TEXT),
        "device": _one_or_more(TEXT),
        "emulated": TRUTH,
        "isa": _one_or_more({"type": "string", "allowed": list(ISA_CLASSES)}),
        "os": _one_or_more({"type": "string", "allowed": ["linux", "windows", "darwin"]}),
        "openvino": _one_or_more(
            {
                "type": "string",
                "regex": r"[0-9]+(\.[0-9]+)*",
                "meta": {"expected": "a version in quotes, such as '2026.4'"},
            }
        ),
    },
    "meta": {
        "spellings": {"targets": "target", "profiles": "profile", "platform": "os"},
        "hint": "write conditions that all have to hold, as in when: {target: [cpu, gpu]}",
    },
}

XFAIL: Rules = {
    "type": "dict",
    "schema": {
        "reason": {**TEXT, "required": True, "meta": {"vital": True}},
        "until": {
            "type": "string",
            "regex": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
            "meta": {"expected": "a day, such as 2027-03-31"},
        },
    },
    "meta": {"hint": "write a reason, and best a last day, as in {reason: ..., until: 2027-03-31}"},
}

EXPECT: Rules = {
    "type": "list",
    "schema": {
        "type": "dict",
        "schema": {
            "id": NAME,
            "metric": {"type": "string", "required": True, "empty": False},
            **{kind: _bound(kind) for kind in BOUNDS},
            "drop_type": {"type": "string", "allowed": ["absolute", "relative"]},
            "against": {
                "type": "string",
                "regex": r"fp32|baseline|step:.+",
                "meta": {"expected": "'fp32', 'baseline' or 'step:ID'"},
            },
            "confidence": {
                "type": "number",
                "min": 0.5,
                "max": 1,
                "forbidden": [1],
                "meta": {
                    "expected": "a number from 0.5 to below 1",
                    "hint": "0.95 asks for 95 % intervals",
                },
            },
            "when": WHEN,
            "severity": {"type": "string", "allowed": ["error", "warning"]},
            "xfail": XFAIL,
        },
        "meta": {
            "spellings": {
                "maximal_drop": "max_drop",
                "name": "id",
                "speedup": "min_speedup",
                "at_least": "min",
                "at_most": "max",
                "reference": "against",
                "only": "when",
                "level": "severity",
            },
        },
    },
}
