"""Edits of a document: one grammar for `set:` in a file and `--set` on the command line.

    a.b=1                   sets what stands at `b` in `a`, whether something does or not
    +a.b=1                  adds: an entry or an item that is not there yet; to a list, more items
    ~a.b                    removes an entry or an item, which has to be there
    steps.quantize.with     an item of a list by its `id` or else `use`, by its text, or by number
    inputs."conv.1"         a name that holds '.', '=' or '"' stands in double quotes

Values are YAML and replace what was there as a whole; mappings that are missing on the way are
made. Under `set:` what stands before the '=' is the key and what stands behind it the value; a
removal has none. `apply_edit` is in `runner.document.apply_edit`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path

from runner.document.build import build
from runner.document.names import shown
from runner.document.source import Source, source_of, span
from runner.document.syntax import DEEPEST, compose
from runner.document.tree import Tree, plain_value, tree_of
from runner.errors import DocumentError, Location, Problem

COMMAND_LINE = Path("command line")
"""The path of what was written on the command line; its folder is the working directory."""

NAME = re.compile(r'"([^"\n]*)"|([^."=\n]+)')
GRAMMAR = "write a.b=1 to set, +a.b=1 to add, ~a.b to remove"

Place = Callable[[int, int], Location]
"""The location of the characters of a path from a start until before an end."""


class Action(Enum):
    """What an edit does; the values are the signs before its path."""

    SET = ""
    ADD = "+"
    REMOVE = "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """One name of an edit's path, and where it stands."""

    text: str
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change of a document; a removal has no value.

    `path`: the names that lead to what changes, the last one that of the entry or item itself.
    """

    action: Action
    path: tuple[Name, ...]
    value: Tree | None = None


def parse_edit(text: str, *, option: str = "--set") -> Edit:
    """The edit that stands on the command line behind `option`.

    Raises:
        DocumentError: it is none; the problem points into the text.
    """
    return _parse(source_of(COMMAND_LINE, f"{option} {_printable(text)}"), len(option) + 1)


def parse_edit_in(path: Path, text: str, *, line: int, column: int) -> Edit:
    """The edit that stands in a file of another format, at a line and column from 1.

    Raises:
        DocumentError: it is none; the problem points into the file.
    """
    before = "\n" * (line - 1) + " " * (column - 1)
    return _parse(source_of(path, before + text.replace("\n", " ")), len(before))


def _parse(source: Source, start: int) -> Edit:
    """The edit that begins at an offset of the source, and ends with it."""
    place = partial(span, source)
    action, path, end = _parse_path(source.text, start, place)
    sign = source.text[end : end + 1]
    if action is Action.REMOVE:
        if sign:
            raise _wrong(place(end, end + 1), "a removal takes no value")
        return Edit(action=action, path=path)
    if sign != "=":
        raise _wrong(place(end, end + 1), "expected '=' and a value behind the path")
    return Edit(action=action, path=path, value=_parse_value(source, end + 1))


def spell_path(names: Iterable[str]) -> str:
    """The path of an edit, quoted where that is needed.

    >>> spell_path(["steps", "v1.2", "with"])
    'steps."v1.2".with'
    """
    return ".".join(name if NAME.fullmatch(name) else f'"{name}"' for name in names)


def parse_entries(entries: Tree) -> tuple[Edit, ...]:
    """The edits that a mapping such as `{a.b: 1, +c: 2, ~d: }` holds, in its order.

    Raises:
        DocumentError: keys are no paths, or removals have values.
    """
    assert isinstance(entries.value, dict)
    edits: list[Edit] = []
    problems: list[Problem] = []
    for key, value in entries.value.items():
        try:
            edits.append(_parse_entry(key, value))
        except DocumentError as error:
            problems += error.problems
    if problems:
        raise DocumentError(problems)
    return tuple(edits)


def _parse_entry(key: str, value: Tree) -> Edit:
    assert value.key is not None
    place = partial(_within, value.key, key)
    action, path, end = _parse_path(key, 0, place)
    if end < len(key):
        raise _wrong(place(end, end + 1), "a key of edits is a path; its value stands behind ': '")
    if action is not Action.REMOVE:
        return Edit(action=action, path=path, value=value)
    if value.value is not None:
        message = f"a removal takes no value, but this is {shown(plain_value(value))}"
        raise _wrong(value.location, message)
    return Edit(action=action, path=path)


def _parse_path(text: str, start: int, place: Place) -> tuple[Action, tuple[Name, ...], int]:
    """The action, the names, and the offset behind them."""
    action = next((each for each in Action if each.value == text[start : start + 1]), Action.SET)
    at = start + len(action.value)
    path: list[Name] = []
    while not path or text[at : at + 1] == ".":
        at += bool(path)
        found = NAME.match(text, at)
        if found is None:
            raise _wrong(place(at, at + 1), "expected a name here")
        at = found.end()
        path.append(Name(text=found[1] or found[2] or "", location=place(found.start(), at)))
    if len(path) > DEEPEST:
        raise _wrong(path[DEEPEST].location, f"more than {DEEPEST} levels of nesting")
    return action, tuple(path), at


def _parse_value(source: Source, start: int) -> Tree:
    """The YAML value that begins at an offset of the source."""
    node = compose(source, start=start)
    if node is None:
        return Tree(value=None, location=span(source, start - 1, start))
    built = build(source, node)
    if built.problems:
        raise DocumentError(built.problems)
    return tree_of(built.value, built.locations, built.key_locations)


def _within(key: Location, text: str, start: int, end: int) -> Location:
    """The place of a part of a key's text; of the whole key where it is written with escapes."""
    begin = key.column - 1
    begin += key.source[begin : begin + 1] in ("'", '"')
    if key.source[begin : begin + len(text)] != text:
        return key
    return replace(key, column=begin + start + 1, length=max(1, end - start))


def _printable(text: str) -> str:
    """The text without what the terminal could not decode."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _wrong(place: Location, message: str) -> DocumentError:
    return DocumentError([Problem(place, message, GRAMMAR)])
