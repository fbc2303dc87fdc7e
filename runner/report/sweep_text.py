"""A sweep as a table, and how to apply what is on its front."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from runner.report.numbers import NONE, interval, number
from runner.report.tables import print_table
from runner.sweep.result import SweepResult, SweepTrial
from runner.sweep.sweep import PICTURE

MARK = "front"


def print_sweep(result: SweepResult, path: Path, console: Console) -> None:
    """Prints all trials, those on the front marked, and the edits that lead to them."""
    title = f"{result.recipe} -> {result.target}: {len(result.trials)} trials, {result.reason}"
    console.print(title, style="bold")
    places = short_names(result.places)
    weighed = "speed-up" if result.objective == "speedup" else "size ratio"
    numbers = (result.metric, "drop", "95 % interval", weighed, "int8")
    rows = [
        (str(i + 1), *_row(each, result), MARK if i in result.front else each.error)
        for i, each in enumerate(result.trials)
    ]
    first = 1 + len(places)
    head = ("#", *places, *numbers, "")
    print_table(console, head, rows, numbers=(0, *range(first, first + len(numbers))))
    for i in result.front:
        console.print(f"{i + 1}: {apply_command(path, result.trials[i])}", soft_wrap=True)
    console.print(f"picture: {result.folder}/{PICTURE}", soft_wrap=True)


def short_names(places: Sequence[str]) -> list[str]:
    """The ends of paths, as many names of each as it takes to tell them apart.

    >>> short_names(["a.b.preset", "a.c.preset"])
    ['b.preset', 'c.preset']
    """
    parts = [place.split(".") for place in places]
    for size in range(1, max(map(len, parts), default=0)):
        names = [".".join(each[-size:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return list(places)


def apply_command(path: Path, trial: SweepTrial) -> str:
    """The command that makes a trial's model."""
    edits = (f"--set {shlex.quote(each)}" for each in edits_of(trial.values))
    return f"recipe apply {shlex.quote(str(path))} {' '.join(edits)}"


def edits_of(values: Mapping[str, Any]) -> Iterator[str]:
    """What `--set` takes to set values by their places."""
    return (f"{place}={_yaml(value)}" for place, value in values.items())


def _yaml(value: Any) -> str:
    """A value as YAML; JSON is YAML, and plain words need no quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _row(trial: SweepTrial, result: SweepResult) -> Iterator[str]:
    for place in result.places:
        value = trial.values[place]
        yield number(value) if isinstance(value, float) else _yaml(value)
    found = trial.metric
    yield number(None if found is None else found.quantized)
    yield number(None if found is None else found.drop)
    yield interval(None if found is None else found.ci95)
    yield number(trial.speedup if result.objective == "speedup" else trial.size_ratio)
    yield NONE if found is None else str(trial.quantized_operations)
