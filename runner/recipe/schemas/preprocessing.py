"""Preprocessing of pictures: one entry per operation."""

from __future__ import annotations

from runner.recipe.schemas.values import COUNT, NUMBER, TRUTH, Rules

SIZE: Rules = {
    "required": True,
    "meta": {
        "forms": [
            {**COUNT, "meta": {"expected": "a number of pixels of at least 1"}},
            {
                "type": "list",
                "schema": COUNT,
                "minlength": 2,
                "maxlength": 2,
                "meta": {"expected": "[height, width]"},
            },
        ]
    },
}
NOT_ZERO: Rules = {"type": "number", "forbidden": [0]}

OPERATIONS: dict[str, dict[str, Rules]] = {
    "resize": {
        "size": SIZE,
        "interpolation": {
            "type": "string",
            "allowed": ["nearest", "bilinear", "bicubic", "area"],
        },
        "keep_ratio": TRUTH,
    },
    "letterbox": {
        "size": SIZE,
        "fill": {"type": "number", "min": 0, "max": 255},
        "align": {"type": "string", "allowed": ["top_left", "center"]},
    },
    "center_crop": {"size": SIZE},
    "normalize": {
        "scale": NOT_ZERO,
        "mean": {"meta": {"forms": [NUMBER, {"type": "list", "schema": NUMBER, "minlength": 1}]}},
        "std": {
            "meta": {"forms": [NOT_ZERO, {"type": "list", "schema": NOT_ZERO, "minlength": 1}]}
        },
    },
    "color_order": {
        "order": {"type": "string", "required": True, "allowed": ["RGB", "BGR", "GRAY"]}
    },
    "layout": {"order": {"type": "string", "required": True, "allowed": ["NCHW", "NHWC"]}},
}

PREPROCESSING: Rules = {
    "type": "list",
    "schema": {
        "type": "dict",
        "meta": {
            "choose": {"key": "use", "noun": "preprocessing", "kinds": OPERATIONS},
            "spellings": {
                "type": "use",
                "name": "use",
                "dst_width": "size",
                "dst_height": "size",
                "means": "mean",
                "stds": "std",
            },
        },
    },
}
