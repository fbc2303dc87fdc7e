"""Advice as a table, a row per attempt."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from runner.advise.result import Advice, Attempt, Outcome
from runner.report.numbers import NONE, interval, number
from runner.report.tables import Cell, print_table

HEAD = ("rung", "drop", "limit", "95 % interval", "speed-up", "quantized", "SQNR, dB", "seconds")
STYLES = {Outcome.REACHED: "bold green", Outcome.FAILED: "bold red"}


def print_advice(advice: Advice, console: Console) -> None:
    """Prints every attempt, what it changed or why it was left out, and what came of all."""
    title = f"{advice.recipe} -> {advice.target}: {advice.reason}"
    console.print(Text(title, style="bold green" if advice.reached else "bold red"))
    has_speed = any(each.speedup is not None for each in advice.attempts)
    kept = [i for i, name in enumerate(HEAD) if has_speed or name != "speed-up"]
    rows = (_row(each) for each in advice.attempts)
    shown = ((*(row[i] for i in kept), *row[len(HEAD) :]) for row in rows)
    print_table(console, (*(HEAD[i] for i in kept), "", ""), shown, numbers=range(1, len(kept)))
    if advice.changes:
        console.print("changes of the recipe:")
        for each in advice.changes:
            console.print(f"  --set '{each}'", soft_wrap=True)
    if advice.written:
        console.print(f"written: {advice.written}", soft_wrap=True)


def _row(each: Attempt) -> tuple[Cell, ...]:
    outcome = Text(each.outcome.value, style=STYLES.get(each.outcome, ""))
    worst = max(each.limits, key=lambda x: (x.value or 0) - x.bound, default=None)
    return (
        each.rung,
        number(None if worst is None else worst.value),
        number(None if worst is None else worst.bound),
        interval(None if worst is None else worst.ci95),
        number(each.speedup),
        NONE if each.quantized_operations is None else str(each.quantized_operations),
        number(each.output_sqnr_db),
        number(each.seconds) if each.seconds else NONE,
        outcome,
        each.note or ", ".join(_words(each)),
    )


def _words(each: Attempt) -> Iterator[str]:
    """The changes without the way to the step's parameters."""
    for change in each.changes:
        before, _, after = change.partition(".with.")
        yield (after or before).replace("=", ": ", 1)
