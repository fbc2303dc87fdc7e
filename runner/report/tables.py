"""Aligned columns of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

Cell = str | Text


def print_table(
    console: Console,
    head: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    numbers: Iterable[int] = (),
) -> None:
    """Prints a table; columns whose index is among `numbers` are aligned to the right."""
    right = frozenset(numbers)
    cells: list[Sequence[Cell]] = [head, *rows]
    if console.is_terminal:
        table = _table(cells, right, shape=box.SIMPLE_HEAD)
        console.print(table)
        return
    lines = _lines(cells, right)
    if max(map(cell_len, lines), default=0) > console.width or len(lines) > len(cells):
        with console.capture() as captured:
            console.print(_table(cells, right, shape=None))
        lines = captured.get().splitlines()
    console.file.write("".join(f"{line.rstrip()}\n" for line in lines))


def _table(
    cells: Sequence[Sequence[Cell]], right: frozenset[int], *, shape: box.Box | None
) -> Table:
    table = Table(box=shape, pad_edge=False, collapse_padding=shape is not None)
    for i, name in enumerate(cells[0]):
        table.add_column(name, justify="right" if i in right else "left", overflow="fold")
    for row in cells[1:]:
        table.add_row(*row)
    return table


def _lines(cells: Sequence[Sequence[Cell]], right: frozenset[int]) -> list[str]:
    """The table as it is without a terminal, where it fits: rich takes a second for 1,000 rows."""
    texts = [[str(cell) for cell in row] for row in cells]
    widths = [max(map(cell_len, column)) for column in zip(*texts, strict=True)]
    padded = (
        [
            _padded(text, width, is_right=i in right)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in texts
    )
    return [line for row in padded for line in "  ".join(row).splitlines()]


def _padded(text: str, width: int, *, is_right: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if is_right else text + space
