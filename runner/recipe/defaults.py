"""The values that hold where a recipe is silent, written out.

Each is taken from where it lives: the fields of a frozen dataclass, or the keywords of the function
that a key becomes. What depends on the target, the model or the data has no value here.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from quant.parameter_faults import part_faults
from quant.steps.order import COMPOSITES
from quant.steps.table import PARAMETERS
from runner.data.open import LOADERS
from runner.data.preprocessing import STEPS as PREPROCESSING
from runner.expect.subjects import BOUNDS
from runner.metrics.make import METRICS
from runner.packaged_steps import STEPS
from runner.recipe.recipe import BenchmarkSource, DatasetSource, Expectation, Recipe

Value = dict[str, Any]

COMMON = ("samples", "shuffle", "seed")


def with_defaults(recipe: Recipe) -> Value:
    """The resolved content of the recipe with all defaults, those of its own parts included."""
    content: Value = {"targets": [recipe.target.name], **recipe.document}
    datasets = {role: _dataset(each) for role, each in content.get("datasets", {}).items()}
    steps = [_step(each) for each in content.get("steps", ())]
    content |= {"datasets": datasets} if datasets else {}
    content |= {"steps": steps} if steps else {}
    if metrics := content.get("evaluate", {}).get("metrics"):
        found = {name: _over(_of(METRICS, each, "metric"), each) for name, each in metrics.items()}
        content["evaluate"] = {"metrics": found}
    if "benchmark" in content:
        content["benchmark"] = _over(keyword_defaults(BenchmarkSource), content["benchmark"])
    if "expect" in content:
        content["expect"] = _checks(recipe, content["expect"])
    outputs = {"dir": recipe.outputs.dir.as_posix(), "reports": list(recipe.outputs.reports)}
    return {**content, "outputs": {**outputs, **content.get("outputs", {})}}


def keyword_defaults(function: Callable[..., Any]) -> Value:
    """The defaults of a function's keywords, or of a dataclass' fields, as plain data.

    >>> keyword_defaults(BenchmarkSource)
    {'hint': 'throughput', 'seconds': 5.0, 'repeats': 3}
    """
    found = {p.name: p.default for p in inspect.signature(function).parameters.values()}
    plain = {
        name: _plain(value) for name, value in found.items() if value is not inspect.Parameter.empty
    }
    return {name: value for name, value in plain.items() if _says_something(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        fields = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {name: each for name, each in fields.items() if _says_something(each)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool) else None


def _says_something(value: Any) -> bool:
    return value is not None and value not in ({}, [])


def _dataset(written: Value) -> Value:
    common = keyword_defaults(DatasetSource)
    own = _of(LOADERS, written, "loader", lambda kind: kind.open)
    defaults = {**own, **{key: common[key] for key in COMMON if key in common}}
    result = _over(defaults, written)
    if "preprocessing" in written:
        result["preprocessing"] = [
            _over(_of(PREPROCESSING, each, "use", lambda kind: kind), each)
            for each in written["preprocessing"]
        ]
    return result


def _step(written: Value) -> Value:
    defaults = keyword_defaults(_parameters(written["use"])) if "use" in written else {}
    given = written.get("with", {})
    parameters = _over(defaults, given)
    if written.get("use") in COMPOSITES:  # parameters of parts that are not on may not be written
        off = {keys[0] for keys, _ in part_faults(parameters)}
        parameters = {key: value for key, value in parameters.items() if key not in off}
    identity = {"id": written["use"]} if "use" in written else {}
    return {**identity, **written, **({"with": parameters} if parameters else {})}


def _parameters(use: str) -> type:
    return PARAMETERS[use] if use in PARAMETERS else STEPS[use].kind.parameters


def _checks(recipe: Recipe, written: list[Value]) -> list[Value]:
    return [
        {"id": check.id, **each, **_of_check(check)}
        for check, each in zip(recipe.expect, written, strict=True)
    ]


def _of_check(check: Expectation) -> Value:
    """What holds for a check whether or not it is written."""
    bound = BOUNDS[check.kind]
    return {
        **({"drop_type": check.drop_type} if bound.has_drop_type else {}),
        **({"against": check.against} if bound.is_compared else {}),
        "severity": check.severity.value,
    }


def _of(
    table: Mapping[str, Any],
    written: Value,
    key: str,
    function: Callable[[Any], Callable[..., Any]] = lambda kind: kind.make,
) -> Value:
    """The defaults that the value of `key` brings along; none where a fragment lacks it."""
    return keyword_defaults(function(table[written[key]])) if key in written else {}


def _over(defaults: Value, written: Value) -> Value:
    """What is written, and behind it the defaults of what is not, nested mappings alike."""
    inner = {
        key: _over(defaults[key], value)
        for key, value in written.items()
        if isinstance(value, dict) and isinstance(defaults.get(key), dict)
    }
    return {**written, **inner, **{k: v for k, v in defaults.items() if k not in written}}
