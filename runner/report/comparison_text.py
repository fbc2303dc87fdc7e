"""Comparisons of two runs as rows of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.text import Text

from runner.baseline.compare import Change, Comparison
from runner.report.numbers import interval, number
from runner.report.tables import print_table

STYLES = {Change.BETTER: "bold green", Change.SAME: "green", Change.WORSE: "bold red"}
HEAD = ("", "before", "after", "worse by", "95 % interval", "")


def print_comparisons(comparisons: Mapping[str, Comparison], console: Console) -> None:
    """Prints a table; of a speed it is worse by 0.1 where it has 0.9 of the speed."""
    print_table(console, HEAD, _rows(comparisons), numbers=range(1, 5))


def _rows(comparisons: Mapping[str, Comparison]) -> Iterator[tuple[str | Text, ...]]:
    for name, each in comparisons.items():
        words = str(each.change) + (f": {each.note}" if each.note else "")
        yield (
            name,
            number(each.before),
            number(each.after),
            number(each.worse_by),
            interval(each.interval),
            Text(words, style=STYLES.get(each.change, "yellow")),
        )
