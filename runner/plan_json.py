"""A Plan as sorted JSON, back again, and its digest."""

from __future__ import annotations

import functools
import hashlib
import json
import typing
from dataclasses import fields
from typing import Any

from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union

from quant.plan import Planned, QuantPlan, StepPlan
from quant.steps.table import STEPS
from runner import plugins
from runner.packaged_steps import STEPS as PACKAGED
from runner.plan import Plan
from runner.plugins import broken

SCHEMA = "recipe.plan/1"


def plan_to_json(plan: Plan) -> str:
    """The plan's content and digest; the same plan gives the same bytes."""
    return json.dumps(plan_content(plan), indent=2, sort_keys=True, allow_nan=False) + "\n"


def plan_content(plan: Plan) -> dict[str, Any]:
    """The plan as plain JSON data, `digest` and `schema` included."""
    content: dict[str, Any] = _converter().unstructure(plan)
    return {"schema": SCHEMA, **content, "digest": _digest(content)}


def plan_from_json(text: str) -> Plan:
    """The plan that `plan_to_json` wrote; its quantization holds no model."""
    return _converter().structure(json.loads(text), Plan)


def digest(plan: Plan) -> str:
    """SHA-256 over the plan's content."""
    return _digest(_converter().unstructure(plan))


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache  # making one takes longer than converting a plan
def _converter() -> Converter:
    converter = make_converter()
    configure_tagged_union(StepPlan, converter)
    omitted = override(omit=True)
    without = make_dict_unstructure_fn(
        QuantPlan, converter, model=omitted, kinds=omitted, steps=omitted
    )
    converter.register_unstructure_hook(
        QuantPlan, lambda plan: {**without(plan), "steps": _steps(converter, plan)}
    )
    converter.register_structure_hook(QuantPlan, lambda value, _: _structure(converter, value))
    return converter


def _steps(converter: Converter, plan: QuantPlan) -> list[Any]:
    """The plans of the steps; those of ours with the names of their types."""
    return [
        converter.unstructure(step, StepPlan) if name in STEPS else _packaged(converter, name, step)
        for name, step in zip(plan.step_names, plan.steps, strict=True)
    ]


def _packaged(converter: Converter, name: str, step: Planned) -> Any:
    """The plan of a package's step, which has to come back from JSON as it is.

    Raises:
        PluginError: it does not.
    """
    try:
        text = json.dumps(converter.unstructure(step), allow_nan=False)
        is_same = _step(converter, name, json.loads(text)) == step
    except Exception as error:  # whatever the package's types raise
        reason = f"its plan can't go to JSON and back: {type(error).__name__}: {error}"
        raise broken(plugins.STEPS, name, reason) from error
    if not is_same:
        raise broken(plugins.STEPS, name, "its plan is another one after JSON and back")
    return json.loads(text)


def _step(converter: Converter, name: str, value: Any) -> Planned:
    """The plan of a step."""
    kind: Any = StepPlan if name in STEPS else PACKAGED[name].plan
    planned: Planned = converter.structure(value, kind)
    return planned


def _structure(converter: Converter, value: dict[str, Any]) -> QuantPlan:
    hints = typing.get_type_hints(QuantPlan)
    others = ("model", "kinds", "steps")
    names = [each.name for each in fields(QuantPlan) if each.name not in others]
    read = {name: converter.structure(value[name], hints[name]) for name in names}
    uses: tuple[str, ...] = read["step_names"]
    return QuantPlan(
        model=None,
        kinds=tuple(STEPS[use] if use in STEPS else PACKAGED[use].kind for use in uses),
        steps=tuple(
            _step(converter, use, step) for use, step in zip(uses, value["steps"], strict=True)
        ),
        **read,
    )
