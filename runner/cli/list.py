"""`recipe list`: what there is to choose from."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner import shipped
from runner.cache.folder import cache_folder
from runner.cli.emit import emit_json, show_failure
from runner.cli.exits import NOTHING, worst
from runner.cli.failure import Failure, failure
from runner.cli.options import Output, output_options, read_output, root_option
from runner.document.names import listed, suggest
from runner.errors import PluginError, RunnerError, UsageError
from runner.header import Header
from runner.index import open_index
from runner.recipe.schemas.datasets import LOADERS
from runner.recipe.schemas.evaluate import METRICS
from runner.recipe.schemas.preprocessing import OPERATIONS
from runner.recipe.schemas.steps import PARAMETERS
from runner.selection import CATALOG, select_files
from runner.targets import load_target, target_names

if TYPE_CHECKING:
    from runner.recipe.recipe import Recipe

Row = dict[str, Any]
RECIPES = "recipes"


def _targets() -> list[Row]:
    loaded = [load_target(name) for name in target_names()]
    return [
        {
            "name": each.name,
            "device": each.device or f"none, emulated on {each.emulate_on}",
            "operations": len(each.operations),
        }
        for each in loaded
    ]


def _kinds(table: Mapping[str, Any]) -> Callable[[], list[Row]]:
    """The names in a table of schemas, and the keys that each takes."""
    return lambda: [{"name": name, "keys": _keys_of(table, name)} for name in table]


def _keys_of(table: Mapping[str, Any], name: str) -> list[str]:
    """The keys; of an entry of an installed package that is broken, why."""
    try:
        return _keys(table[name])
    except PluginError as error:
        return [str(error)]


def _keys(rules: Mapping[str, Any]) -> list[str]:
    return [f"{key}{' (required)' if rule.get('required') else ''}" for key, rule in rules.items()]


KINDS: Mapping[str, Callable[[], list[Row]]] = {
    "targets": _targets,
    "steps": _kinds(PARAMETERS),
    "loaders": _kinds(LOADERS),
    "metrics": _kinds(METRICS),
    "preprocessing": _kinds(OPERATIONS),
}


@click.command()
@click.argument("kind", metavar="[KIND]", default=RECIPES)
@click.argument("path", metavar="[PATH]", required=False, type=Path)
@root_option
@output_options
def command(*, kind: str, path: Path | None, **options: Any) -> int:
    """List recipes, targets, steps, loaders, metrics or preprocessing.

    Recipes are looked for below PATH, a folder or catalog:NAME: by default `recipes` of the
    working directory, else those that ship.
    """
    output = read_output(options)
    if kind not in (RECIPES, *KINDS):
        kind, path = RECIPES, _as_path(kind, path)
    if kind != RECIPES and path is not None:
        message = f"{kind} are not looked for in a path"
        raise UsageError(message)
    rows, failures = _recipes(path, options["roots"]) if kind == RECIPES else (KINDS[kind](), [])
    for failed in failures:
        show_failure(failed, output)
    code = NOTHING if not rows and not failures else worst(each.exit_code for each in failures)
    _show(kind, rows, failures, code, output)
    return code


def _as_path(word: str, path: Path | None) -> Path:
    """The word as a path, where it is no kind."""
    if path is None and (Path(word).exists() or word.startswith(CATALOG)):
        return Path(word)
    kinds = (RECIPES, *KINDS)
    message = f"unknown kind {word!r}; expected {listed(kinds)}{suggest(word, kinds)}"
    raise UsageError(message)


def _recipes(path: Path | None, roots: Mapping[str, Path]) -> tuple[list[Row], list[Failure]]:
    here = Path(RECIPES)
    folder = path or (here if here.is_dir() else shipped.RECIPES)
    options = [f"--root={name}={folder}" for name, folder in roots.items()]
    index = open_index(cache_folder(), partial(_read, roots=roots), options)
    rows, failures = [], []
    for file in select_files([folder]):
        try:
            header = index.header(file)
        except RunnerError as error:
            failures.append(failure(error, file))
            continue
        if not header.abstract:
            rows.append(_recipe(file, header))
    index.save()
    return rows, failures


def _read(path: Path, roots: Mapping[str, Path]) -> tuple[Recipe, ...]:
    """Reads a recipe that the index does not know; what parses it is imported here."""
    from runner.recipe.read import read

    return read(path, roots=roots)


def _recipe(file: Path, header: Header) -> Row:
    return {
        "name": header.name,
        "title": header.title,
        "owner": header.owner,
        "targets": [each.name for each in header.targets],
        "tags": list(header.tags),
        "path": str(file),
    }


def _show(kind: str, rows: list[Row], failures: list[Failure], code: int, output: Output) -> None:
    if output.json:
        emit_json(code, failures, {kind: rows})
        return
    from runner.cli.console import make_console
    from runner.report.tables import print_table

    if not rows:
        click.echo(f"no {kind} found", err=True)
        return
    cells = [[_cell(value) for value in row.values()] for row in rows]
    print_table(make_console(sys.stdout, color=output.color), list(rows[0]), cells)


def _cell(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
