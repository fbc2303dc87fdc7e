"""One layout for YAML documents: keys in order, even indentation and spaces; comments stay."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from runner.document.document import KeyPath, value_at
from runner.document.key_order import key_order
from runner.document.read import read_source
from runner.document.reorder import reordered
from runner.document.schema import Rules, fit, meta
from runner.document.source import Source, source_of
from runner.document.spans import comments, read_spans
from runner.document.yaml_text import WIDTH, make_yaml
from runner.errors import DocumentError

UNBROKEN = 1 << 20
"""A width at which no line is broken."""


def laid_out(source: Source, rules: Rules) -> str:
    """The text of a document in the layout, with keys in the order of the rules.

    What would change a value, lose a comment or make a line too long is left as it is.

    Raises:
        DocumentError: the text can't be read.
    """
    value = read_source(source).value
    fitted = fit(rules, value)

    def order(path: KeyPath) -> tuple[str, ...]:
        at = value_at(value, path)
        if not isinstance(at, dict):  # below a merge key
            return ()
        found = fitted.rules.get(path, {})
        choose = meta(found, "choose")
        is_known = not choose or at.get(choose["key"]) in choose["kinds"]
        return key_order(found, at) if is_known else tuple(at)

    moved = _kept(source, reordered(source.text, order), source.text)
    even = _even(moved)
    return moved if _width(even) > max(WIDTH, _width(moved)) else _kept(source, even, moved)


def _even(text: str) -> str:
    """The text as ruamel.yaml writes it; the text itself where that fails."""
    stream = StringIO()
    try:
        yaml = make_yaml()
        yaml.width = UNBROKEN
        yaml.dump(yaml.load(text), stream)
    except (YAMLError, ValueError, AttributeError):
        return text
    return stream.getvalue()


def _width(text: str) -> int:
    return max(map(len, text.splitlines()), default=0)


def _kept(source: Source, new: str, old: str) -> str:
    """The new text if it says the same as the old one, comments included, else the old one."""
    if new == old:
        return old
    try:
        is_same = _content(source.path, new) == _content(source.path, old)
    except DocumentError:
        return old
    return new if is_same else old


def _content(path: Path, text: str) -> tuple[Any, list[str]]:
    value = read_source(source_of(path, text)).value
    return value, sorted(comments(text, read_spans(text)))
