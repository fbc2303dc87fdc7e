"""Datasets: what every loader takes, and the keys of each."""

from __future__ import annotations

from collections.abc import Mapping

from runner import plugins
from runner.plugins import Table
from runner.recipe.schemas.preprocessing import PREPROCESSING
from runner.recipe.schemas.values import (
    COUNT,
    FILE,
    FOLDER,
    SEED,
    TEXT,
    TEXTS,
    TRUTH,
    Rules,
)

COLUMN: Rules = {
    "type": ["integer", "string"],
    "min": 0,
    "empty": False,
    "meta": {"expected": "the number of a column, from 0, or its name"},
}

SHIPPED: dict[str, dict[str, Rules]] = {
    "npz": {
        "path": {**FILE, "required": True},
        "inputs": {
            "meta": {
                "forms": [
                    {**TEXT, "meta": {"expected": "the name of an array"}},
                    {
                        "type": "dict",
                        "valuesrules": TEXT,
                        "minlength": 1,
                        "meta": {"expected": "a mapping of the model's inputs to arrays"},
                    },
                ]
            }
        },
        "labels": TEXT,
    },
    "image_folder": {
        "path": {**FOLDER, "required": True},
        "classes": {**TEXTS, "minlength": 1},
        "extensions": {**TEXTS, "minlength": 1},
    },
    "images": {
        "path": {
            **TEXT,
            "required": True,
            "meta": {"path": "files", "expected": "the path of a folder, or a pattern"},
        },
        "labels": FOLDER,
    },
    "text": {
        "path": {**FILE, "required": True},
        "columns": {
            "type": "dict",
            "required": True,
            "schema": {
                "text": {**COLUMN, "required": True},
                "text_pair": COLUMN,
                "label": COLUMN,
            },
            "meta": {"spellings": {"labels": "label", "text_a": "text", "text_b": "text_pair"}},
        },
        "tokenizer": {**FILE, "required": True},
        "max_length": {**COUNT, "required": True},
        "header": TRUTH,
        "separator": {
            "type": "string",
            "minlength": 1,
            "maxlength": 1,
            "meta": {"expected": "one character"},
        },
        "inputs": {
            "type": "dict",
            "minlength": 1,
            "valuesrules": {
                "type": "string",
                "allowed": ["ids", "attention_mask", "type_ids"],
                "meta": {"noun": "part of a tokenized text"},
            },
        },
    },
}
LOADERS: Mapping[str, Mapping[str, Rules]] = Table(
    own=SHIPPED, group=plugins.LOADERS, view=lambda loader, _: loader.schema
)

DATASET: Rules = {
    "type": "dict",
    "schema": {
        "samples": COUNT,
        "shuffle": TRUTH,
        "seed": SEED,
        "preprocessing": PREPROCESSING,
    },
    "meta": {
        "choose": {
            "key": "loader",
            "noun": "loader",
            "kinds": LOADERS,
            "later": {"audio": "convert the recordings to arrays and use the loader npz"},
        },
        "spellings": {
            "data_source": "path",
            "data_dir": "path",
            "subset_size": "samples",
            "stat_subset_size": "samples",
            "subsample_size": "samples",
            "shuffle_data": "shuffle",
            "type": "loader",
            "transforms": "preprocessing",
            "annotations": "labels",
            "label": "labels",
        },
    },
}

DATASETS: Rules = {
    "type": "dict",
    "schema": {"calibration": DATASET, "validation": DATASET, "ranking": DATASET},
    "meta": {
        "spellings": {
            "calib": "calibration",
            "train": "calibration",
            "optimization": "calibration",
            "val": "validation",
            "test": "validation",
            "evaluation": "validation",
            "rank": "ranking",
        }
    },
}
