"""A YAML text with a value, an entry or items more, all else left as it was written, to the last
space."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from runner.document.document import Key, KeyPath
from runner.document.source import Source, span
from runner.document.syntax import compose
from runner.errors import DocumentError, Problem

_PLAIN = re.compile(r"[A-Za-z_][\w./-]*(?:::?[\w./-]+)*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def with_items(source: Source, path: KeyPath, items: Sequence[str]) -> str:
    """The text with the items in the list at `path`, where they are not there already.

    What leads to the list is made where it is missing; what stands above has to be a mapping.

    Raises:
        DocumentError: something else stands at `path`, or an alias.
    """
    node = compose(source)
    assert node is not None  # the document was read before
    for depth, key in enumerate(path):
        child = _child(node, key)
        if child is None:
            return _with_entry(source, node, _nested(path[depth:], items))
        _expect_own(source, node, child)
        node = child
    if not isinstance(node, SequenceNode):
        raise _error(source, node, "items can't be added here: it is no list")
    present = {each.value for each in node.value}
    return _with_more(source, node, [as_scalar(each) for each in items if each not in present])


def with_value(source: Source, path: KeyPath, text: str) -> str:
    """The text with another scalar, list or mapping at `path`, which has to be on one line.

    Raises:
        DocumentError: nothing stands there, or what can't be replaced.
    """
    node = compose(source)
    assert node is not None
    for key in path:
        child = _child(node, key)
        if child is None:
            raise _error(source, node, f"there is no {key!r} here to replace")
        _expect_own(source, node, child)
        node = child
    if node.end_mark.line != node.start_mark.line:
        raise _error(source, node, "this can't be replaced: it takes more than one line")
    return source.text[: node.start_mark.index] + text + source.text[node.end_mark.index :]


def with_entry(source: Source, path: KeyPath, key: str, text: str) -> str:
    """The text with an entry in the mapping at `path`: in place of one with that key, or last.

    Args:
        key, text: the key as it is read, and the value as YAML on one line.

    Raises:
        DocumentError: no mapping stands at `path`, an alias does, or the entry can't be replaced.
    """
    node = _own(source, path)
    if _child(node, key) is not None:
        return with_value(source, (*path, key), text)
    entry = f"{as_scalar(key)}: {text}"
    if isinstance(node, MappingNode) and not node.flow_style:
        margin = " " * node.value[0][0].start_mark.column
        return _on_next_line(source, _last_part(source, node), f"{margin}{entry}")
    return _with_entry(source, node, entry)


def with_more(source: Source, path: KeyPath, key: str, texts: Sequence[str]) -> str:
    """As `with_entry`, but an entry with that key keeps its items, which stand before the new ones.

    Args:
        texts: the items as YAML, each on one line.
    """
    child = _child(_own(source, path), key)
    if child is None:
        return with_entry(source, path, key, f"[{', '.join(texts)}]")
    child = _own(source, (*path, key))
    if isinstance(child, SequenceNode):
        return _with_more(source, child, texts)
    before = source.text[child.start_mark.index : child.end_mark.index]
    return with_value(source, (*path, key), f"[{', '.join([before, *texts])}]")


def _own(source: Source, path: KeyPath) -> Node:
    """What stands at `path`, if it is no alias."""
    node = compose(source)
    assert node is not None
    for each in path:
        child = _child(node, each)
        assert child is not None
        _expect_own(source, node, child)
        node = child
    return node


def _last_part(source: Source, node: Node) -> Node:
    """The innermost node that ends where a block ends; a block itself ends behind the comments."""
    while isinstance(node, MappingNode | SequenceNode) and not node.flow_style:
        last = node.value[-1]
        child = last[1] if isinstance(last, tuple) else last
        _expect_own(source, node, child)
        node = child
    if isinstance(node, ScalarNode) and node.style in ("|", ">"):
        raise _error(source, node, "nothing can be added behind a text of several lines")
    return node


def _child(node: Node, key: Key) -> Node | None:
    if isinstance(node, SequenceNode) and isinstance(key, int):
        item: Node = node.value[key]
        return item
    if isinstance(node, MappingNode):
        return next((value for name, value in node.value if name.value == key), None)
    return None


def _expect_own(source: Source, node: Node, child: Node) -> None:
    """Refuses to change what other parts of the document share."""
    if child.start_mark.index < node.start_mark.index:
        raise _error(source, child, "items can't be added here: an alias refers to it")


def _nested(path: KeyPath, items: Sequence[str]) -> str:
    """`a: {b: [items]}`."""
    text = f"[{', '.join(map(as_scalar, items))}]"
    for depth, key in enumerate(reversed(path)):
        text = f"{key}: {text}" if depth == 0 else f"{key}: {{{text}}}"
    return text


def as_scalar(value: str) -> str:
    """A text as YAML, quoted where it would mean something else.

    >>> as_scalar("block1/conv"), as_scalar("aten::add/Add"), as_scalar("12"), as_scalar("a: b")
    ('block1/conv', 'aten::add/Add', '"12"', '"a: b"')
    """
    is_plain = _PLAIN.fullmatch(value) is not None and value.lower() not in _WORDS
    return value if is_plain else json.dumps(value, ensure_ascii=False)


def _with_entry(source: Source, node: Node, entry: str) -> str:
    """The text with one more entry in a mapping."""
    if not isinstance(node, MappingNode):
        raise _error(source, node, "a key can't be added here: it is no mapping")
    if node.flow_style:
        last = node.value[-1][1] if node.value else None
        return _in_flow(source, node, last, entry)
    name, value = _last_line(node) or (node.value[0][0], None)
    column = node.value[0][0].start_mark.column
    if value is None:
        return _inserted(source, name.start_mark.index, f"{entry}\n{' ' * column}")
    return _on_next_line(source, value, f"{' ' * column}{entry}")


def _last_line(node: MappingNode) -> tuple[Node, Node] | None:
    """The last entry that ends on the line where it starts."""
    for name, value in reversed(node.value):
        is_flow = isinstance(value, ScalarNode) and value.style not in ("|", ">")
        if (is_flow or value.flow_style) and value.end_mark.line == name.start_mark.line:
            return name, value
    return None


def _with_more(source: Source, node: SequenceNode, texts: Sequence[str]) -> str:
    """The text with more items in a list, each as YAML on one line."""
    if not texts:
        return source.text
    last = node.value[-1] if node.value else None
    if node.flow_style or last is None:
        return _in_flow(source, node, last, ", ".join(texts))
    margin = " " * node.start_mark.column
    return _on_next_line(source, last, "\n".join(f"{margin}- {text}" for text in texts))


def _in_flow(source: Source, node: Node, last: Node | None, more: str) -> str:
    """Behind the last part of what stands in brackets or braces."""
    if last is None:
        return _inserted(source, node.end_mark.index - 1, more)
    return _inserted(source, last.end_mark.index, f", {more}")


def _on_next_line(source: Source, node: Node, text: str) -> str:
    """Below the line where a node ends, the comment behind it included."""
    end = source.text.find("\n", node.end_mark.index)
    if end < 0:
        return f"{source.text}\n{text}\n"
    return _inserted(source, end, f"\n{text}")


def _inserted(source: Source, offset: int, text: str) -> str:
    return source.text[:offset] + text + source.text[offset:]


def _error(source: Source, node: Node, message: str) -> DocumentError:
    place = span(source, node.start_mark.index, node.end_mark.index)
    return DocumentError([Problem(place, message, "edit the file by hand")])
