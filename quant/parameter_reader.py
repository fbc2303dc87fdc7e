"""The one reader of mappings into the parameters of steps."""

from __future__ import annotations

import dataclasses
import numbers
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from quant.errors import KeyPath, ParameterError, ParameterProblem
from quant.parameter_faults import faults
from quant.spellings import advice_on, nearest

T = typing.TypeVar("T")


def read_parameters(kind: type[T], given: Mapping[str, Any] | T, step: int = 0) -> T:
    """A parameter dataclass from a mapping whose nested values are mappings or dataclasses.

    Raises:
        ParameterError: with every unknown key, wrong type and impossible value.
    """
    problems: list[ParameterProblem] = []
    value = _read(
        kind, given, (), lambda path, text: problems.append(ParameterProblem(step, path, text))
    )
    if problems:
        raise ParameterError(problems)
    return typing.cast(T, value)


def _read(hint: Any, value: Any, path: KeyPath, report: Any) -> Any:
    """`value` as the type `hint`; what does not fit is reported with the keys that lead to it."""
    if isinstance(hint, types.UnionType):
        if value is None and type(None) in hint.__args__:
            return None
        hint = next(arg for arg in hint.__args__ if arg is not type(None))
    if dataclasses.is_dataclass(hint):
        return _read_dataclass(typing.cast(type, hint), value, path, report)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _read_enum(hint, value, path, report)
    origin = typing.get_origin(hint)
    if origin is tuple:
        return _read_tuple(typing.get_args(hint)[0], value, path, report)
    return _read_plain(dict if origin is not None else hint, value, path, report)


def _read_dataclass(kind: type, value: Any, path: KeyPath, report: Any) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        return report(path, f"found {value!r}, expected a mapping")
    hints = typing.get_type_hints(kind)
    known = {f.name: f for f in dataclasses.fields(kind)}
    read: dict[str, Any] = {}
    for key, item in value.items():
        if key not in known:
            report((*path, key), f"unknown parameter {key!r}{advice_on(str(key), tuple(known))}")
            continue
        read[key] = _read(hints[key], item, (*path, key), report)
        _check_bounds(known[key].metadata, read[key], (*path, key), report)
    for keys, fault in faults(kind, value, read):
        report((*path, *keys), fault)
    missing = [
        f.name
        for f in known.values()
        if f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
        and f.name not in value
    ]
    for name in missing:
        report(path, f"missing parameter {name!r}")
    return None if missing else kind(**read)


def _check_bounds(metadata: Mapping[str, Any], value: Any, path: KeyPath, report: Any) -> None:
    if value is not None and metadata and not metadata["low"] <= value <= metadata["high"]:
        report(path, f"found {value!r}, expected {metadata['expected']}")


def _read_enum(kind: type[StrEnum], value: Any, path: KeyPath, report: Any) -> Any:
    names = tuple(member.value for member in kind)
    if isinstance(value, str) and value in names:
        return kind(value)
    expected = ", ".join(repr(name) for name in names)
    return report(
        path, f"unknown value {value!r}; expected one of {expected}{nearest(str(value), names)}"
    )


def _read_tuple(item: Any, value: Any, path: KeyPath, report: Any) -> Any:
    if isinstance(value, str) or not isinstance(value, list | tuple):
        return report(path, f"found {value!r}, expected a list")
    return tuple(_read(item, each, (*path, i), report) for i, each in enumerate(value))


def _read_plain(kind: Any, value: Any, path: KeyPath, report: Any) -> Any:
    """A value of a built-in type; numbers may be numpy's."""
    number = {int: numbers.Integral, float: numbers.Real}.get(kind)
    if number is not None and isinstance(value, number) and not isinstance(value, bool):
        return kind(value)
    if number is None and isinstance(value, kind):
        return value
    return report(path, f"found {value!r}, expected {kind.__name__}")
