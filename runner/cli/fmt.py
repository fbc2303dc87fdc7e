"""`recipe fmt`: recipes in one layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runner.cli.emit import emit_json, show_failure
from runner.cli.exits import DONE, FAILED, NOTHING, worst
from runner.cli.failure import Failure, failure
from runner.cli.options import output_options, read_output
from runner.document.layout import laid_out
from runner.document.rewrite import rewrite
from runner.document.source import load_source
from runner.errors import RunnerError
from runner.recipe.schemas.recipe import RECIPE
from runner.selection import select_files


@click.command()
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=Path)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file would change.")
@output_options
def command(*, paths: tuple[Path, ...], check: bool, **options: Any) -> int:
    """Put recipes in one layout: keys in order, even indentation and spaces.

    Comments, quotes and values stay as they are.
    """
    output = read_output(options)
    changed: list[Path] = []
    failures: list[Failure] = []
    files = select_files(paths)
    for path in files:
        try:
            source = load_source(path)
            text = laid_out(source, RECIPE)
        except RunnerError as error:
            failures.append(failure(error, path))
            show_failure(failures[-1], output)
            continue
        if text != source.text:
            changed.append(path)
            if not check:
                rewrite(path, text)
    code = worst([*(each.exit_code for each in failures), FAILED if check and changed else DONE])
    code = code if files else NOTHING
    if output.json:
        emit_json(code, failures, {"changed": [str(path) for path in changed]})
    else:
        for path in changed:
            click.echo(f"{path}: {'would change' if check else 'changed'}")
    return code
