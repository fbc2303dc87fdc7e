"""`recipe plan`: what would run."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from runner.cli.emit import emit_json, show_failure
from runner.cli.options import read_options, recipe_options
from runner.cli.recipes import for_each
from runner.recipe.recipe import Recipe

if TYPE_CHECKING:
    from runner.cache.use import CacheUse
    from runner.plan import Plan
    from runner.requirements import Parts


@click.command()
@recipe_options
@click.option("--require-device", is_flag=True, help="Exit 4 where a target would be emulated.")
def command(*, require_device: bool, **options: Any) -> int:
    """Show what would run, without running it.

    The scheme of every operation or why it stays in floating point, samples, metrics, checks, and
    what is in the cache already.
    """
    from runner.cli.console import make_console
    from runner.plan_json import plan_content
    from runner.report.plan_text import print_plan
    from runner.requirements import Parts

    selected, output = read_options(options)
    parts = Parts(require_device=require_device)
    results = for_each(
        selected,
        lambda recipe: _plan(recipe, parts),
        lambda failed: show_failure(failed, output),
    )
    code = results.exit_code()
    if output.json:
        plans = [{**plan_content(p), "cache": asdict(use)} for _, p, use in results.done]
        emit_json(code, results.failures, {"plans": plans})
    else:
        console = make_console(sys.stdout, color=output.color)
        for recipe, plan, use in results.done:
            print_plan(plan, recipe, use, console)
            console.print()
    return code


def _plan(recipe: Recipe, parts: Parts) -> tuple[Recipe, Plan, CacheUse]:
    """The plan, and what the cache holds for it."""
    from runner.cache.cache import Cache
    from runner.cache.folder import cache_folder
    from runner.cache.kept import open_kept
    from runner.plan import make_plan
    from runner.subjects import open_datasets

    plan = make_plan(recipe, parts=parts)
    datasets = open_datasets(recipe, plan.quantization.model)
    return recipe, plan, open_kept(Cache(path=cache_folder()), plan, recipe, datasets).use
