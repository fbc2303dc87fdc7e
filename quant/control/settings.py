"""Settings: parameters of DefaultQuantization by their path, such as `use_fast_bias` or
`activations.range_estimator.preset`, each with one value."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from quant.parameters import DefaultParameters

Value = str | bool | int | float
Setting = tuple[str, Value]
Settings = tuple[Setting, ...]
"""Sorted by path."""

P = TypeVar("P", bound=DefaultParameters)


def with_settings(parameters: P, settings: Iterable[Setting]) -> P:
    """The parameters with these values in place of their own.

    >>> changed = with_settings(DefaultParameters(), [("weights.range_estimator.preset", "mse")])
    >>> str(changed.weights.range_estimator.preset)
    'mse'
    """
    for path, value in settings:
        parameters = _replaced(parameters, path.split("."), value)
    return parameters


def nested(settings: Iterable[Setting]) -> dict[str, Any]:
    """The settings as they stand in a recipe.

    >>> nested([("use_fast_bias", False), ("weights.range_estimator.preset", "mse")])
    {'use_fast_bias': False, 'weights': {'range_estimator': {'preset': 'mse'}}}
    """
    found: dict[str, Any] = {}
    for path, value in settings:
        *parents, last = path.split(".")
        inner = found
        for key in parents:
            inner = inner.setdefault(key, {})
        inner[last] = value
    return found


def is_given(parameters: Any, path: str) -> bool:
    """Whether parameters, as mappings or dataclasses, hold a value at the path."""
    for key in path.split("."):
        is_mapping = isinstance(parameters, Mapping)
        parameters = parameters.get(key) if is_mapping else getattr(parameters, key, None)
        if parameters is None:
            return False
    return True


def _replaced(held: Any, keys: list[str], value: Value) -> Any:
    name, *rest = keys
    kind = _kind(type(held), name)
    if rest:
        inner = getattr(held, name)
        changed = _replaced(kind() if inner is None else inner, rest, value)
        return dataclasses.replace(held, **{name: changed})
    return dataclasses.replace(held, **{name: kind(value)})


def _kind(holder: type, name: str) -> Any:
    """The type of a field, where None may stand in its place, too."""
    hint = typing.get_type_hints(holder)[name]
    if isinstance(hint, types.UnionType):
        return next(each for each in hint.__args__ if each is not type(None))
    return hint
