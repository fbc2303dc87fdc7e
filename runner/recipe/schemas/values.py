"""Rules of single values that several parts of a recipe share."""

from __future__ import annotations

from typing import Any

Rules = dict[str, Any]

TEXT: Rules = {"type": "string", "empty": False}
TRUTH: Rules = {"type": "boolean"}
COUNT: Rules = {"type": "integer", "min": 1}
SEED: Rules = {"type": "integer", "min": 0}
NUMBER: Rules = {"type": "number"}
POSITIVE: Rules = {"type": "number", "min": 0, "forbidden": [0]}
TEXTS: Rules = {"type": "list", "schema": TEXT}
SCALAR: Rules = {"type": ["string", "number", "boolean"]}

NAME: Rules = {
    "type": "string",
    "regex": r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    "meta": {"expected": "letters, digits, '_', '-' and '.', starting with a letter or a digit"},
}
FILE: Rules = {**TEXT, "meta": {"path": "file", "expected": "the path of a file"}}
FOLDER: Rules = {**TEXT, "meta": {"path": "folder", "expected": "the path of a folder"}}
