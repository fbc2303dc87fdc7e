"""`recipe cache`: what runs have left for later ones."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import click

from runner.cache.cache import Cache, Entry, Kind
from runner.cache.folder import cache_folder
from runner.cli.emit import emit_json
from runner.cli.exits import DONE, FAILED
from runner.cli.options import Output, output_options, read_output
from runner.errors import UsageError
from runner.index import NAME as HEADERS
from runner.report.numbers import size

UNITS = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}


@click.group()
def command() -> None:
    """Show, shrink or check the cache of statistics and FP32 baselines.

    It is in the folder that RECIPE_CACHE names, else in the user's cache folder. `apply --no-cache`
    leaves it alone.
    """


@command.command()
@output_options
def info(**options: Any) -> int:
    """Show where the cache is and how much it holds."""
    output, cache = read_output(options), Cache(path=cache_folder())
    entries = cache.entries()
    rows = [_row(kind, [each for each in entries if each.kind is kind]) for kind in Kind]
    if output.json:
        emit_json(DONE, [], {"cache": {"path": str(cache.path), "kinds": rows}})
        return DONE
    click.echo(f"cache: {cache.path}")
    _print(rows, output)
    return DONE


@command.command()
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Remove what was not used for so long.",
)
@click.option(
    "--max-size",
    metavar="SIZE",
    callback=lambda *given: _bytes(given[2]),
    help="Remove what was not used for longest until so much is left, such as 500MB.",
)
@click.option(
    "--all", "everything", is_flag=True, help="Remove all entries, and headers of recipes."
)
@output_options
def prune(
    *, older_than: float | None, max_size: int | None, everything: bool, **options: Any
) -> int:
    """Remove entries; at least one option says which."""
    if older_than is None and max_size is None and not everything:
        message = "nothing says what to remove; give --older-than DAYS, --max-size SIZE or --all"
        raise UsageError(message)
    output, cache = read_output(options), Cache(path=cache_folder())
    if everything:
        (cache.path / HEADERS).unlink(missing_ok=True)
    removed = cache.prune(older_than_days=older_than, max_bytes=0 if everything else max_size)
    return _show("removed", removed, DONE, output)


@command.command()
@output_options
def verify(**options: Any) -> int:
    """Check every entry; damaged ones are removed, and the exit code is 1."""
    output, cache = read_output(options), Cache(path=cache_folder())
    damaged = cache.verify()
    return _show("damaged", damaged, FAILED if damaged else DONE, output)


def _bytes(text: str | None) -> int | None:
    """A size such as 500MB in bytes."""
    if text is None:
        return None
    number = text.rstrip("kMGB")
    unit = text[len(number) :]
    if unit not in UNITS or not number.strip().isdecimal():
        message = f"{text!r} is no size; expected a whole number of kB, MB or GB, such as 500MB"
        raise click.BadParameter(message)
    return int(number) * UNITS[unit]


def _row(kind: Kind, entries: Iterable[Entry]) -> dict[str, Any]:
    sizes = [each.size_bytes for each in entries]
    return {"kind": kind.value, "entries": len(sizes), "size_bytes": sum(sizes)}


def _show(what: str, entries: tuple[Entry, ...], code: int, output: Output) -> int:
    """Lists the entries that are gone now."""
    if output.json:
        emit_json(code, [], {what: [str(each.path) for each in entries]})
        return code
    for each in entries:
        click.echo(f"{what}: {each.path}")
    click.echo(f"{len(entries)} {what}, {size(sum(each.size_bytes for each in entries))}")
    return code


def _print(rows: list[dict[str, Any]], output: Output) -> None:
    from runner.cli.console import make_console
    from runner.report.tables import print_table

    cells = [(row["kind"], str(row["entries"]), size(row["size_bytes"])) for row in rows]
    console = make_console(sys.stdout, color=output.color)
    print_table(console, ("kind", "entries", "size"), cells, numbers=(1, 2))
