"""How to evaluate, and how to measure speed."""

from __future__ import annotations

from collections.abc import Mapping

from runner import plugins
from runner.plugins import Table
from runner.recipe.schemas.values import COUNT, NAME, POSITIVE, TEXT, Rules

SHIPPED: dict[str, dict[str, Rules]] = {
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
METRICS: Mapping[str, Mapping[str, Rules]] = Table(
    own=SHIPPED, group=plugins.METRICS, view=lambda kind, _: kind.schema
)

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
