"""One document out of several: bases that it extends, and edits of what comes of them.

One order of precedence, what stands first wins:

    edits of the command line > the profile chosen > the file's own `set` > its own keys
    > the base that is named last > ... > the base that is named first

Each base is composed in the same way before anything is put over it. Mappings merge entry by entry;
scalars and lists replace one another. Every value keeps the place where it was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any

from runner.document.apply_edit import apply_edits
from runner.document.build import MOST_VALUES
from runner.document.check import check
from runner.document.document import Document
from runner.document.edits import Edit, parse_entries
from runner.document.names import listed, suggest
from runner.document.read import read_shared, read_source
from runner.document.source import LARGEST_BYTES, load_source
from runner.document.tree import Tree, document_of, merged, tree_of
from runner.errors import DocumentError, Location, Problem, UsageError

Rules = dict[str, Any]

DEEPEST = 8
"""Levels of bases of bases."""
MOST_BASES = 64
"""Bases of one document, those of its bases included."""

REFERENCE: Rules = {
    "type": "string",
    "empty": False,
    "meta": {"expected": "the name of a base, such as builtin:base/cnn or ./base.yaml"},
}
EXTENDS: Rules = {
    "meta": {"forms": [REFERENCE, {"type": "list", "schema": REFERENCE, "minlength": 1}]}
}
EDITS: Rules = {
    "type": "dict",
    "meta": {"hint": "write edits, as in set: {steps.quantize.with.preset: mixed}"},
}
PROFILES: Rules = {
    "type": "dict",
    "valuesrules": EDITS,
    "meta": {"hint": "write edits under names, as in profiles: {smoke: {vars.samples: 20}}"},
}
COMPOSITION: Rules = {
    "type": "dict",
    "schema": {"extends": EXTENDS, "set": EDITS, "profiles": PROFILES},
}
"""The keys that say how a document is composed, and are not part of what comes of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What is particular to the documents of one kind.

    Attributes:
        find_base: the file that a reference under `extends` means; it raises a DocumentError at the
            place of the reference where there is none.
        expect: raises a DocumentError where a document is of another kind.
        own: keys that a document does not take over from its bases.
    """

    find_base: Callable[[str, Location], Path]
    expect: Callable[[Document], None]
    own: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """What a file and its bases amount to; `files` are its own and then theirs."""

    path: Path
    tree: Tree
    files: tuple[Path, ...]


@dataclass(slots=True, kw_only=True)
class _Reading:
    """One composition in the making, with what bounds it.

    Attributes:
        open: the files on the way from the document to the one that is read.
        found: what was composed of each base so far.
    """

    kind: Kind
    files: list[Path] = field(default_factory=list)
    open: list[Path] = field(default_factory=list)
    found: dict[Path, Tree] = field(default_factory=dict)
    characters: int = 0
    values: int = 0
    bases: int = 0


def compose_document(
    path: Path,
    kind: Kind,
    *,
    profile: str | None = None,
    shared: Mapping[str, Sequence[Edit]] | None = None,
) -> Composed:
    """The document in the file with its bases and its profile of that name.

    `shared`: the edits of profiles that many documents have; a document's own win over them.

    Raises:
        DocumentError: a file, a reference to a base, or an edit is wrong.
        UsageError: there is no such profile.
    """
    reading = _Reading(kind=kind)
    tree = _composed(reading, path, read_source(load_source(path)))
    profiles, tree = _taken(tree, "profiles")
    if profile is not None:
        tree = _edited(tree, (shared or {}).get(profile, ()))
        tree = _edited(tree, parse_entries(_profile(profiles, profile, shared or {})))
    return Composed(path=path, tree=tree, files=tuple(reading.files))


def edited_document(composed: Composed, edits: Sequence[Edit] = ()) -> Document:
    """The document with the edits of the command line made.

    Raises:
        DocumentError: some of them can't be made.
    """
    return document_of(composed.path, _edited(composed.tree, edits))


def _composed(reading: _Reading, path: Path, document: Document) -> Tree:
    """The document of a file with its bases and its own edits; profiles are still in it."""
    reading.kind.expect(document)
    reading.files.append(path)
    reading.values += len(document.locations)
    _check(document)
    tree = tree_of(document.value, document.locations, document.key_locations)
    extends, tree = _taken(tree, "extends")
    edits, tree = _taken(tree, "set")
    reading.open.append(path.resolve())
    bases = [_base(reading, each) for each in _references(extends)]
    reading.open.pop()
    tree = reduce(merged, [*bases, tree])
    return tree if edits is None else _edited(tree, parse_entries(edits))


def _check(document: Document) -> None:
    """The keys of composition hold what they may hold."""
    keys = COMPOSITION["schema"].keys() & document.value.keys()
    value = {key: document.value[key] for key in document.value if key in keys}
    if problems := check(document, COMPOSITION, value=value).problems:
        raise DocumentError(problems)


def _edited(tree: Tree, edits: Sequence[Edit]) -> Tree:
    """The tree with edits made, none of which changes how the document is composed."""
    for edit in edits:
        if edit.path[0].text in COMPOSITION["schema"]:
            message = f"{edit.path[0].text!r} can't be edited; it is read before edits are made"
            raise DocumentError([Problem(edit.path[0].location, message)])
    return apply_edits(tree, edits)


def _references(extends: Tree | None) -> Iterable[Tree]:
    if extends is None:
        return ()
    return extends.value if isinstance(extends.value, tuple) else (extends,)


def _base(reading: _Reading, reference: Tree) -> Tree:
    """A base without what is not inherited."""
    place = reference.location
    path = reading.kind.find_base(str(reference.value), place)
    key = path.resolve()
    reading.bases += 1
    _expect_bounds(reading, key, place)
    if key not in reading.found:
        try:
            reading.found[key] = _composed(reading, path, _read_base(reading, path, place))
        except DocumentError as error:
            raise DocumentError(_from_base(error.problems, place)) from error
    tree = reading.found[key]
    assert isinstance(tree.value, dict)
    own = reading.kind.own
    return replace(tree, value={k: each for k, each in tree.value.items() if k not in own})


def _read_base(reading: _Reading, path: Path, place: Location) -> Document:
    """The document of a base, if all bases together are not larger than one document may be."""
    source = load_source(path)
    reading.characters += len(source.text)
    if reading.characters > LARGEST_BYTES:
        raise _wrong(place, f"more than {LARGEST_BYTES} characters in all bases together")
    document = read_shared(source)
    if reading.values + len(document.locations) > MOST_VALUES:
        raise _wrong(place, f"more than {MOST_VALUES} values, those of all bases together")
    return document


def _expect_bounds(reading: _Reading, key: Path, place: Location) -> None:
    if key in reading.open:
        circle = [*reading.open[reading.open.index(key) :], key]
        names = " -> ".join(each.name for each in circle)
        raise _wrong(place, f"the document extends itself: {names}")
    if len(reading.open) > DEEPEST:
        raise _wrong(place, f"more than {DEEPEST} levels of bases")
    if reading.bases > MOST_BASES:
        raise _wrong(place, f"more than {MOST_BASES} bases, those of bases included")


def _from_base(problems: Iterable[Problem], place: Location) -> list[Problem]:
    """The problems of a base, which name what extends it where they give no other hint."""
    return [replace(each, hint=each.hint or f"it is a base of {place}") for each in problems]


def _profile(profiles: Tree | None, name: str, shared: Iterable[str]) -> Tree:
    """The document's own edits of that name; none where only others have a profile of it."""
    own = profiles or Tree(value={}, location=Location(Path(), 1, 1))
    assert isinstance(own.value, dict)
    named = dict.fromkeys((*own.value, *shared))
    if name not in named:
        there = f"; it has {listed(named, 'and')}" if named else ""
        message = f"the recipe has no profile {name!r}{there}{suggest(name, named)}"
        raise UsageError(message)
    return own.value.get(name) or replace(own, value={})


def _taken(tree: Tree, key: str) -> tuple[Tree | None, Tree]:
    """An entry of a mapping, and the mapping without it."""
    assert isinstance(tree.value, dict)
    rest = {k: each for k, each in tree.value.items() if k != key}
    return tree.value.get(key), replace(tree, value=rest)


def _wrong(place: Location, message: str) -> DocumentError:
    return DocumentError([Problem(place, message)])
