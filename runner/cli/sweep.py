"""`recipe sweep`: a recipe at many points, and the front of accuracy and speed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from runner.cli.emit import emit_json, show_failure
from runner.cli.exits import CRASHED, DONE
from runner.cli.options import Output, Selected, read_options, recipe_options
from runner.cli.recipes import for_each, read_again
from runner.document.edits import Edit
from runner.recipe.recipe import Recipe

if TYPE_CHECKING:
    from runner.sweep.result import SweepResult
    from runner.sweep.sweep import Asked


@click.command()
@recipe_options
@click.option(
    "--over",
    "places",
    metavar="PATH=VALUES",
    multiple=True,
    required=True,
    help="Vary what stands at a path as for --set: a,b,c; low..high; low..high:step; "
    "low..high:log.  [repeatable]",
)
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="At most so many points in all; every one of the sweep where it has no more.",
)
@click.option(
    "--minutes", type=click.FloatRange(min=0), help="Begin no trial after so many minutes."
)
@click.option("--metric", metavar="NAME", help="The metric to compare; else the first.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--no-benchmark", is_flag=True, help="Weigh accuracy against size, not speed.")
@click.option("--no-cache", is_flag=True, help="Keep nothing for later runs.")
def command(
    *,
    places: Sequence[str],
    trials: int,
    minutes: float | None,
    metric: str | None,
    seed: int,
    no_benchmark: bool,
    no_cache: bool,
    **options: Any,
) -> int:
    """Measure a recipe with other values, and show the front of accuracy and speed.

    The same command goes on where an earlier one ended, with a larger budget as well. Needs
    optuna: pip install 'recipe-runner[search]'
    """
    from runner.sweep.space import parse_axis
    from runner.sweep.sweep import Asked

    selected, output = read_options(options)
    asked = Asked(
        axes=tuple(parse_axis(each) for each in places),
        trials=trials,
        minutes=minutes,
        metric=metric,
        seed=seed,
        benchmark=not no_benchmark,
    )
    results = for_each(
        selected,
        lambda recipe: _sweep(recipe, selected, asked, output, use_cache=not no_cache),
        lambda failed: show_failure(failed, output),
        writes=True,
    )
    code = results.exit_code(DONE if each.front else CRASHED for each in results.done)
    if output.json:
        emit_json(code, results.failures, {"sweeps": [asdict(each) for each in results.done]})
    return code


def _sweep(
    recipe: Recipe, selected: Selected, asked: Asked, output: Output, *, use_cache: bool
) -> SweepResult:
    """Sweeps one recipe on one target, and prints what was found."""
    from runner.cache.cache import Cache
    from runner.cache.folder import cache_folder
    from runner.cli.console import make_console
    from runner.cli.display import shown_progress
    from runner.report.sweep_text import print_sweep
    from runner.sweep.sweep import sweep

    def read_at(edits: Sequence[Edit]) -> Recipe:
        return read_again(recipe, selected, edits)

    cache = Cache(path=cache_folder()) if use_cache else None
    with shown_progress(f"{recipe.name} [{recipe.target.name}]", color=output.color) as progress:
        found = sweep(read_at, asked, cache=cache, progress=progress)
    if not output.json:
        print_sweep(found, recipe.path, make_console(sys.stdout, color=output.color))
    return found
