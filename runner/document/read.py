"""A YAML file to a Document."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from runner.document.build import build
from runner.document.document import Document
from runner.document.names import shown
from runner.document.source import Source, load_source, span
from runner.document.syntax import compose
from runner.errors import DocumentError, Problem


def read_document(path: Path) -> Document:
    """The document in the file, whose top level is a mapping.

    Raises:
        DocumentError: the file can't be read, is not valid YAML, or holds what is not allowed.
    """
    return read_source(load_source(path))


def read_source(source: Source) -> Document:
    """The document in a text, whose top level is a mapping.

    Raises:
        DocumentError: it is not valid YAML, or holds what is not allowed.
    """
    node = compose(source)
    if node is None:
        raise DocumentError([Problem(span(source, 0, 1), "the file is empty")])
    built = build(source, node)
    problems = built.problems
    if not problems and not isinstance(built.value, dict):
        message = f"the file holds {shown(built.value)}; expected a mapping of `key: value` lines"
        problems = [Problem(built.locations[()], message)]
    if problems:
        raise DocumentError(problems)
    return Document(
        path=source.path,
        value=built.value,
        locations=built.locations,
        key_locations=built.key_locations,
    )


@lru_cache(maxsize=256)
def read_shared(source: Source) -> Document:
    """As `read_source`, for texts that many others use: one is parsed once.

    Nobody may change what it returns.
    """
    return read_source(source)
