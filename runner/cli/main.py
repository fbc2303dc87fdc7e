"""The entry point: verbs by name. Nothing but click is imported until a verb is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

VERBS = {
    "apply": "plan, run, evaluate, check; writes the model and reports",
    "test": "recipes as tests, by pytest: selection, shards, JUnit",
    "report": "the results of tests: merge those of shards",
    "plan": "show what would run: schemes of operations, samples, checks",
    "sensitivity": "which operations lose the accuracy; can write `ignored` for them",
    "sweep": "measure a recipe with other values: the front of accuracy and speed",
    "advise": "walk the best practices until the drop keeps its limit; writes the recipe",
    "validate": "parse and check recipes; reads no data, loads no weights",
    "show": "one recipe out of its bases, variables and edits; where each value comes from",
    "diff": "what two recipes do differently",
    "fmt": "recipes in one layout; comments stay",
    "baseline": "accepted results: accept, show, compare with the last run",
    "compare": "two runs, with the paired interval of what changed",
    "catalog": "shared recipes: add, list, search, update, verify",
    "cache": "what earlier runs left for later ones: info, prune, verify",
    "list": "recipes, targets, steps, loaders, metrics, preprocessing",
}
"""Every verb, in the order of the help; each is `runner.cli.<verb>.command`."""

EXIT_CODES = """\b
Exit codes:
  0    done, every check held
  1    ran, a check failed
  2    a recipe or the usage is invalid, nothing was run
  3    a run crashed
  4    this machine lacks something: device, extra, root
  5    nothing selected
  130  interrupted"""


class Verbs(click.Group):
    """A group that imports a verb only when it is called; the help needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"runner.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


def _show_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from runner.version import runner_version

        click.echo(f"recipe {runner_version()}")
        ctx.exit()


@click.command(
    cls=Verbs,
    epilog=EXIT_CODES,
    subcommand_metavar="VERB [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def recipe() -> None:
    """Post-training quantization of OpenVINO models from YAML recipes.

    `recipe VERB --help` tells more about a verb.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return int(recipe.main(given, prog_name="recipe", standalone_mode=False) or 0)
    except (Exception, KeyboardInterrupt) as error:  # the crash boundary
        from runner.cli.ending import end

        return end(error, is_json="--json" in given, debug="--debug" in given)
