"""`recipe baseline`: results that were accepted, which later runs are compared with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from runner.baseline.accepted import RESULTS
from runner.baseline.compare import Comparison, compare, is_metric_worse
from runner.baseline.file import (
    baseline_path,
    environments,
    read_baseline,
    read_record,
    write_baseline,
)
from runner.baseline.record import Record, quantities_of
from runner.baseline.reference import no_baseline
from runner.cli.console import make_console
from runner.cli.emit import emit_json, show_failure
from runner.cli.exits import DONE, FAILED
from runner.cli.options import Output, read_options, read_output, recipe_options
from runner.cli.recipes import for_each
from runner.errors import UsageError
from runner.model_digest import model_digest
from runner.recipe.digest import recipe_digest
from runner.recipe.recipe import Recipe
from runner.report.comparison_text import print_comparisons
from runner.report.numbers import number
from runner.report.tables import print_table


@click.group()
def command() -> None:
    """Accept results, show them, and compare them with the last run.

    They are files beside the recipes, for git: baselines/RECIPE.TARGET.CLASS.json, where the class
    is that of the environment, such as cpu-vnni-2026.4. Checks with `against: baseline` compare
    with them, and so does every report.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a verb has to say of one recipe on one target."""

    recipe: Recipe
    environment: str
    path: Path
    note: str = ""
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    record: Record | None = None
    exit_code: int = DONE


@command.command()
@click.option("--run", "is_run", is_flag=True, help="Apply the recipes first.")
@recipe_options
def accept(*, is_run: bool, **options: Any) -> int:
    """Accept the results of the last run.

    They become the baseline of the environment that they were measured in. The run has to be one
    of the recipe, the model and the validation data as they are now.
    """
    output = read_output(options)
    return _each(options, lambda recipe: _accept(recipe, output, is_run=is_run), writes=True)


@command.command()
@recipe_options
def show(**options: Any) -> int:
    """Show which results were accepted, for which environments."""
    selected, output = read_options(options)
    results = for_each(selected, _shown, lambda failed: show_failure(failed, output))
    found = [each for outcomes in results.done for each in outcomes]
    code = results.exit_code()
    if output.json:
        emit_json(code, results.failures, {"baselines": [_content(each) for each in found]})
        return code
    console = make_console(sys.stdout, color=output.color)
    rows = [row for each in found for row in _rows(each)]
    if not rows:
        console.print("no baseline was accepted")
        return code
    print_table(
        console, ("recipe", "target", "environment", "", "value", "n"), rows, numbers=[4, 5]
    )
    return code


@command.command("compare")
@click.option("--strict", is_flag=True, help="Exit 1 where there is nothing to compare with, too.")
@recipe_options
def compare_(*, strict: bool, **options: Any) -> int:
    """Compare the last run with the baseline of its environment.

    Exit code 1: a metric is worse, by its paired 95 % interval.
    """
    return _each(options, lambda recipe: _compare(recipe, strict=strict), writes=False)


def _each(options: dict[str, Any], act: Callable[[Recipe], Outcome], *, writes: bool) -> int:
    """Acts on every recipe, and prints what came of it."""
    selected, output = read_options(options)
    results = for_each(
        selected,
        lambda recipe: _printed(act(recipe), output),
        lambda failed: show_failure(failed, output),
        writes=writes,
    )
    code = results.exit_code(each.exit_code for each in results.done)
    if output.json:
        content = [_content(each) for each in results.done]
        emit_json(code, results.failures, {"baselines": content})
    return code


def _printed(outcome: Outcome, output: Output) -> Outcome:
    if output.json:
        return outcome
    console = make_console(sys.stdout, color=output.color)
    title = f"{outcome.recipe.name} -> {outcome.recipe.target.name}, {outcome.environment}"
    console.print(f"{title}: {outcome.note}" if outcome.note else title, soft_wrap=True)
    if outcome.comparisons:
        print_comparisons(outcome.comparisons, console)
    return outcome


def _accept(recipe: Recipe, output: Output, *, is_run: bool) -> Outcome:
    if is_run:
        from runner.cli.apply import apply_shown
        from runner.requirements import ALL

        apply_shown(recipe, ALL, output)
    record = _last(recipe)
    _expect_current(recipe, record)
    environment = record.machine.environment
    path = baseline_path(recipe, environment)
    before = read_baseline(recipe, environment)
    write_baseline(record, path)
    return Outcome(
        recipe=recipe,
        environment=environment,
        path=path,
        note=f"accepted, {path}",
        comparisons={} if before is None else compare(before, record),
        record=record,
    )


def _compare(recipe: Recipe, *, strict: bool) -> Outcome:
    record = _last(recipe)
    if fault := _change(recipe, record):
        message = (
            f"the results in {str(recipe.outputs.dir)!r} say nothing of the recipe as it is: "
            f"{fault}; run `recipe apply` again"
        )
        raise UsageError(message)
    environment = record.machine.environment
    before = read_baseline(recipe, environment)
    path = baseline_path(recipe, environment)
    if before is None:
        return Outcome(
            recipe=recipe,
            environment=environment,
            path=path,
            note=no_baseline(environment, environments(recipe)),
            exit_code=FAILED if strict else DONE,
        )
    found = compare(before, record)
    return Outcome(
        recipe=recipe,
        environment=environment,
        path=path,
        comparisons=found,
        record=record,
        exit_code=FAILED if is_metric_worse(record, found) else DONE,
    )


def _shown(recipe: Recipe) -> list[Outcome]:
    return [
        Outcome(
            recipe=recipe,
            environment=each,
            path=baseline_path(recipe, each),
            record=read_baseline(recipe, each),
        )
        for each in environments(recipe)
    ]


def _last(recipe: Recipe) -> Record:
    """What the last run came to.

    Raises:
        UsageError: there is none.
    """
    path = recipe.outputs.dir / RESULTS
    if not path.is_file():
        message = f"there are no results in {str(recipe.outputs.dir)!r}; run `recipe apply` first"
        raise UsageError(message)
    return read_record(path)


def _expect_current(recipe: Recipe, record: Record) -> None:
    """Raises UsageError where the results are not those of the whole recipe as it is now."""
    if fault := _fault(recipe, record):
        message = (
            f"the results in {str(recipe.outputs.dir)!r} can't be accepted: {fault}; run "
            "`recipe apply` again, or accept with --run"
        )
        raise UsageError(message)


def _change(recipe: Recipe, record: Record) -> str:
    """What has changed since the run, or nothing."""
    if record.recipe_digest != recipe_digest(recipe):
        return "the recipe has changed since"
    if record.model_sha256 != model_digest(recipe.model.path):
        return "the model has changed since"
    samples = {each.samples for each in record.metrics.values()}
    if samples and samples != {_validation_digest(recipe)}:
        return "the validation data have changed since"
    return ""


def _validation_digest(recipe: Recipe) -> str:
    """The digest of the samples that metrics would be computed on now."""
    from runner.data.digest import data_digest
    from runner.data.open import open_dataset
    from runner.model_interface import model_inputs
    from runner.plan import load

    source = recipe.datasets["validation"]
    return data_digest(source, open_dataset(source, model_inputs(load(recipe))))


def _fault(recipe: Recipe, record: Record) -> str:
    if fault := _change(recipe, record):
        return fault
    if recipe.metrics and not record.metrics:
        return "nothing was evaluated"
    if recipe.benchmark is not None and not (record.speeds or record.emulated):
        return "speed was not measured"
    return ""


def _rows(outcome: Outcome) -> list[tuple[str, ...]]:
    record = outcome.record
    assert record is not None
    head = (outcome.recipe.name, outcome.recipe.target.name, outcome.environment)
    found = [(name, number(each.value), str(each.n)) for name, each in record.metrics.items()]
    found += [(name, number(each.value), "") for name, each in record.speeds.items()]
    found += [(name, number(value), "") for name, value in record.measures.items()]
    return [(*head, *each) for each in found]


def _content(outcome: Outcome) -> dict[str, Any]:
    record = outcome.record
    return {
        "recipe": str(outcome.recipe.path),
        "name": outcome.recipe.name,
        "target": outcome.recipe.target.name,
        "environment": outcome.environment,
        "path": str(outcome.path),
        "note": outcome.note,
        "comparisons": {name: asdict(each) for name, each in outcome.comparisons.items()},
        "values": {} if record is None else {k: q.value for k, q in quantities_of(record).items()},
    }
