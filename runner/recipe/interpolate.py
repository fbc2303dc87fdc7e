"""References `${name}` in the values of a recipe, put in after parsing and composing.

A value that is one reference keeps the type of what it refers to; in a longer text it becomes text.
Names come from `vars`, beside `name` (the recipe's) and `target`; `${env:NAME}` is a variable of
the environment that is listed under `env`, its text read as YAML. There are no expressions, and a
variable can't refer to another. `$${` stands for a `${` that is meant as it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.document.document import Document, KeyPath, locate
from runner.document.names import suggest
from runner.document.scalars import parse_scalar
from runner.errors import MOST_PROBLEMS, Location, Problem

REFERENCE = re.compile(r"\$(\$?)\{([^{}]*)(\}?)")
FIXED = ("recipe", "name", "abstract", "vars", "env")
"""Top-level keys whose values can't hold references."""
ENVIRONMENT = "env:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpolated:
    """A document's value with references resolved, the names used, and what went wrong.

    `moved`: the places of values that are one variable which another file, or the command line,
    has written: there, and not where the reference stands.
    `missing`: places of variables that are allowed, but not set in the environment.
    `unresolved`: the places whose values are not known; complaining about those values is idle.
    """

    value: dict[str, Any]
    used: set[str] = field(default_factory=set)
    moved: dict[KeyPath, Location] = field(default_factory=dict)
    missing: dict[str, Location] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unresolved: set[Location] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    document: Document
    names: Mapping[str, Any]
    allowed: frozenset[str]
    environment: Mapping[str, str] | None
    result: Interpolated


def interpolate(
    document: Document, target: str, *, environment: Mapping[str, str] | None = os.environ
) -> Interpolated:
    """The document's value for one target; without an `environment` references to it stay."""
    written, allowed = document.value.get("vars"), document.value.get("env")
    names = dict(written) if isinstance(written, dict) else {}
    names |= {"name": document.value.get("name", ""), "target": target}
    texts = [name for name in allowed if isinstance(name, str)] if isinstance(allowed, list) else []
    scope = _Scope(
        document=document,
        names=names,
        allowed=frozenset(texts),
        environment=environment,
        result=Interpolated(value={}),
    )
    for key, value in document.value.items():
        scope.result.value[key] = value if key in FIXED else _resolve(scope, value, (key,))
    for key in FIXED:
        _refuse(scope, document.value.get(key), (key,))
    return scope.result


def _resolve(scope: _Scope, value: Any, path: KeyPath) -> Any:
    if isinstance(value, dict):
        return {key: _resolve(scope, item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(scope, item, (*path, i)) for i, item in enumerate(value)]
    if isinstance(value, str) and "${" in value:
        return _resolve_text(scope, value, path)
    return value


def _resolve_text(scope: _Scope, text: str, path: KeyPath) -> Any:
    whole = REFERENCE.fullmatch(text)
    if whole and whole[3] and not whole[1]:
        variable = scope.document.locations.get(("vars", whole[2]))
        if variable is not None and variable.path != locate(scope.document, path).path:
            scope.result.moved[path] = variable
        return _lookup(scope, whole, path)
    return REFERENCE.sub(lambda match: _as_text(scope, match, path), text)


def _as_text(scope: _Scope, match: re.Match[str], path: KeyPath) -> str:
    if match[1]:
        return match[0][1:]
    value = _lookup(scope, match, path)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lookup(scope: _Scope, match: re.Match[str], path: KeyPath) -> Any:
    name, is_closed = match[2], bool(match[3])
    if is_closed and name.startswith(ENVIRONMENT):
        return _from_environment(scope, match, path)
    known = [name for name in scope.names if (path[0], name) != ("targets", "target")]
    if name in known and is_closed:
        scope.result.used.add(name)
        if isinstance(scope.names[name], str | int | float):
            return scope.names[name]
    elif len(scope.result.problems) < MOST_PROBLEMS:
        _complain(scope, path, *_unknown(match, known))
    return _unresolved(scope, match, path)


def _from_environment(scope: _Scope, match: re.Match[str], path: KeyPath) -> Any:
    name = match[2].removeprefix(ENVIRONMENT)
    if name not in scope.allowed:
        message = f"the environment variable {name!r} is not allowed{suggest(name, scope.allowed)}"
        _complain(scope, path, message, f"list it in this recipe, as in env: [{name}]")
        return _unresolved(scope, match, path)
    scope.result.used.add(match[2])
    if scope.environment is None:
        return match[0]
    if name not in scope.environment:
        scope.result.missing.setdefault(name, locate(scope.document, path))
        return _unresolved(scope, match, path)
    try:
        return parse_scalar(scope.environment[name])
    except ValueError:  # a number that can't be used
        return scope.environment[name]


def _unresolved(scope: _Scope, match: re.Match[str], path: KeyPath) -> str:
    scope.result.unresolved.add(locate(scope.document, path))
    return match[0]


def _unknown(match: re.Match[str], known: list[str]) -> tuple[str, str]:
    if not match[3]:
        return "the reference has no closing '}'", "write $${ for a '${' that is meant as it is"
    return (
        f"unknown reference {match[0]!r}{suggest(match[2], known)}",
        f"known names: {', '.join(known)}",
    )


def _refuse(scope: _Scope, value: Any, path: KeyPath) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse(scope, item, (*path, key))
    elif isinstance(value, str) and "${" in value:
        _complain(scope, path, f"{path[0]!r} can't hold references", "write the value itself")
        scope.result.unresolved.add(locate(scope.document, path))


def _complain(scope: _Scope, path: KeyPath, message: str, hint: str) -> None:
    scope.result.problems.append(Problem(locate(scope.document, path), message, hint))
