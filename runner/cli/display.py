"""Progress on stderr: live on a terminal, one line per phase anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from runner.cli.console import make_console
from runner.progress import Progress


class _Lines:
    """A line when a phase begins."""

    def __init__(self, console: Console, title: str) -> None:
        self._console, self._title, self._phase = console, title, ""

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        if phase != self._phase:
            self._phase = phase
            self._console.print(f"{self._title}: {phase}" + (f" ({total})" if total else ""))


class _Live:
    """A bar per phase."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        if phase not in self._tasks:
            self._finish()
            self._tasks[phase] = self._bars.add_task(phase, total=total)
        self._bars.update(self._tasks[phase], completed=done)

    def _finish(self) -> None:
        for task in self._tasks.values():
            self._bars.update(task, total=1, completed=1)


@contextmanager
def shown_progress(title: str, *, color: bool) -> Iterator[Progress]:
    """A progress of one run; a live one is gone when the run is over."""
    console = make_console(sys.stderr, color=color)
    if not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(console, title)
        return
    console.print(title, style="bold")
    columns = (
        TextColumn("  {task.description:<10}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        yield _Live(bars)
