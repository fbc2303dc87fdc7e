"""`recipe validate`: whether recipes are right, as far as their files say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from runner.cli.annotations import github_lines, sarif_content
from runner.cli.emit import emit_json, show_failure
from runner.cli.exits import DONE
from runner.cli.options import read_options, recipe_options
from runner.cli.recipes import for_each
from runner.errors import RecipeError
from runner.expect.emulated import speed_problems
from runner.recipe.recipe import Recipe
from runner.recipe.sniff import is_recipe_file
from runner.targets import load_target


@click.command()
@recipe_options
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    help="Also tell errors to GitHub Actions, or print a SARIF log.  [default: text]",
)
@click.option("--skip-others", is_flag=True, help="Pass over files that are no recipes.")
def command(*, kind: str, skip_others: bool, **options: Any) -> int:
    """Parse, compose and check recipes.

    Reads no data and loads no weights; `recipe plan` adds what needs the model.
    """
    selected, output = read_options(options)
    output = replace(output, json=output.json or kind == "json")
    if skip_others:
        paths = tuple(path for path in selected.paths if not _is_other(path))
        if not paths:
            return DONE
        selected = replace(selected, paths=paths)
    results = for_each(selected, _check, lambda failed: show_failure(failed, output))
    code = results.exit_code()
    if output.json:
        emit_json(code, results.failures, {"recipes": [_content(each) for each in results.done]})
    elif kind == "sarif":
        click.echo(json.dumps(sarif_content(results.failures), indent=2))
    else:
        for line in github_lines(results.failures) if kind == "github" else ():
            click.echo(line)
        for each in results.done:
            click.echo(f"{each.path} [{each.target.name}]: ok")
    return code


def _is_other(path: Path) -> bool:
    """Whether the path is a file that is no recipe; such as are not there are told later."""
    return path.is_file() and not is_recipe_file(path)


def _check(recipe: Recipe) -> Recipe:
    target = load_target(recipe.target.path or recipe.target.name)
    if problems := tuple(speed_problems(recipe, target)):
        raise RecipeError(problems)
    return recipe


def _content(recipe: Recipe) -> dict[str, str]:
    return {"path": str(recipe.path), "name": recipe.name, "target": recipe.target.name}
