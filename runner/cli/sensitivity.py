"""`recipe sensitivity`: which operations lose the accuracy."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from runner.cli.emit import emit_json, show_failure
from runner.cli.options import Output, read_options, recipe_options
from runner.cli.recipes import for_each
from runner.recipe.recipe import Recipe

if TYPE_CHECKING:
    from runner.metric_sensitivity import ByMetric
    from runner.sensitivity import OperationHarm, Sensitivity

SHOWN = 20
"""Operations in the table where `--top` does not say."""


@click.command()
@recipe_options
@click.option(
    "--by",
    type=click.Choice(["noise", "metric"]),
    default="noise",
    show_default=True,
    help="What harm is measured by: noise at the outputs, from one pass over 32 samples; or also "
    "the first metric, from one evaluation per operation.",
)
@click.option(
    "--one",
    type=click.Choice(["reverted", "quantized"]),
    default="reverted",
    show_default=True,
    help="With --by metric: what happens to one operation at a time.",
)
@click.option(
    "--unit",
    type=click.Choice(["operation", "block"]),
    default="operation",
    show_default=True,
    help="With --by metric: one operation at a time, or one block: all that share ranges.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    help="With --by metric: only the first N validation samples.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    help=f"How many operations to show ({SHOWN}), and to patch (those that stand out).",
)
@click.option("--patch", is_flag=True, help="Write `ignored` with these operations to the recipe.")
def command(
    *,
    by: str,
    one: str,
    unit: str,
    samples: int | None,
    top: int | None,
    patch: bool,
    **options: Any,
) -> int:
    """Rank operations by the harm that quantizing them does.

    Without --top, --patch takes operations that make 10 % of the noise at least, and twice as much
    as they would if all made the same.
    """
    from quant.control.parameters import Unit
    from runner.metric_sensitivity import ByMetric, One

    selected, output = read_options(options)
    by_metric = None
    if by == "metric":
        by_metric = ByMetric(one=One(one), unit=Unit(unit), samples=samples)
    results = for_each(
        selected,
        lambda recipe: _measure(recipe, by_metric, top, output, patch=patch),
        lambda failed: show_failure(failed, output),
    )
    code = results.exit_code()
    if output.json:
        found = [{**asdict(each), "ignored": list(names)} for each, names in results.done]
        emit_json(code, results.failures, {"sensitivities": found})
    return code


def _measure(
    recipe: Recipe, by_metric: ByMetric | None, top: int | None, output: Output, *, patch: bool
) -> tuple[Sensitivity, tuple[str, ...]]:
    """Measures one recipe, prints what was found, and patches; the names that were written."""
    from runner.cache.cache import Cache
    from runner.cache.folder import cache_folder
    from runner.cli.console import make_console
    from runner.cli.display import shown_progress
    from runner.recipe.ignore import write_ignored
    from runner.report.sensitivity_text import print_sensitivity
    from runner.sensitivity import measure_sensitivity

    with shown_progress(f"{recipe.name} [{recipe.target.name}]", color=output.color) as progress:
        cache = Cache(path=cache_folder())
        found = measure_sensitivity(recipe, by_metric=by_metric, cache=cache, progress=progress)
    if not output.json:
        print_sensitivity(found, top or SHOWN, make_console(sys.stdout, color=output.color))
    if not patch:
        return found, ()
    names = tuple(each.name for each in _patched(found, top))
    write_ignored(recipe, names)
    if not output.json:
        click.echo(f"{recipe.path}: ignores {', '.join(names)}")
    return found, names


def _patched(found: Sensitivity, top: int | None) -> tuple[OperationHarm, ...]:
    from runner.errors import UsageError

    worst = found.worst(top)
    if not worst:
        message = "no operation stands out; say how many to ignore by --top N"
        raise UsageError(message)
    return worst
