"""A document compared with a schema: everything that is wrong in it, each with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from cerberus import TypeDefinition, Validator, errors  # type: ignore[import-untyped]

from runner.document.document import Document, KeyPath, locate, locate_key, value_at
from runner.document.messages import missing_key, unknown_key, wrong_key, wrong_value
from runner.document.schema import PYTHON_TYPES, Fitted, Rules, fit, meta
from runner.errors import MOST_PROBLEMS, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A document and what is wrong with it.

    `value` is the document without what is wrong: what remains has the types that the schema says,
    but anything may be absent. In a list of mappings a wrong item becomes an empty mapping, so that
    the others keep their index; a list of scalars with a wrong item goes as a whole.
    """

    document: Document
    value: dict[str, Any]
    problems: tuple[Problem, ...]
    rules: dict[KeyPath, Rules]

    @property
    def written(self) -> dict[str, Any]:
        """The document as it stands in the file, what is wrong included."""
        return self.document.value


class _StrictValidator(Validator):  # type: ignore[misc]
    """Cerberus with our types only, of which none but `boolean` takes true for a value."""

    types_mapping: ClassVar[dict[str, Any]] = {
        name: TypeDefinition(name, types, () if name == "boolean" else (bool,))
        for name, types in PYTHON_TYPES.items()
    }

    def _error(self, *args: Any) -> None:
        """Adds errors without sorting all of them each time, as cerberus does for its trees."""
        if len(args) == 1:
            self._errors.extend(args[0])
        else:
            super()._error(*args)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """One leaf of cerberus' tree of errors."""

    path: KeyPath
    code: int
    is_about_key: bool


def check(
    document: Document,
    rules: Rules,
    *,
    value: dict[str, Any] | None = None,
    is_fragment: bool = False,
) -> Checked:
    """The document compared with the rules of its top-level mapping.

    Args:
        value: the document's value with references resolved, where that differs.
        is_fragment: keys may be missing, unless `meta` calls them `vital`.
    """
    value = document.value if value is None else value
    fitted = fit(rules, value)
    faults = [
        fault for fault in _faults(value, fitted) if not (is_fragment and _lacks(fitted, fault))
    ]
    return Checked(
        document=document,
        value=_without(value, (), {_removed(fitted, fault) for fault in faults}),
        problems=tuple(
            _problem(document, fitted, fault, value) for fault in faults[:MOST_PROBLEMS]
        ),
        rules=fitted.rules,
    )


def _faults(value: dict[str, Any], fitted: Fitted) -> list[_Fault]:
    # As a child, cerberus trusts the schema: checking it costs ten times what the document does.
    # The schemas are constants, and a test has cerberus check them.
    validator = _StrictValidator(
        fitted.fields, is_child=True, error_handler=errors.BaseErrorHandler
    )
    validator.allow_unknown = bool(fitted.rules[()].get("allow_unknown"))
    validator.validate(value, normalize=False)
    return list(_leaves(validator._errors))


def _leaves(found: Iterable[Any], *, is_about_key: bool = False) -> Iterator[_Fault]:
    for error in found:
        if error.is_group_error:
            of_keys = error.code == errors.KEYSRULES.code
            yield from _leaves(error.child_errors, is_about_key=of_keys)
        else:
            path = tuple(error.document_path)
            yield _Fault(path=path, code=error.code, is_about_key=is_about_key)


def _lacks(fitted: Fitted, fault: _Fault) -> bool:
    """Whether the fault is a key that is missing, and a fragment may do without."""
    if fault.code != errors.REQUIRED_FIELD.code:
        return False
    return not meta(fitted.rules[fault.path[:-1]]["schema"][fault.path[-1]], "vital")


def _problem(document: Document, fitted: Fitted, fault: _Fault, value: dict[str, Any]) -> Problem:
    parent = fault.path[:-1]
    if fault.is_about_key:
        rules = fitted.rules[parent]["keysrules"]
        return Problem(locate_key(document, fault.path), *wrong_key(rules, fault.path))
    if fault.code == errors.UNKNOWN_FIELD.code:
        return Problem(
            locate_key(document, fault.path), *unknown_key(fitted.rules[parent], fault.path)
        )
    if fault.code == errors.REQUIRED_FIELD.code:
        rules = fitted.rules[parent]["schema"][fault.path[-1]]
        return Problem(locate_key(document, parent), *missing_key(rules, fault.path))
    words = wrong_value(fitted.rules[fault.path], fault.path, value_at(value, fault.path))
    return Problem(locate(document, fault.path), *words)


def _removed(fitted: Fitted, fault: _Fault) -> KeyPath:
    """The path to leave out for a fault."""
    path = fault.path
    while path and isinstance(path[-1], int) and fitted.rules[path]["type"] != "dict":
        path = path[:-1]
    return path


def _without(value: Any, path: KeyPath, wrong: set[KeyPath]) -> Any:
    if isinstance(value, dict):
        items = ((key, item, (*path, key)) for key, item in value.items())
        return {key: _without(item, at, wrong) for key, item, at in items if at not in wrong}
    if isinstance(value, list):
        kept = [_without(item, (*path, i), wrong) for i, item in enumerate(value)]
        return [{} if (*path, i) in wrong else item for i, item in enumerate(kept)]
    return value
