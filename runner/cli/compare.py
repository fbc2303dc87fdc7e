"""`recipe compare`: what changed between two runs."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from runner.baseline.accepted import RESULTS
from runner.baseline.compare import compare, is_metric_worse
from runner.baseline.file import read_record
from runner.baseline.record import Record
from runner.cli.console import make_console
from runner.cli.emit import emit_json
from runner.cli.exits import DONE, FAILED
from runner.cli.options import output_options, read_output
from runner.errors import UsageError
from runner.report.comparison_text import print_comparisons


@click.command()
@click.argument("old", metavar="A", type=Path)
@click.argument("new", metavar="B", type=Path)
@output_options
def command(*, old: Path, new: Path, **options: Any) -> int:
    """Show what run B does better or worse than run A.

    A and B are folders of results, the report.json or outcomes.json in one, or baseline files.
    Metrics are compared sample by sample. Exit code 1: a metric is worse.
    """
    output = read_output(options)
    then, now = (read_record(_file(path)) for path in (old, new))
    found = compare(then, now, str(old))
    code = FAILED if is_metric_worse(now, found) else DONE
    if output.json:
        content = {name: asdict(each) for name, each in found.items()}
        emit_json(code, (), {"comparisons": content})
        return code
    console = make_console(sys.stdout, color=output.color)
    for line in _differences(then, now):
        console.print(line, style="yellow")
    print_comparisons(found, console)
    return code


def _file(path: Path) -> Path:
    """The file with the outcomes of a run."""
    if path.is_dir():
        found = path / RESULTS
    else:
        found = path.with_name(RESULTS) if path.name == "report.json" else path
    if not found.is_file():
        message = f"no results of a run: {str(found)!r} is not there"
        raise UsageError(message)
    return found


def _differences(then: Record, now: Record) -> list[str]:
    """What else is not the same."""
    words = {
        "recipe": (then.recipe, now.recipe),
        "target": (then.target, now.target),
        "environment": (then.machine.environment, now.machine.environment),
    }
    found = [f"{what}: {a!r} and {b!r}" for what, (a, b) in words.items() if a != b]
    if then.recipe_digest != now.recipe_digest:
        found.append("the recipes are not the same")
    if then.model_sha256 != now.model_sha256:
        found.append("the models that were quantized are not the same")
    return [f"note: {each}" for each in found]
