"""Schemas: cerberus rules as plain data, fitted to one document before it is validated.

A schema maps keys to cerberus rules (`type`, `required`, `allowed`, `min`, `max`, `forbidden`,
`regex`, `nullable`, `empty`, `minlength`, `maxlength`, `schema`, `keysrules`, `valuesrules`).
What cerberus has no word for stands under `meta`, which it leaves alone:

    choose      {key, kinds, noun}: the value of `key` names the rest of the mapping's fields
    forms       alternatives by type, e.g. one number or a list of numbers
    expected    words for what the value should be, where the rules do not say it
    hint        what to do about a wrong value
    spellings   other tools' names for the keys of this mapping, and ours
    later       known keys or values that are not in this version, with a word of explanation
    noun        what the value is called in messages, where not the key

Fitting replaces `choose` and `forms` by the rules that apply, spells out rules for every item of a
list and every value of an open mapping, and drops the inner rules where the document holds another
kind of value. So cerberus never sees alternatives (its errors lose their path, cerberus#432) or a
mapping in the place of a list (a key `type` in it makes cerberus 1.3 crash, cerberus#363).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.document.document import KeyPath

Rules = Mapping[str, Any]
Schema = Mapping[str, Rules]

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "dict": (dict,),
    "integer": (int,),
    "list": (list,),
    "number": (int, float),
    "string": (str,),
}
INNER = ("schema", "keysrules", "valuesrules")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A schema for one document, and the rules that apply at each of its paths."""

    fields: dict[str, Any]
    rules: dict[KeyPath, Rules] = field(default_factory=dict)


def fit(rules: Rules, value: dict[str, Any]) -> Fitted:
    """The schema of `rules`, those of a mapping, as it applies to `value`."""
    found: dict[KeyPath, Rules] = {}
    fitted = _fit(rules, value, (), found)
    return Fitted(fields=fitted["schema"], rules=found)


def is_of_type(value: Any, names: str | list[str]) -> bool:
    """Whether the value is of one of cerberus' types; true and false are not numbers."""
    wanted = type_names({"type": names})
    if isinstance(value, bool):
        return "boolean" in wanted
    return any(isinstance(value, PYTHON_TYPES[name]) for name in wanted)


def type_names(rules: Rules) -> list[str]:
    """The types that the rules accept."""
    names = rules["type"]
    return [names] if isinstance(names, str) else list(names)


def meta(rules: Rules, key: str) -> Any:
    """What stands under `meta` of the rules, or an empty mapping."""
    return rules.get("meta", {}).get(key, {})


def _fit(rules: Rules, value: Any, path: KeyPath, found: dict[KeyPath, Rules]) -> dict[str, Any]:
    rules = _form(rules, value)
    own = {key: rule for key, rule in rules.items() if key not in INNER}
    if isinstance(value, dict) and is_of_type(value, rules["type"]):
        own |= _fit_mapping(rules, value, path, found)
    elif isinstance(value, list) and is_of_type(value, rules["type"]) and "schema" in rules:
        item = rules["schema"]
        own["items"] = [_fit(item, value[i], (*path, i), found) for i in range(len(value))]
    found[path] = own
    return own


def _form(rules: Rules, value: Any) -> Rules:
    """The alternative whose type the value has; without one, rules that accept no value."""
    forms = meta(rules, "forms")
    for form in forms:
        if is_of_type(value, form["type"]):
            return {**rules, **form, "meta": {**rules["meta"], **form.get("meta", {}), "forms": ()}}
    types = [name for form in forms for name in type_names(form)]
    return {**rules, "type": types} if forms else rules


def _fit_mapping(
    rules: Rules, value: dict[str, Any], path: KeyPath, found: dict[KeyPath, Rules]
) -> dict[str, Any]:
    fields = {**rules.get("schema", {}), **_chosen(rules, value)}
    others = rules.get("valuesrules")
    if others is not None:
        fields |= {key: others for key in value if key not in fields}
    fitted = {
        key: _fit(field_rules, value.get(key), (*path, key), found) if key in value else field_rules
        for key, field_rules in fields.items()
    }
    result = {"schema": fitted, "allow_unknown": _is_open(rules, value)}
    return result | ({"keysrules": rules["keysrules"]} if "keysrules" in rules else {})


def _chosen(rules: Rules, value: dict[str, Any]) -> dict[str, Any]:
    """The field that chooses, and the fields that it brings along."""
    choose = meta(rules, "choose")
    if not choose:
        return {}
    kinds = choose["kinds"]
    about = {"noun": choose["noun"], "later": choose.get("later", {})}
    chooser = {"type": "string", "required": True, "allowed": list(kinds), "meta": about}
    return {choose["key"]: chooser, **kinds.get(_kind(choose, value), {})}


def _is_open(rules: Rules, value: dict[str, Any]) -> bool:
    """Whether keys can't be judged: no fields are given, or what chooses them is not known."""
    choose = meta(rules, "choose")
    if choose:
        return _kind(choose, value) not in choose["kinds"]
    return "schema" not in rules and "valuesrules" not in rules


def _kind(choose: Mapping[str, Any], value: dict[str, Any]) -> str:
    kind = value.get(choose["key"])
    return kind if isinstance(kind, str) else ""
