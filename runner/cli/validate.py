"""`recipe validate`: whether recipes are right, as far as their files say."""

from __future__ import annotations

from typing import Any

import click

from runner.cli.emit import emit_json, show_failure
from runner.cli.options import read_options, recipe_options
from runner.cli.recipes import for_each
from runner.errors import RecipeError
from runner.expect.emulated import speed_problems
from runner.recipe.recipe import Recipe
from runner.targets import load_target


@click.command()
@recipe_options
def command(**options: Any) -> int:
    """Parse, compose and check recipes.

    Reads no data and loads no weights; `recipe plan` adds what needs the model.
    """
    selected, output = read_options(options)
    results = for_each(selected, _check, lambda failed: show_failure(failed, output))
    code = results.exit_code()
    if output.json:
        emit_json(code, results.failures, {"recipes": [_content(each) for each in results.done]})
    else:
        for each in results.done:
            click.echo(f"{each.path} [{each.target.name}]: ok")
    return code


def _check(recipe: Recipe) -> Recipe:
    target = load_target(recipe.target.path or recipe.target.name)
    if problems := tuple(speed_problems(recipe, target)):
        raise RecipeError(problems)
    return recipe


def _content(recipe: Recipe) -> dict[str, str]:
    return {"path": str(recipe.path), "name": recipe.name, "target": recipe.target.name}
