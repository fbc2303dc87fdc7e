"""How to evaluate, how to measure speed, and what to expect."""

from __future__ import annotations

from runner.recipe.schemas.values import COUNT, NAME, POSITIVE, TEXT, Rules

METRICS: dict[str, dict[str, Rules]] = {
    "accuracy": {"top_k": COUNT, "output": TEXT},
    "mean_average_precision": {
        "decoder": {"type": "string", "required": True, "allowed": ["yolox"]},
        "score_threshold": {"type": "number", "min": 0, "max": 1, "forbidden": [1]},
        "nms_iou": {"type": "number", "min": 0, "max": 1, "forbidden": [0]},
        "max_detections": COUNT,
        "strides": {"type": "list", "schema": COUNT, "minlength": 1},
        "output": TEXT,
    },
    "agreement": {
        "output": TEXT,
        "compare": {"type": "string", "allowed": ["auto", "top_1", "sqnr"]},
    },
}

EVALUATE: Rules = {
    "type": "dict",
    "schema": {
        "metrics": {
            "type": "dict",
            "required": True,
            "minlength": 1,
            "keysrules": NAME,
            "valuesrules": {
                "type": "dict",
                "meta": {
                    "choose": {"key": "metric", "noun": "metric", "kinds": METRICS},
                    "spellings": {"type": "metric", "name": "metric", "topk": "top_k"},
                },
            },
            "meta": {"hint": "for example: metrics: {accuracy: {metric: accuracy}}"},
        }
    },
    "meta": {"spellings": {"metric": "metrics"}},
}

BENCHMARK: Rules = {
    "type": "dict",
    "schema": {
        "hint": {"type": "string", "allowed": ["throughput", "latency"]},
        "seconds": POSITIVE,
        "repeats": COUNT,
    },
    "meta": {"spellings": {"duration": "seconds", "time": "seconds", "iterations": "repeats"}},
}

PLAIN_NUMBER = "write a plain number"
UNITS = (
    "write a plain number in the metric's own unit: 0.01 of an accuracy is one percentage point; "
    "for one percent of FP32's value add `drop_type: relative`"
)
RATIO = "write a plain number: 1.5 stands for one and a half times"


def _bound(rules: Rules, hint: str) -> Rules:
    return {**rules, "meta": {"hint": hint}}


NOT_NEGATIVE: Rules = {"type": "number", "min": 0}
BOUNDS: dict[str, Rules] = {
    "max_drop": _bound(NOT_NEGATIVE, UNITS),
    "min": _bound({"type": "number"}, PLAIN_NUMBER),
    "max": _bound({"type": "number"}, PLAIN_NUMBER),
    "min_speedup": _bound(POSITIVE, RATIO),
    "max_ratio": _bound(POSITIVE, RATIO),
    "min_ratio": _bound(POSITIVE, RATIO),
}
QUALITY_BOUNDS = ("max_drop", "min", "max", "min_ratio")
"""What can be expected of the metrics under `evaluate`."""
MEASURED_BOUNDS: dict[str, tuple[str, ...]] = {
    "throughput": ("min_speedup", "min"),
    "latency_ms": ("min_speedup", "max"),
    "model_bytes": ("max_ratio", "max"),
    "quantized_operations": ("min",),
}
"""What can be expected of the quantities that are measured without labels."""
SPEED = ("throughput", "latency_ms")

EXPECT: Rules = {
    "type": "list",
    "schema": {
        "type": "dict",
        "schema": {
            "id": NAME,
            "metric": {"type": "string", "required": True, "empty": False},
            **BOUNDS,
            "drop_type": {"type": "string", "allowed": ["absolute", "relative"]},
        },
        "meta": {
            "spellings": {
                "maximal_drop": "max_drop",
                "name": "id",
                "speedup": "min_speedup",
                "at_least": "min",
                "at_most": "max",
            },
            "later": {
                "confidence": "a check decides on its point estimate",
                "severity": "every check counts",
            },
        },
    },
}
