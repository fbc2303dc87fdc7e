"""`recipe show`: what recipes amount to, and where each value comes from."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import click

from runner.cli.emit import emit_json, show_failure
from runner.cli.options import Output, read_options, recipe_options
from runner.cli.recipes import for_each
from runner.recipe.leaves import Leaf, content_of, leaves, origin_text, value_text
from runner.recipe.recipe import Recipe


@click.command()
@recipe_options
@click.option("--resolved", is_flag=True, help="As one recipe without bases; this is the default.")
@click.option("--origin", is_flag=True, help="Every value with the place where it was written.")
@click.option("--defaults", is_flag=True, help="Also the values that hold where nothing is said.")
def command(*, resolved: bool, origin: bool, defaults: bool, **options: Any) -> int:
    """Show what recipes amount to: composed, with variables put in, for each target.

    The output is a recipe itself; its paths start from the folder of the recipe that is shown.
    """
    selected, output = read_options(options)
    results = for_each(
        selected,
        lambda recipe: (recipe, content_of(recipe, defaults=defaults)),
        lambda failed: show_failure(failed, output),
    )
    code = results.exit_code()
    if output.json:
        shown = [_entry(*each) for each in results.done]
        emit_json(code, results.failures, {"recipes": shown})
        return code
    for i, (recipe, content) in enumerate(results.done):
        if i:
            click.echo("" if origin else "---")
        click.echo(f"# {recipe.path} [{recipe.target.name}]")
        if origin:
            _print_origins(leaves(recipe, content).items(), output)
        else:
            _print_yaml(content)
    return code


def _print_yaml(content: dict[str, Any]) -> None:
    from runner.document.yaml_text import yaml_text

    click.echo(yaml_text(content), nl=False)


def _print_origins(found: Iterable[tuple[str, Leaf]], output: Output) -> None:
    from runner.cli.console import make_console
    from runner.report.tables import print_table

    rows = [(path, value_text(leaf), origin_text(leaf)) for path, leaf in found]
    print_table(make_console(sys.stdout, color=output.color), ["key", "value", "from"], rows)


def _entry(recipe: Recipe, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "path": str(recipe.path),
        "name": recipe.name,
        "target": recipe.target.name,
        "content": content,
        "origins": {path: origin_text(leaf) for path, leaf in leaves(recipe, content).items()},
    }
