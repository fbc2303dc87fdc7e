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

from quant.plan import QuantPlan, StepPlan
from runner.plan import Plan

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
    without_model = make_dict_unstructure_fn(QuantPlan, converter, model=override(omit=True))
    converter.register_unstructure_hook(QuantPlan, without_model)
    converter.register_structure_hook(QuantPlan, lambda value, _: _structure(converter, value))
    return converter


def _structure(converter: Converter, value: dict[str, Any]) -> QuantPlan:
    hints = typing.get_type_hints(QuantPlan)
    names = [each.name for each in fields(QuantPlan) if each.name != "model"]
    read = {name: converter.structure(value[name], hints[name]) for name in names}
    return QuantPlan(model=None, **read)
