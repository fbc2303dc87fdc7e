"""Advice as a table, a row per attempt."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from runner.advise.result import Advice, Attempt, LimitValue, Outcome
from runner.report.numbers import NONE, interval, number
from runner.report.tables import Cell, print_table

HEAD = ("rung", "drop", "95 % interval", "speed-up", "int8", "seconds", "")
SPEED = HEAD.index("speed-up")
STYLES = {Outcome.REACHED: "bold green", Outcome.FAILED: "bold red"}


def print_advice(advice: Advice, console: Console) -> None:
    """Prints what was measured, why the rest was not, and what came of all."""
    title = f"{advice.recipe} -> {advice.target}: {advice.reason}"
    console.print(Text(title, style="bold green" if advice.reached else "bold red"))
    for limit in advice.attempts[0].limits:
        bound = f"at most {number(limit.bound)}"
        console.print(f"limit: {limit.drop_type} drop of {limit.metric} {bound}")
    measured = [each for each in advice.attempts if each.limits]
    has_speed = any(each.speedup is not None for each in measured)
    kept = [i for i in range(len(HEAD)) if has_speed or i != SPEED]
    rows = [_row(each) for each in measured]
    shown = (tuple(row[i] for i in kept) for row in rows)
    print_table(console, [HEAD[i] for i in kept], shown, numbers=range(1, len(kept) - 1))
    for each in advice.attempts:
        if not each.limits:
            console.print(f"{_name(each)}: {each.outcome}{each.note and f', {each.note}'}")
    if advice.changes:
        console.print("changes of the recipe:")
        for change in advice.changes:
            console.print(f"  --set '{change}'", soft_wrap=True)
    if advice.written:
        console.print(f"written: {advice.written}", soft_wrap=True)


def _row(each: Attempt) -> tuple[Cell, ...]:
    worst = max(each.limits, key=_excess)
    return (
        _name(each),
        number(worst.value),
        interval(worst.ci95),
        number(each.speedup),
        NONE if each.quantized_operations is None else str(each.quantized_operations),
        number(each.seconds),
        Text(_outcome(each), style=STYLES.get(each.outcome, "")),
    )


def _outcome(each: Attempt) -> str:
    return "" if each.outcome is Outcome.START else each.outcome.value


def _name(each: Attempt) -> str:
    return f"{each.rung}, {each.alternative}" if each.alternative else each.rung


def _excess(limit: LimitValue) -> float:
    return float("inf") if limit.value is None else limit.value - limit.bound
