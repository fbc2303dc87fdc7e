"""`recipe apply`: the whole way, from recipes to models and verdicts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from runner.cli.emit import emit_json, show_failure
from runner.cli.exits import DONE, FAILED
from runner.cli.options import Output, part_options, read_options, recipe_options
from runner.cli.recipes import for_each
from runner.recipe.recipe import Recipe

if TYPE_CHECKING:
    from runner.report.report import Report
    from runner.requirements import Parts


@click.command()
@recipe_options
@part_options
@click.option("--strict", is_flag=True, help="Warnings of checks count: exit 1 for them, too.")
def command(
    *,
    no_evaluate: bool,
    no_benchmark: bool,
    no_cache: bool,
    strict: bool,
    require_device: bool,
    **options: Any,
) -> int:
    """Quantize models, measure them against FP32, and check what the recipes expect.

    The model and its reports go to the folder under `outputs`.
    """
    from runner.report.as_json import report_content
    from runner.requirements import Parts

    selected, output = read_options(options)
    parts = Parts(
        evaluate=not no_evaluate, benchmark=not no_benchmark, require_device=require_device
    )
    results = for_each(
        selected,
        lambda recipe: apply_shown(recipe, parts, output, use_cache=not no_cache, strict=strict),
        lambda failed: show_failure(failed, output),
        writes=True,
    )
    code = results.exit_code(DONE if r.verdict == "pass" else FAILED for r in results.done)
    if output.json:
        emit_json(code, results.failures, {"reports": [report_content(r) for r in results.done]})
    return code


def apply_shown(
    recipe: Recipe,
    parts: Parts,
    output: Output,
    *,
    use_cache: bool = True,
    strict: bool = False,
) -> Report:
    """Runs one recipe and prints its report at once."""
    from runner.apply import apply_recipe
    from runner.cache.cache import Cache
    from runner.cache.folder import cache_folder
    from runner.cli.console import make_console
    from runner.cli.display import shown_progress
    from runner.report.terminal import print_report, print_warnings

    cache = Cache(path=cache_folder()) if use_cache else None
    with shown_progress(f"{recipe.name} [{recipe.target.name}]", color=output.color) as progress:
        report = apply_recipe(recipe, parts=parts, cache=cache, strict=strict, progress=progress)
    print_warnings(report, make_console(sys.stderr, color=output.color))
    if not output.json:
        print_report(report, make_console(sys.stdout, color=output.color))
    return report
