"""The keys of a YAML text put in order by moving text: comments move along, values stay as written.

What moves is an entry with the comments right above it, the one behind it, and those in it; blank
lines stay where they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from runner.document.document import KeyPath
from runner.document.spans import Span, read_spans

Order = Callable[[KeyPath], tuple[str, ...]]
"""The keys of the mapping at a path, in the order that they should have; none: as they are."""
Part = tuple[int, int, str]
"""A stretch of the old text from a start until before an end, and what it becomes."""

MERGE = "<<"
BEHIND = re.compile(r"[ \t]+#[^\n]*")
ABOVE = re.compile(r"(?:^|(?<=\n))([ \t]*)#[^\n]*\n\Z")
BELOW = re.compile(r"\n([ \t]*)#[^\n]*")


def reordered(text: str, order: Order) -> str:
    """The text with the keys of all mappings in order; those with merge keys stay as they are."""
    start, end, new = _part(text, read_spans(text), (), order)
    return text[:start] + new + text[end:]


def _part(text: str, span: Span, path: KeyPath, order: Order) -> Part:
    if span.entries:
        return _mapping(text, span, path, order)
    parts = [_part(text, item, (*path, i), order) for i, item in enumerate(span.items)]
    return _joined(text, span, parts, parts)


def _mapping(text: str, span: Span, path: KeyPath, order: Order) -> Part:
    keys = [key.text for key, _ in span.entries]
    parts = [
        _entry(text, key, value, _part(text, value, (*path, key.text), order), is_flow=span.is_flow)
        for key, value in span.entries
    ]
    if not (path or span.is_flow):  # what stands above the first key is about the whole file
        parts[0] = _from(text, parts[0], span.entries[0][0].start)
    wanted = (() if MERGE in keys else order(path)) or keys
    return _joined(text, span, parts, [parts[keys.index(key)] for key in wanted])


def _entry(text: str, key: Span, value: Span, inner: Part, *, is_flow: bool) -> Part:
    """An entry with the comments that belong to it."""
    start, end = key.start, max(key.end, value.end, inner[1])
    if not is_flow:
        start, end = _start(text, key), _end(text, key.column, end)
    return start, end, text[start : inner[0]] + inner[2] + text[inner[1] : end]


def _from(text: str, part: Part, start: int) -> Part:
    return start, part[1], part[2][start - part[0] :]


def _joined(text: str, span: Span, parts: list[Part], moved: list[Part]) -> Part:
    """The parts in their new order, what stands between them as it was."""
    start = min([span.start, *(part[0] for part in parts)])
    end = max([span.end, *(part[1] for part in parts)])
    new, at = "", start
    for place, part in zip(parts, moved, strict=True):
        new += text[at : place[0]] + part[2]
        at = place[1]
    return start, end, new + text[at:end]


def _start(text: str, key: Span) -> int:
    """Where the comments right above a key begin that stand in its column; else where it does."""
    start = key.start
    line = start - key.column
    if text[line:start].strip():  # behind a dash
        return start
    while (above := ABOVE.search(text, 0, line)) and len(above[1]) == key.column:
        line = above.start()
        start = line + key.column
    return start


def _end(text: str, column: int, end: int) -> int:
    """Where the comments behind a value end, and those below it further in than its key."""
    if behind := BEHIND.match(text, end):
        end = behind.end()
    while (below := BELOW.match(text, end)) and len(below[1]) > column:
        end = below.end()
    return end
