"""Aligned columns of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
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
    shape = box.SIMPLE_HEAD if console.is_terminal else None
    table = Table(box=shape, pad_edge=False, collapse_padding=console.is_terminal)
    right = frozenset(numbers)
    for i, name in enumerate(head):
        table.add_column(name, justify="right" if i in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    lines = (line.rstrip() for line in captured.get().splitlines())
    console.file.write("\n".join(lines) + "\n")
