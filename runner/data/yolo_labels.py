"""Boxes from a YOLO text file: a line `class x y w h` per object."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runner.data.sample import Array
from runner.errors import DataError

EXPECTED = "expected 'class x y w h': a class index and four numbers from 0 to 1"
SLACK = 1e-3  # label files are rounded: a box at the border may reach a little past it


def read_yolo_labels(path: Path) -> Array:
    """Boxes as float32 `[n, 5]`: class, center x, center y, width, height; relative to the picture.

    `[0, 5]` when there is no such file. Empty lines are skipped.

    Raises:
        DataError: a malformed line, with its number.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        message = f"the labels can't be read ({error}); expected a text file"
        raise DataError(message, path) from error
    lines = enumerate(text.split("\n"), start=1)
    rows = [_row(line, path, number) for number, line in lines if line.strip()]
    return np.asarray(rows, np.float32).reshape(-1, 5)


def _row(line: str, path: Path, number: int) -> list[float]:
    fields = line.split()
    try:
        row = [float(int(fields[0])), *map(float, fields[1:])]
    except ValueError:
        row = []
    if len(row) != 5 or row[0] < 0 or not all(-SLACK <= v <= 1 + SLACK for v in row[1:]):
        message = f"found {line.strip()[:80]!r}; {EXPECTED}"
        raise DataError(message, path, number)
    return row
