"""What is wrong with a key or a value, in words: a message and a hint for each kind of fault."""

from __future__ import annotations

from typing import Any

from runner.document.document import KeyPath
from runner.document.names import listed, shown, suggest
from runner.document.schema import Rules, is_of_type, meta, type_names

Words = tuple[str, str]
"""A message and a hint, which may be empty."""

TYPE_WORDS = {
    "boolean": "true or false",
    "dict": "a mapping",
    "integer": "an integer",
    "list": "a list",
    "number": "a number",
    "string": "a text",
}
ROOM = 60
"""Characters of valid names that fit into a message; more of them go into the hint."""


def describe(rules: Rules) -> str:
    """What the rules accept, in words.

    >>> describe({"type": "number", "min": 0, "forbidden": [0], "max": 0.5})
    'a number above 0 and at most 0.5'
    >>> describe({"type": "string", "allowed": ["json", "html"]})
    "'json' or 'html'"
    """
    if expected := meta(rules, "expected"):
        return str(expected)
    if "allowed" in rules:
        return listed(rules["allowed"])
    if forms := meta(rules, "forms"):
        return " or ".join(describe({**form, "meta": form.get("meta", {})}) for form in forms)
    words = " or ".join(TYPE_WORDS[name] for name in type_names(rules))
    return " ".join([words, *_bounds(rules), *_lengths(rules)])


def wrong_value(rules: Rules, path: KeyPath, value: Any) -> Words:
    """A value of the wrong type, or one that is not allowed."""
    hint = str(meta(rules, "hint") or "")
    if "allowed" in rules and isinstance(value, str) and is_of_type(value, rules["type"]):
        return _not_allowed(rules, _noun(rules, path), value, hint)
    return f"{_name(path)} is {shown(value)}; expected {describe(rules)}", hint


def missing_key(rules: Rules, path: KeyPath) -> Words:
    """A required key that is not there."""
    message = f"missing key {path[-1]!r}{_inside(path[:-1])}; expected {describe(rules)}"
    return message, str(meta(rules, "hint") or "")


def unknown_key(parent: Rules, path: KeyPath) -> Words:
    """A key that the mapping does not have: a typo, another tool's, or a later version's."""
    name, valid = str(path[-1]), list(parent["schema"])
    later, spellings, advice = (meta(parent, key) for key in ("later", "spellings", "advice"))
    if name in later:
        return f"{name!r} is not in this version", later[name]
    if name in spellings:
        ours = spellings[name]
        hint = f"{ours!r} is not in this version" if ours in later else advice.get(ours, "")
        return f"unknown key {name!r}{_inside(path[:-1])}; here it is called {ours!r}", hint
    if name in advice:
        return f"unknown key {name!r}{_inside(path[:-1])}", advice[name]
    suggestion = suggest(name, [*valid, *later])
    hint = "" if suggestion else f"valid keys: {', '.join(valid)}"
    return f"unknown key {name!r}{_inside(path[:-1])}{suggestion}", hint


def wrong_key(rules: Rules, path: KeyPath) -> Words:
    """A key of an open mapping that is no valid name there."""
    if "allowed" in rules:
        return _not_allowed(rules, _noun(rules, path[:-1]), str(path[-1]), "")
    return f"the name {path[-1]!r} can't be used; expected {describe(rules)}", ""


def _not_allowed(rules: Rules, noun: str, value: str, hint: str) -> Words:
    allowed, later = rules["allowed"], meta(rules, "later")
    if value in later:
        return f"{noun} {value!r} is not in this version", later[value]
    expected = listed(allowed)
    found, suggestion = f"unknown {noun} {shown(value)}", suggest(value, map(str, allowed))
    if len(expected) > ROOM:
        return f"{found}{suggestion}", hint or f"valid names: {', '.join(map(str, allowed))}"
    return f"{found}; expected {expected}{suggestion}", hint


def _noun(rules: Rules, path: KeyPath) -> str:
    keys = [str(key) for key in path if isinstance(key, str)]
    return str(meta(rules, "noun") or keys[-1].replace("_", " "))


def _name(path: KeyPath) -> str:
    if path and isinstance(path[-1], int):
        return f"item {path[-1] + 1} of {_last_name(path)!r}"
    return repr(path[-1]) if path else "the document"


def _inside(parent: KeyPath) -> str:
    if not parent:
        return ""
    return f" in {_name(parent)}"


def _last_name(path: KeyPath) -> str:
    return next(key for key in reversed(path) if isinstance(key, str))


def _bounds(rules: Rules) -> list[str]:
    excluded = rules.get("forbidden", ())
    low, high = rules.get("min"), rules.get("max")
    words = []
    if low is not None:
        words.append(f"above {low}" if low in excluded else f"of at least {low}")
    if high is not None:
        words.append(f"below {high}" if high in excluded else f"at most {high}")
    others = [f"other than {value}" for value in excluded if value not in (low, high)]
    return [" and ".join(words)] * bool(words) + others


def _lengths(rules: Rules) -> list[str]:
    low, high = rules.get("minlength"), rules.get("maxlength")
    if low is not None and low == high:
        return [f"of length {low}"]
    if low is not None and high is not None:
        return [f"of {low} to {high} items"]
    return ["that is not empty"] if low or rules.get("empty") is False else []
