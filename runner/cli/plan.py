"""`recipe plan`: what would run."""

from __future__ import annotations

import sys
from typing import Any

import click

from runner.cli.emit import emit_json, show_failure
from runner.cli.options import read_options, recipe_options
from runner.cli.recipes import for_each


@click.command()
@recipe_options
@click.option("--require-device", is_flag=True, help="Exit 4 where a target would be emulated.")
def command(*, require_device: bool, **options: Any) -> int:
    """Show what would run, without running it.

    The scheme of every operation or why it stays in floating point, samples, metrics, checks.
    """
    from runner.cli.console import make_console
    from runner.plan import make_plan
    from runner.plan_json import plan_content
    from runner.report.plan_text import print_plan
    from runner.requirements import Parts

    selected, output = read_options(options)
    parts = Parts(require_device=require_device)
    results = for_each(
        selected,
        lambda recipe: (recipe, make_plan(recipe, parts=parts)),
        lambda failed: show_failure(failed, output),
    )
    code = results.exit_code()
    if output.json:
        emit_json(code, results.failures, {"plans": [plan_content(p) for _, p in results.done]})
    else:
        console = make_console(sys.stdout, color=output.color)
        for recipe, plan in results.done:
            print_plan(plan, recipe, console)
            console.print()
    return code
