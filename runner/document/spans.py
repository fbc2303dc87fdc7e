"""Where the parts of a YAML text begin and end, aliases included, and the comments between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamStartEvent,
)

COMMENT = re.compile(r"(?:^|(?<=[ \t\n]))#[^\n]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The characters of a value from `start` until before `end`, without comments behind it.

    Attributes:
        text: of a scalar its value, else empty.
        column: of its beginning, from 0.
        is_flow: whether it is in brackets or braces.
        items: the values of a list.
        entries: the keys and values of a mapping.
    """

    start: int
    end: int
    column: int
    text: str = ""
    is_flow: bool = False
    items: tuple[Span, ...] = ()
    entries: tuple[tuple[Span, Span], ...] = ()


def read_spans(text: str) -> Span:
    """The span of the one value in a text that was read without errors before."""
    events = YAML(typ="safe", pure=True).parse(text)
    first = next(events)
    while isinstance(first, StreamStartEvent | DocumentStartEvent):
        first = next(events)
    return _span(text, first, events)


def comments(text: str, span: Span) -> list[str]:
    """The comments in a text, in order; a '#' within a scalar is none."""
    found, at = [], 0
    for start, end in (*_scalars(span), (len(text), len(text))):
        found += [match[0].rstrip() for match in COMMENT.finditer(text, at, start)]
        at = end
    return found


def _span(text: str, event: Any, events: Iterator[Any]) -> Span:
    start, column = event.start_mark.index, event.start_mark.column
    if isinstance(event, SequenceStartEvent):
        items = []
        while not isinstance(inner := next(events), SequenceEndEvent):
            items.append(_span(text, inner, events))
        end = inner.end_mark.index if event.flow_style else max([start, *(i.end for i in items)])
        return Span(
            start=start, end=end, column=column, is_flow=bool(event.flow_style), items=tuple(items)
        )
    if isinstance(event, MappingStartEvent):
        entries = []
        while not isinstance(inner := next(events), MappingEndEvent):
            entries.append((_span(text, inner, events), _span(text, next(events), events)))
        ends = [max(key.end, value.end) for key, value in entries]
        end = inner.end_mark.index if event.flow_style else max([start, *ends])
        return Span(
            start=start,
            end=end,
            column=column,
            is_flow=bool(event.flow_style),
            entries=tuple(entries),
        )
    end = len(text[: event.end_mark.index].rstrip())
    value = "" if isinstance(event, AliasEvent) else str(event.value)
    return Span(start=min(start, end), end=end, column=column, text=value)


def _scalars(span: Span) -> Iterator[tuple[int, int]]:
    if not (span.items or span.entries or span.is_flow):
        yield span.start, span.end
    for item in span.items:
        yield from _scalars(item)
    for key, value in span.entries:
        yield from _scalars(key)
        yield from _scalars(value)
