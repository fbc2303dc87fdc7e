"""Rows of text and label from a TSV or CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.document.names import listed, suggest
from runner.errors import DataError

Columns = Mapping[str, int | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its line in the file (from 1), one or two texts, and the label where it has one."""

    line: int
    text: str
    text_pair: str | None = None
    label: int | None = None


def read_rows(
    path: Path, columns: Columns, *, header: bool = False, separator: str | None = None
) -> tuple[Row, ...]:
    """The rows of a file; empty lines are skipped.

    `columns`: `text`, and where wanted `text_pair` and `label`, each an index from 0 or - with
    `header` - a name. A .tsv has tabs and no quoting, anything else commas and double quotes;
    `separator` overrides the character.

    Raises:
        DataError: the file can't be read, a column is not there, or a label is no integer.
    """
    lines = _lines(path, separator)
    names = next(lines, (0, []))[1] if header else []
    indices = {role: _index(column, names, path) for role, column in columns.items()}
    return tuple(_row(cells, indices, path, line) for line, cells in lines)


def _lines(path: Path, separator: str | None) -> Iterator[tuple[int, list[str]]]:
    is_tsv = path.suffix.lower() == ".tsv"
    delimiter = separator or ("\t" if is_tsv else ",")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = (
                csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE)
                if is_tsv
                else csv.reader(file, delimiter=delimiter)
            )
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"the rows can't be read ({error}); expected a table in UTF-8"
        raise DataError(message, path) from error


def _index(column: int | str, names: list[str], path: Path) -> int:
    if isinstance(column, int):
        return column
    if not names:
        message = f"column {column!r} is a name; set 'header: true', or give its index from 0"
        raise DataError(message, path)
    if column not in names:
        message = f"no column {column!r} in the header; it has {listed(names, 'and')}"
        raise DataError(message + suggest(column, names), path, 1)
    return names.index(column)


def _row(cells: list[str], indices: Mapping[str, int], path: Path, line: int) -> Row:
    for role, index in indices.items():
        if not 0 <= index < len(cells):
            message = f"the row has {len(cells)} column(s); expected {role!r} at index {index}"
            raise DataError(message, path, line)
    found = {role: cells[index] for role, index in indices.items()}
    label = _label(found["label"], path, line) if "label" in found else None
    return Row(line=line, text=found["text"], text_pair=found.get("text_pair"), label=label)


def _label(cell: str, path: Path, line: int) -> int:
    try:
        return int(cell)
    except ValueError:
        message = f"label {cell[:80]!r} is no integer; expected a class index from 0"
        raise DataError(message, path, line) from None
