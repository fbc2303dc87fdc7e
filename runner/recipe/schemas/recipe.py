"""The top level of a recipe, and its small parts."""

from __future__ import annotations

from runner.document.composition import COMPOSITION
from runner.recipe.schemas.datasets import DATASETS
from runner.recipe.schemas.evaluate import BENCHMARK, EVALUATE
from runner.recipe.schemas.expect import EXPECT
from runner.recipe.schemas.steps import STEPS
from runner.recipe.schemas.values import COUNT, NAME, SCALAR, TEXT, TEXTS, TRUTH, Rules

METADATA: Rules = {
    "type": "dict",
    "schema": {"title": TEXT, "owner": TEXT, "tags": TEXTS, "license": TEXT},
    "meta": {"spellings": {"licence": "license", "author": "owner", "description": "title"}},
}

MODEL: Rules = {
    "type": "dict",
    "required": True,
    "schema": {
        "path": {
            **TEXT,
            "required": True,
            "meta": {"path": "model", "expected": "the path of a model"},
        },
        "sha256": {
            "type": "string",
            "regex": "[0-9a-fA-F]{64}",
            "meta": {"expected": "64 hexadecimal digits"},
        },
        "inputs": {
            "type": "dict",
            "valuesrules": {"type": "list", "schema": COUNT},
            "meta": {"hint": "write the static shape of each input, as in {input_ids: [1, 64]}"},
        },
    },
    "meta": {
        "spellings": {"model": "path", "input_shapes": "inputs", "shapes": "inputs"},
        "advice": {
            "model_name": "the recipe's `name` names the results",
            "weights": "the .bin beside the .xml is found by its name",
        },
    },
}

MOST_TARGETS = 32
"""More targets than there are devices would only be a mistake."""

TARGETS: Rules = {
    "type": "list",
    "schema": {**TEXT, "meta": {"expected": "the name of a target or the path of a descriptor"}},
    "minlength": 1,
    "maxlength": MOST_TARGETS,
    "meta": {"hint": "for example: targets: [cpu]"},
}

OUTPUTS: Rules = {
    "type": "dict",
    "schema": {
        "dir": TEXT,
        "reports": {
            "type": "list",
            "schema": {
                "type": "string",
                "allowed": ["json", "html"],
                "meta": {
                    "noun": "report",
                    "later": {
                        "markdown": "write json or html",
                        "junit": "write json or html",
                    },
                },
            },
        },
    },
    "meta": {"spellings": {"path": "dir", "output_dir": "dir", "report": "reports"}},
}

ENV: Rules = {
    "type": "list",
    "schema": {
        "type": "string",
        "regex": "[A-Za-z_][A-Za-z0-9_]*",
        "meta": {"expected": "the name of an environment variable"},
    },
    "meta": {"hint": "write the names of variables that ${env:NAME} may read, as in env: [HOME]"},
}

RECIPE: Rules = {
    "type": "dict",
    "schema": {
        "recipe": {
            "type": "integer",
            "required": True,
            "allowed": [1],
            "meta": {
                "expected": "1, the only version of the format that this program reads",
                "vital": True,
            },
        },
        "name": {**NAME, "required": True, "meta": {**NAME["meta"], "vital": True}},
        "abstract": TRUTH,
        "metadata": METADATA,
        "extends": COMPOSITION["schema"]["extends"],
        "env": ENV,
        "vars": {
            "type": "dict",
            "keysrules": {
                "type": "string",
                "regex": "[A-Za-z_][A-Za-z0-9_]*",
                "forbidden": ["name", "target"],
                "meta": {
                    "expected": "letters, digits and '_' other than 'name' and 'target', "
                    "which stand for the recipe's own"
                },
            },
            "valuesrules": SCALAR,
        },
        "model": MODEL,
        "datasets": DATASETS,
        "targets": TARGETS,
        "steps": STEPS,
        "evaluate": EVALUATE,
        "benchmark": BENCHMARK,
        "expect": EXPECT,
        "outputs": OUTPUTS,
        "set": COMPOSITION["schema"]["set"],
        "profiles": COMPOSITION["schema"]["profiles"],
    },
    "meta": {
        "spellings": {
            "target": "targets",
            "target_device": "targets",
            "dataset": "datasets",
            "algorithms": "steps",
            "expectations": "expect",
            "checks": "expect",
            "variables": "vars",
            "environment": "env",
            "inherit": "extends",
            "include": "extends",
            "base": "extends",
            "override": "set",
            "overrides": "set",
            "profile": "profiles",
            "output": "outputs",
            "title": "metadata.title",
            "tags": "metadata.tags",
        },
        "advice": {
            "compression": "this is a section of a POT config; its algorithms become `steps`",
            "engine": "this is a section of a POT config; its data becomes `datasets`",
            "metrics": "metrics stand under `evaluate`, as evaluate: {metrics: {...}}",
            "preset": "parameters stand in a step, as steps: [{use: ..., with: {preset: ...}}]",
        },
    },
}
