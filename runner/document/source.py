"""A text file and the places in it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from runner.errors import DocumentError, Location, Problem

LARGEST_BYTES = 1 << 16
"""A document that is larger was not written by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The text of a file, lines ending in a line feed.

    `lines` are its lines without that, shared by all places in them; `starts` are their offsets.
    """

    path: Path
    text: str
    lines: tuple[str, ...]
    starts: tuple[int, ...]


def load_source(path: Path) -> Source:
    """The text of the file.

    Raises:
        DocumentError: the file can't be read, is too large or is not UTF-8.
    """
    data = _load_bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError([_undecodable(path, data, error.start)]) from error
    return source_of(path, text)


def source_of(path: Path, text: str) -> Source:
    """The source that holds `text`; line ends of other systems become line feeds."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = tuple(text.split("\n"))
    starts = tuple(accumulate((len(line) + 1 for line in lines[:-1]), initial=0))
    return Source(path=path, text=text, lines=lines, starts=starts)


def span(source: Source, start: int, end: int) -> Location:
    """The place of the characters from `start` until before `end`, cut at the end of the line."""
    start = min(start, len(source.text))
    line = bisect_right(source.starts, start)
    content = source.lines[line - 1]
    column = start - source.starts[line - 1]
    length = max(1, min(end - start, len(content) - column))
    return Location(source.path, line, column + 1, length, content)


def _load_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError as error:
        raise _whole_file(path, "no such file") from error
    except (OSError, ValueError) as error:
        raise _whole_file(path, f"can't be read: {getattr(error, 'strerror', error)}") from error
    if len(data) > LARGEST_BYTES:
        raise _whole_file(
            path, f"the file is larger than {LARGEST_BYTES} bytes; a document is small"
        )
    return data


def _whole_file(path: Path, message: str) -> DocumentError:
    return DocumentError([Problem(Location(path, 1, 1), message)])


def _undecodable(path: Path, data: bytes, start: int) -> Problem:
    line_start = data.rfind(b"\n", 0, start) + 1
    line = data.count(b"\n", 0, start) + 1
    column = len(data[line_start:start].decode("utf-8", "replace")) + 1
    content = data[line_start:].partition(b"\n")[0].decode("utf-8", "replace").rstrip("\r")
    message = f"byte 0x{data[start]:02x} is not UTF-8; save the file as UTF-8"
    return Problem(Location(path, line, column, 1, content), message)
