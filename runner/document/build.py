"""YAML nodes to plain values, noting the place of each.

No tag is obeyed and nothing is ever executed. Aliases are expanded, but the number of aliases, of
values and of levels is bounded, so that a short file can't grow into a large value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from runner.document.document import KeyPath
from runner.document.names import shown
from runner.document.scalars import parse_scalar
from runner.document.source import Source, span
from runner.document.syntax import DEEPEST
from runner.errors import MOST_PROBLEMS, Location, Problem

MOST_VALUES = 10_000
MOST_ALIASES = 200

TAGGED = re.compile(r"(?:&\S+\s+)?(![^\s,\]}]*)")
ANCHOR = re.compile(r"&[^\s,\[\]{}]+\s*")
SURROGATE = re.compile("[\ud800-\udfff]")
MERGE = "<<"

Pairs = dict[str, tuple[Node, Node]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What the nodes hold: the value, places of values and keys, and what is wrong."""

    source: Source
    value: Any = None
    locations: dict[KeyPath, Location] = field(default_factory=dict)
    key_locations: dict[KeyPath, Location] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _Builder:
    """A Built in the making, with what bounds its size."""

    built: Built
    values: int = 0
    aliases: int = 0
    exhausted: bool = False
    anchors: dict[str, Node] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    open: set[int] = field(default_factory=set)


def build(source: Source, root: Node) -> Built:
    """The value of the root node and the places of all that is in it."""
    builder = _Builder(built=Built(source=source))
    value = _build(builder, root, ())
    return replace(builder.built, value=value)


def _build(builder: _Builder, node: Node, path: KeyPath) -> Any:
    if not _enter(builder, node, path):
        return None
    builder.built.locations[path] = _place(builder.built.source, node)
    builder.open.add(id(node))
    if isinstance(node, MappingNode):
        value: Any = _build_mapping(builder, node, path)
    elif isinstance(node, SequenceNode):
        value = [_build(builder, item, (*path, i)) for i, item in enumerate(node.value)]
    else:
        assert isinstance(node, ScalarNode)
        value = _build_scalar(builder, node)
    builder.open.discard(id(node))
    return value


def _enter(builder: _Builder, node: Node, path: KeyPath) -> bool:
    """Whether the node may be built: known tags only, and within all bounds."""
    builder.values += 1
    builder.aliases += id(node) in builder.seen
    builder.seen.add(id(node))
    fault = _excess(builder) or _fault(builder, node, path)
    if fault and not builder.exhausted:
        _report(builder, node, fault)
    builder.exhausted |= bool(_excess(builder))
    return not fault


def _excess(builder: _Builder) -> str:
    if builder.aliases > MOST_ALIASES:
        return f"more than {MOST_ALIASES} aliases"
    return (
        f"more than {MOST_VALUES} values, aliases expanded" if builder.values > MOST_VALUES else ""
    )


def _fault(builder: _Builder, node: Node, path: KeyPath) -> str:
    if tag := TAGGED.match(builder.built.source.text, node.start_mark.index):
        return f"the tag {tag[1]!r} is not allowed; recipes hold plain values only"
    if node.anchor and builder.anchors.setdefault(node.anchor, node) is not node:
        return f"the anchor &{node.anchor} is repeated; give each its own name"
    if id(node) in builder.open:
        return "an alias stands inside what it refers to"
    return f"more than {DEEPEST} levels of nesting" if len(path) > DEEPEST else ""


def _build_scalar(builder: _Builder, node: ScalarNode) -> Any:
    text = str(node.value)
    if SURROGATE.search(text):
        _report(builder, node, "an escape sequence in this text names half a character")
        return None
    if node.style:
        return text
    try:
        return parse_scalar(text)
    except ValueError as error:
        _report(builder, node, str(error))
        return None


def _build_mapping(builder: _Builder, node: MappingNode, path: KeyPath) -> dict[str, Any]:
    value = {}
    for name, (key, item) in _pairs(builder, node).items():
        builder.built.key_locations[*path, name] = _place(builder.built.source, key)
        value[name] = _build(builder, item, (*path, name))
        if item.start_mark.index == item.end_mark.index:  # nothing is written: point at the key
            builder.built.locations[*path, name] = builder.built.key_locations[*path, name]
    return value


def _pairs(builder: _Builder, node: MappingNode) -> Pairs:
    """The entries by key, merged ones first; the mapping's own keys win, then earlier merges."""
    own: Pairs = {}
    merged: Pairs = {}
    for key, item in node.value:
        name = _key(builder, key)
        if name is None:
            continue
        if name in own:
            line = _place(builder.built.source, own[name][0]).line
            _report(builder, key, f"the key {name!r} is repeated; it stands in line {line} already")
            continue
        own[name] = (key, item)
        if name == MERGE:
            merged = _merged(builder, item)
    own.pop(MERGE, None)
    return {**merged, **own}


def _merged(builder: _Builder, node: Node) -> Pairs:
    pairs: Pairs = {}
    for source in reversed(node.value if isinstance(node, SequenceNode) else [node]):
        if not isinstance(source, MappingNode):
            _report(builder, source, "the merge key '<<' takes a mapping or a list of mappings")
        elif _enter(builder, source, ()):
            builder.open.add(id(source))
            pairs |= _pairs(builder, source)
            builder.open.discard(id(source))
    return pairs


def _key(builder: _Builder, node: Node) -> str | None:
    """The text of a key, or None where it is none."""
    builder.values += 1
    if fault := _fault(builder, node, ()):
        _report(builder, node, fault)
        return None
    if not isinstance(node, ScalarNode):
        _report(builder, node, "a key is text, but this is a mapping or a list")
        return None
    key = _build_scalar(builder, node)
    if not isinstance(key, str):
        _report(builder, node, f"a key is text, but this is {shown(key)}; quote it")
    return key if isinstance(key, str) else None


def _report(builder: _Builder, node: Node, message: str) -> None:
    problems = builder.built.problems
    if len(problems) < MOST_PROBLEMS:
        problems.append(Problem(_place(builder.built.source, node), message))


def _place(source: Source, node: Node) -> Location:
    """The span of a scalar or a `{...}`; for a block, of its first key or its first dash."""
    start = node.start_mark.index
    if isinstance(node, ScalarNode) or getattr(node, "flow_style", None):
        start = _after_anchor(source, start)
        return span(source, start, _end(source, start, node.end_mark.index))
    first = next(_keys(node), None)
    return span(source, start, start + 1) if first is None else _place(source, first)


def _keys(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        yield from (key for key, _ in node.value)


def _after_anchor(source: Source, start: int) -> int:
    anchor = ANCHOR.match(source.text, start)
    return anchor.end() if anchor else start


def _end(source: Source, start: int, end: int) -> int:
    return start + len(source.text[start:end].partition("\n")[0].rstrip())
