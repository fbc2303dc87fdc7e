"""`recipe advise`: the best practices, tried on one's own model."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from runner.cli.emit import emit_json, show_failure
from runner.cli.exits import DONE, FAILED
from runner.cli.options import Output, Selected, read_options, recipe_options
from runner.cli.recipes import for_each, read_again
from runner.document.edits import Edit, parse_edit
from runner.errors import UsageError
from runner.recipe.recipe import Recipe

if TYPE_CHECKING:
    from runner.advise.result import Advice

LIMIT = "advised"
"""The id of the check that --max-drop makes."""


@click.command()
@recipe_options
@click.option(
    "--max-drop",
    type=click.FloatRange(min=0),
    help="The largest drop that is accepted, in the metric's own unit; else as the recipe expects.",
)
@click.option("--metric", metavar="NAME", help="With --max-drop: the metric; else the first.")
@click.option(
    "-o",
    "--output",
    "target_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The recipe to write, in the same folder; else FILE_advised.yaml.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--no-write", is_flag=True, help="Show the advice only.")
@click.option("--no-benchmark", is_flag=True, help="No timing of the rungs.")
@click.option("--no-cache", is_flag=True, help="Keep nothing for later runs.")
def command(
    *,
    max_drop: float | None,
    metric: str | None,
    target_file: Path | None,
    force: bool,
    no_write: bool,
    no_benchmark: bool,
    no_cache: bool,
    **options: Any,
) -> int:
    """Walk the best practices until the drop keeps its limit, and write the recipe that does.

    Mixed preset, full bias correction, model type, range estimator, more samples, ignored layers,
    accuracy-aware quantization, tuning: each is measured, and kept where it gains. Exit 1 where
    none is enough.
    """
    selected, output = read_options(options)
    asked = _Asked(
        selected=selected,
        max_drop=max_drop,
        metric=metric,
        output=target_file,
        force=force,
        writes=not no_write,
        benchmark=not no_benchmark,
        use_cache=not no_cache,
    )
    results = for_each(
        selected,
        lambda recipe: _advise(recipe, asked, output),
        lambda failed: show_failure(failed, output),
    )
    code = results.exit_code(DONE if each.reached else FAILED for each in results.done)
    if output.json:
        emit_json(code, results.failures, {"advice": [each.content() for each in results.done]})
    return code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the command line asks for."""

    selected: Selected
    max_drop: float | None
    metric: str | None
    output: Path | None
    force: bool
    writes: bool
    benchmark: bool
    use_cache: bool


def _advise(recipe: Recipe, asked: _Asked, output: Output) -> Advice:
    """Advises on one recipe, prints what was found, and writes the recipe that it leads to."""
    from runner.advise.advise import advise
    from runner.advise.write import advised_path, write_advised
    from runner.cache.cache import Cache
    from runner.cache.folder import cache_folder
    from runner.cli.console import make_console
    from runner.cli.display import shown_progress
    from runner.report.advice_text import print_advice

    if asked.writes:
        _expect_as_written(asked.selected)
    limit = _limit(recipe, asked)
    path = advised_path(recipe, asked.output, force=asked.force) if asked.writes else None

    def read_at(edits: Sequence[Edit]) -> Recipe:
        return read_again(recipe, asked.selected, [*limit, *edits])

    with (
        shown_progress(f"{recipe.name} [{recipe.target.name}]", color=output.color) as progress,
        ExitStack() as stack,
    ):
        folder = cache_folder() if asked.use_cache else None
        if folder is None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="recipe-cache-")))
        found = advise(
            read_at,
            limit_ids=(LIMIT,) if limit else None,
            benchmark=asked.benchmark,
            cache=Cache(path=folder),
            progress=progress,
        )
    advice = found.advice
    if advice.reached and found.changes and path is not None:
        write_advised(recipe, found.changes, advice.summary, path, roots=asked.selected.roots)
        read_at_path(path, asked.selected)
        advice = replace(advice, written=str(path))
    if not output.json:
        print_advice(advice, make_console(sys.stdout, color=output.color))
    return advice


def _expect_as_written(selected: Selected) -> None:
    """What is written starts from the file, so that nothing else may change the recipe."""
    if selected.edits or selected.variables or selected.profile:
        message = (
            "--set, --var and --profile change the recipe for this call only, and what is written "
            "would lack them; write them into the file, or give --no-write"
        )
        raise UsageError(message)


def read_at_path(path: Path, selected: Selected) -> None:
    """Reads what was written, so that what is wrong with it is told."""
    from runner.recipe.read import read

    read(path, roots=selected.roots, profile=selected.profile, variables=selected.variables)


def _limit(recipe: Recipe, asked: _Asked) -> tuple[Edit, ...]:
    """The check of --max-drop, as an edit; none without it."""
    from runner.document.names import listed, suggest

    names = [each.name for each in recipe.metrics]
    if asked.metric is not None and asked.metric not in names:
        message = f"unknown metric {asked.metric!r}; expected {listed(names)}"
        raise UsageError(message + suggest(asked.metric, names))
    if asked.max_drop is None:
        return ()
    if not names:
        message = f"{recipe.path} evaluates no metric, so that nothing drops"
        raise UsageError(message)
    check = {"id": LIMIT, "metric": asked.metric or names[0], "max_drop": asked.max_drop}
    return (parse_edit(f"+expect=[{json.dumps(check)}]"),)
