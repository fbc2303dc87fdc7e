"""A Report as JSON: sorted keys, unrounded numbers, no NaN or infinity."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from runner.report.report import SCHEMA, Report

OPTIONAL = ("performance", "control", "baseline", "tuning")
"""Parts that are left out where they were not asked for."""


def report_to_json(report: Report) -> str:
    """The text of report.json."""
    return json.dumps(report_content(report), indent=2, sort_keys=True, allow_nan=False) + "\n"


def report_content(report: Report) -> dict[str, Any]:
    """The report as plain JSON data; what was not measured is left out."""
    content = asdict(report)
    timings = {key: value for key, value in content["timings"].items() if value is not None}
    kept = {key: value for key, value in content.items() if key not in OPTIONAL or value}
    plain: dict[str, Any] = _plain({**kept, "timings": timings})
    return {"schema": SCHEMA, "verdict": report.verdict, **plain}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
