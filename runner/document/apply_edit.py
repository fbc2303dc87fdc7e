"""An edit applied to a document's tree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NoReturn

from runner.document.edits import Action, Edit, Name
from runner.document.names import listed, suggest
from runner.document.tree import Tree
from runner.errors import DocumentError, Problem

NAMING_KEYS = ("id", "use", "op")
"""The keys whose text names an item of a list; the first one that it has."""


def apply_edits(tree: Tree, edits: Iterable[Edit]) -> Tree:
    """The tree with all edits made, one after the other.

    Raises:
        DocumentError: edits that can't be made; it holds the problems of all of them.
    """
    problems: list[Problem] = []
    for edit in edits:
        try:
            tree = apply_edit(tree, edit)
        except DocumentError as error:
            problems += error.problems
    if problems:
        raise DocumentError(problems)
    return tree


def apply_edit(tree: Tree, edit: Edit) -> Tree:
    """The tree with the edit made.

    Raises:
        DocumentError: the path leads nowhere, what is added is there, or what is removed is not.
    """
    return _changed(tree, edit, 0)


def item_name(item: Tree) -> str | None:
    """What an item of a list is addressed by beside its number, or None."""
    if isinstance(item.value, tuple):
        return None
    if not isinstance(item.value, dict):
        return str(item.value)
    named = (item.value[key].value for key in NAMING_KEYS if key in item.value)
    return next((name for name in named if isinstance(name, str)), None)


def _changed(tree: Tree, edit: Edit, depth: int) -> Tree:
    """The tree that stands at the first `depth` names of the path, with the edit made in it."""
    name, is_last = edit.path[depth], depth == len(edit.path) - 1
    if isinstance(tree.value, dict):
        entries = tree.value
        entry = _entry(entries, name, edit) if is_last else _inner(entries, edit, depth)
        others = {key: each for key, each in entries.items() if key != name.text or entry}
        return replace(tree, value={**others, **({name.text: entry} if entry else {})})
    if isinstance(tree.value, tuple):
        items = tree.value
        return replace(tree, value=_items(items, edit, depth, is_last=is_last))
    above = edit.path[depth - 1]
    _fail(name, f"{above.text!r} is neither a mapping nor a list; it has no {name.text!r}")


def _inner(entries: dict[str, Tree], edit: Edit, depth: int) -> Tree:
    """The entry that the path goes through; a new mapping where there is none."""
    name = edit.path[depth]
    if name.text in entries:
        return _changed(entries[name.text], edit, depth + 1)
    if edit.action is Action.REMOVE:
        _fail_unknown(name, entries)
    empty = Tree(value={}, location=name.location, key=name.location)
    return _changed(empty, edit, depth + 1)


def _entry(entries: dict[str, Tree], name: Name, edit: Edit) -> Tree | None:
    """What an entry becomes, or None for nothing."""
    present = entries.get(name.text)
    if edit.action is Action.REMOVE:
        if present is None:
            _fail_unknown(name, entries)
        return None
    assert edit.value is not None
    if edit.action is Action.SET or present is None:
        return replace(edit.value, key=name.location)
    if not isinstance(present.value, tuple):
        hint = "leave out the '+' to change it"
        _fail(name, f"{name.text!r} is there already; see {present.location}", hint)
    more = edit.value.value if isinstance(edit.value.value, tuple) else (edit.value,)
    return replace(present, value=(*present.value, *(replace(each, key=None) for each in more)))


def _items(items: tuple[Tree, ...], edit: Edit, depth: int, *, is_last: bool) -> tuple[Tree, ...]:
    """The items of a list with the edit made in, at or behind one of them."""
    name = edit.path[depth]
    position = _position(items, name)
    if is_last and edit.action is Action.ADD:
        if position is not None:
            _fail(name, f"{name.text!r} is there already", "leave out the '+' to change it")
        return (*items, _named(edit, name))
    if position is None:
        known = [each for each in map(item_name, items) if each is not None]
        there = f"; it has {listed(known, 'and')}" if known else ""
        _fail(name, f"the list has no item {name.text!r}{there}{suggest(name.text, known)}")
    before, behind = items[:position], items[position + 1 :]
    if not is_last:
        return (*before, _changed(items[position], edit, depth + 1), *behind)
    return (*before, *(() if edit.value is None else (_named(edit, name),)), *behind)


def _position(items: tuple[Tree, ...], name: Name) -> int | None:
    names = [item_name(each) for each in items]
    if name.text in names:
        return names.index(name.text)
    is_number = name.text.isascii() and name.text.isdecimal() and len(name.text) < 6
    return int(name.text) if is_number and int(name.text) < len(items) else None


def _named(edit: Edit, name: Name) -> Tree:
    """The edit's value as an item of that name: a mapping without one gets it as its `id`."""
    item = edit.value
    assert item is not None
    if not isinstance(item.value, dict) or name.text.isdecimal():
        return replace(item, key=None)
    if "id" not in item.value and item_name(item) != name.text:
        identity = Tree(value=name.text, location=name.location, key=name.location)
        return replace(item, value={"id": identity, **item.value}, key=None)
    if item_name(item) != name.text:
        message = f"this item is called {item_name(item)!r}, but the path says {name.text!r}"
        raise DocumentError([Problem(item.value["id"].location, message, "leave out the `id`")])
    return replace(item, key=None)


def _fail_unknown(name: Name, entries: dict[str, Tree]) -> NoReturn:
    _fail(name, f"there is no {name.text!r} to remove{suggest(name.text, entries)}")


def _fail(name: Name, message: str, hint: str = "") -> NoReturn:
    raise DocumentError([Problem(name.location, message, hint)])
