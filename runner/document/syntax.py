"""YAML text to nodes, with syntax errors in our words.

Nodes carry the offset where they start and end; values are built from them in `build`.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import Node

from runner.document.source import Source, span
from runner.errors import DocumentError, Problem

DEEPEST = 32
"""Levels of nesting; a recipe needs eight."""

REWORDED: tuple[tuple[str, str, str], ...] = (
    (r"character '\\t'", "a tab can't indent YAML", "indent with spaces"),
    (
        r"character '(.)' that cannot start",
        "a plain value can't start with '{0}'",
        "quote the value",
    ),
    (
        r"mapping values are not allowed",
        "a ':' is not expected here",
        "check the indentation, and quote a value that holds ': '",
    ),
    (
        r"sequence entries are not allowed",
        "a list item '-' is not expected here",
        "start the list on a line of its own",
    ),
    (r"could not find expected ':'", "this line has no ':'", "write it as `key: value`"),
    (r"found undefined alias '(.*)'", "no anchor &{0} stands before this alias", ""),
    (
        r"found another document",
        "a second document starts here",
        "write one document per file, without a line `---` between",
    ),
    (
        r"expected ',' or '([\]}}])', but got '<stream end>'",
        "the file ends before the closing '{0}'",
        "",
    ),
    (r"expected ',' or '([\]}}])', but got", "expected ',' or '{0}' here", ""),
    (r"unexpected end of stream", "the file ends inside a quoted text", "close the quote"),
    (
        r"expected <block end>, but found",
        "this does not belong to the mapping or list above it",
        "check the indentation",
    ),
    (
        r"unknown escape character '(.)'",
        "'\\{0}' is not an escape sequence",
        "use single quotes, in which a backslash is just a backslash",
    ),
)
REFERENCE_HINT = "inside { } and [ ], quote values that hold '${': \"${name}\""
DIRECTIVE = re.compile(r"(?:[ \t]*(?:#.*)?\n)*%")


def compose(source: Source, *, start: int = 0) -> Node | None:
    """The root node of the document that begins at an offset, or None for an empty one.

    Raises:
        DocumentError: the text is not one YAML document, or uses directives.
    """
    text = " " * start + source.text[start:]
    if directive := DIRECTIVE.match(text):
        raise _error(source, directive.end() - 1, "YAML directives are not used here", "remove it")
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = DEEPEST
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)  # `build` makes it an error
            node: Node | None = yaml.compose(text)
    except (YAMLError, ValueError, OverflowError) as error:
        raise _reworded(source, error) from error
    return node


def _reworded(source: Source, error: Exception) -> DocumentError:
    if isinstance(error, MaxDepthExceededError):
        message = f"more than {DEEPEST} levels of nesting"
        return _error(source, _offset(error), message)
    if isinstance(error, MarkedYAMLError):
        return _error(source, _offset(error), *_in_our_words(source, error))
    position = getattr(error, "position", None)
    if position is not None:
        message = f"the character U+{ord(source.text[position]):04X} is not allowed in YAML"
        return _error(source, position, message, "remove it")
    escape = re.search(r"\\U(?!00(?:0|10))", source.text)
    message = "this escape sequence names no character"
    return _error(source, escape.start() if escape else 0, message)


def _in_our_words(source: Source, error: MarkedYAMLError) -> tuple[str, str]:
    problem = str(error.problem or error.context)
    for pattern, message, hint in REWORDED:
        if found := re.search(pattern, problem):
            is_reference = source.text[max(0, _offset(error) - 1) :].startswith("${")
            return message.format(*found.groups()), REFERENCE_HINT if is_reference else hint
    return f"not valid YAML: {problem}", ""


def _offset(error: Any) -> int:
    mark = error.problem_mark or error.context_mark
    return int(mark.index) if mark is not None else 0


def _error(source: Source, offset: int, message: str, hint: str = "") -> DocumentError:
    return DocumentError([Problem(span(source, offset, offset + 1), message, hint)])
