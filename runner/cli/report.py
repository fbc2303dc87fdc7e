"""`recipe report`: what is made of the results of tests."""

from __future__ import annotations

from pathlib import Path

import click

from runner.harness.junit import NAME as JUNIT
from runner.harness.junit import merge_junit
from runner.harness.results import exit_code_of, merged, read_results, write_results
from runner.pytest_plugin import RESULTS


@click.group()
def command() -> None:
    """Put the results of `recipe test` together."""


@command.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=Path)
@click.option(
    "--results",
    type=Path,
    metavar="DIR",
    default=RESULTS,
    show_default=True,
    help="Where the merged results.json, junit.xml and history.json go.",
)
def merge(folders: tuple[Path, ...], results: Path) -> int:
    """Merge the folders of results of all shards into one, as if it had been one run.

    Exits as that one run had.
    """
    parts = [(folder, read_results(folder)) for folder in folders]
    whole = merged(parts)
    merge_junit([folder / JUNIT for folder in folders], results / JUNIT)
    write_results(results, whole)
    click.echo(f"{len(whole.items)} checks of {len(folders)} shards: {results}")
    for folder, part in parts:
        if part.missing:
            count, first = len(part.missing), part.missing[0]
            click.echo(f"{folder}: {count} checks did not run, such as {first}", err=True)
    return exit_code_of(whole)
