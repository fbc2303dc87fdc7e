"""What a session of tests was asked to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.errors import UsageError
from runner.harness.select import Selection
from runner.harness.shard import Shard

if TYPE_CHECKING:
    from runner.recipe.recipe import Recipe

Reader = Callable[[Path], "Sequence[Recipe]"]
HEAD = "HEAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of a session.

    Attributes:
        here: the working directory.
        apply: options of `recipe apply` that every recipe runs with.
        since: the git revision that `state:modified` compares with.
        retry: only what did not pass when it last ran.
        results: the folder of results, of this session and of earlier ones.
    """

    here: Path
    apply: tuple[str, ...]
    read: Reader
    select: Selection
    since: str
    retry: bool
    shard: Shard | None
    strict: bool
    timeout_s: float
    results: Path


def reader(arguments: Sequence[str]) -> Reader:
    """Reads recipes as `recipe apply` does with these options.

    Raises:
        UsageError: the options are wrong.
    """
    if not arguments:
        return _read
    from runner.cli.apply import command
    from runner.cli.options import read_options
    from runner.recipe.read import read

    try:
        given = command.make_context("apply", [*arguments, "FILE"]).params
    except click.ClickException as error:
        message = f"--recipe-apply: {error.format_message()}"
        raise UsageError(message) from error
    selected, _ = read_options(given)
    return partial(
        read,
        roots=selected.roots,
        profile=selected.profile,
        variables=selected.variables,
        edits=selected.edits,
    )


def _read(path: Path) -> Sequence[Recipe]:
    """Reads a recipe; what parses it is imported where the index does not know it."""
    from runner.recipe.read import read

    return read(path)
