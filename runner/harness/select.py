"""Which checks are run: `tag:cnn,target:cpu owner:nlp-*`; a comma is `and`, a space is `or`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runner.document.names import listed, suggest
from runner.errors import UsageError
from runner.harness.status import Status

STATE, MODIFIED = "state", "modified"
METHODS = ("tag", "owner", "target", "status", STATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """What a check must be: `method` is one of METHODS, `pattern` as in the names of files."""

    method: str
    pattern: str


Selection = tuple[tuple[Criterion, ...], ...]
"""Alternatives, each of criteria that all have to hold; none at all: everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a check; `status` is that of its last run, `is_modified` looks it up."""

    tags: tuple[str, ...]
    owner: str
    target: str
    status: str
    is_modified: Callable[[], bool]


def parse_selection(written: Iterable[str]) -> Selection:
    """The selection that is written in one or several texts.

    Raises:
        UsageError: a criterion is written otherwise, or there is no such method, status or state.

    >>> parse_selection(["tag:cnn,target:cpu"])[0][1]
    Criterion(method='target', pattern='cpu')
    """
    return tuple(
        tuple(_criterion(word) for word in words.split(","))
        for text in written
        for words in text.split()
    )


def is_selected(selection: Selection, facts: Facts) -> bool:
    """Whether one of the alternatives holds."""
    if not selection:
        return True
    return any(all(_holds(each, facts) for each in criteria) for criteria in selection)


def selects_changes(selection: Selection) -> bool:
    """Whether it asks for what has changed."""
    return any(each.method == STATE for criteria in selection for each in criteria)


def _criterion(word: str) -> Criterion:
    method, sign, pattern = word.partition(":")
    if not sign or not pattern or method not in METHODS:
        message = (
            f"can't select by {word!r}; expected one of "
            f"{listed(f'{each}:...' for each in METHODS)}{suggest(method, METHODS)}"
        )
        raise UsageError(message)
    known = {"status": tuple(map(str, Status)), STATE: (MODIFIED,)}.get(method, ())
    if known and pattern not in known:
        message = f"unknown {method} {pattern!r}; expected {listed(known)}{suggest(pattern, known)}"
        raise UsageError(message)
    return Criterion(method=method, pattern=pattern)


def _holds(criterion: Criterion, facts: Facts) -> bool:
    if criterion.method == STATE:
        return facts.is_modified()
    found = {
        "tag": facts.tags,
        "owner": (facts.owner,),
        "target": (facts.target,),
        "status": (facts.status,),
    }
    return any(fnmatchcase(each, criterion.pattern) for each in found[criterion.method])
