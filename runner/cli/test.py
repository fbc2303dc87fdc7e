"""`recipe test`: recipes as tests, by pytest."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import click

from runner.cli.emit import emit_json
from runner.cli.exits import CRASHED, DONE, INVALID, NOTHING
from runner.cli.failure import Failure
from runner.cli.options import (
    Output,
    output_options,
    part_options,
    passed_on,
    read_output,
    reading_options,
)
from runner.document.names import listed
from runner.errors import MissingExtra, UsageError
from runner.pytest_plugin import RESULTS, TIMEOUT_S, Recorder, recorder_of
from runner.recipe.sniff import SUFFIXES, is_recipe_file
from runner.selection import located

HERE = "recipes"
PLUGIN = "runner.pytest_plugin"
UNUSED = ("cacheprovider", "doctest", "legacypath", "unittest", "unraisableexception")
"""Plugins of pytest's that do nothing for recipes; the last one searches all memory for garbage."""
XDIST = ("--dist", "loadscope", "--max-worker-restart", "0")
"""A run is of one worker; where one dies the session ends, since xdist 3.8 hands finished scopes to
the one that takes its place, and waits for ever."""
PYTEST_CODES = {0: DONE, 1: CRASHED, 2: CRASHED, 3: CRASHED, 4: INVALID, 5: NOTHING}
"""Our exit codes by pytest's, where no check and no recipe has led to one: a worker died, say."""


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=Path)
@click.option(
    "--select",
    multiple=True,
    metavar="WORDS",
    help="Only checks of tag:, owner:, target:, status: or state:modified; a comma is `and`, a "
    "space is `or`.  [repeatable]",
)
@click.option("--since", metavar="REV", help="Git revision for state:modified.  [default: HEAD]")
@click.option("--retry", "--lf", is_flag=True, help="Only what did not pass when it last ran.")
@click.option("--shard", metavar="I/N", help="The I-th of N parts, evenly long by earlier runs.")
@click.option("-k", "keyword", metavar="WORDS", help="Only names that fit, as in pytest.")
@click.option("-m", "marker", metavar="WORDS", help="Only tags that fit, as in pytest.")
@click.option("-x", "--exitfirst", is_flag=True, help="Stop after the first failure.")
@click.option("-n", "--workers", metavar="N", help="Run N recipes at a time (pytest-xdist).")
@click.option("--strict", is_flag=True, help="What is inconclusive fails.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    default=TIMEOUT_S,
    show_default=True,
    help="When a run is stopped and fails.",
)
@click.option(
    "--results",
    type=Path,
    metavar="DIR",
    default=RESULTS,
    show_default=True,
    help="Where results.json, junit.xml, history.json and logs are kept.",
)
@click.option("--collect-only", is_flag=True, help="List what would run.")
@click.option("--pytest-args", metavar="TEXT", default="", help="More options, for pytest.")
@reading_options
@part_options
@output_options
def command(**options: Any) -> int:
    """Run recipes as tests: an item for each recipe, target and check.

    PATH is a recipe, a folder, catalog:NAME, or an item as recipes/my.yaml::cpu::drop; by default
    `recipes`, else the working directory. Each recipe runs in a process of its own. `pytest PATH`
    does the same with pytest's own options and exit codes.
    """
    output = read_output(options)
    paths = options["paths"] or (Path(HERE if Path(HERE).is_dir() else "."),)
    paths = tuple(_located(path) for path in paths)
    if options["workers"]:
        _expect_xdist()
    arguments = [*_fixed(options["results"], output), *_chosen(options), *map(str, paths)]
    with redirect_stdout(sys.stderr) if output.json else nullcontext():
        ended, heard = _run(arguments)
    code = _exit_code(ended, heard)
    if output.json:
        emit_json(code, _failures(heard), _content(heard))
    return code


def _located(path: Path) -> Path:
    """The path of what is to be tested, where that is there."""
    file, sign, item = path.as_posix().partition("::")
    found = located(Path(file))
    if not found.exists():
        message = f"no such file or folder: {str(path)!r}"
        raise UsageError(message)
    if found.is_file() and not (found.suffix in SUFFIXES and is_recipe_file(found)):
        message = f"{str(path)!r} is no recipe: {listed(SUFFIXES)} with the key `recipe` at its top"
        raise UsageError(message)
    return Path(f"{found}{sign}{item}")


def _expect_xdist() -> None:
    from importlib.util import find_spec

    if find_spec("xdist") is None:
        package, extra = "pytest-xdist", "test"
        raise MissingExtra(package, extra, "running several recipes at a time")


def _fixed(results: Path, output: Output) -> list[str]:
    """pytest as we need it: of the project's own configuration, plugins and code, nothing."""
    color = "auto" if output.color and not os.environ.get("NO_COLOR") else "no"
    return [
        "--disable-plugin-autoload",
        *("-p", PLUGIN, *(word for name in UNUSED for word in ("-p", f"no:{name}"))),
        *("--noconftest", "-c", os.devnull, "--rootdir", str(Path.cwd())),
        *("-W", f"always::{PLUGIN}.RecipeWarning"),
        *("-o", "python_files=", "-o", "junit_family=xunit1"),
        *("--continue-on-collection-errors", f"--color={color}"),
        f"--recipe-results={results}",
    ]


def _chosen(options: dict[str, Any]) -> list[str]:
    """What the user asks for, in pytest's words."""
    words = [f"--recipe-timeout={options['timeout']}"]
    words += [f"--recipe-select={each}" for each in options["select"]]
    flags = {"retry": "--recipe-retry", "strict": "--recipe-strict", "exitfirst": "-x"}
    words += [flag for name, flag in flags.items() if options[name]]
    values = {"since": "--recipe-since", "shard": "--recipe-shard", "keyword": "-k", "marker": "-m"}
    for name, flag in values.items():
        if options[name] is not None:
            words += [flag, options[name]]
    if options["workers"]:
        words += ["-p", "xdist", "-n", options["workers"], *XDIST]
    if options["collect_only"]:
        words += ["--collect-only", "-q"]
    else:
        words.append(f"--junitxml={options['results'] / 'junit.xml'}")
    if arguments := passed_on(options):
        words.append(f"--recipe-apply={shlex.join(arguments)}")
    return [*words, *shlex.split(options["pytest_args"])]


class _Ear:
    """Keeps who has listened to the session."""

    def __init__(self) -> None:
        self.recorder: Recorder | None = None

    def pytest_unconfigure(self, config: Any) -> None:
        self.recorder = recorder_of(config)


def _run(arguments: list[str]) -> tuple[int, Recorder | None]:
    """pytest's exit code, and who has listened; nobody where pytest did not begin."""
    import pytest

    ear = _Ear()
    return int(pytest.main(arguments, plugins=[ear])), ear.recorder


def _exit_code(ended: int, heard: Recorder | None) -> int:
    """Our exit code, by pytest's and by what was found."""
    from runner.harness.results import exit_code_of

    found = DONE if heard is None else exit_code_of(heard)
    return found or PYTEST_CODES.get(ended, ended)


def _failures(heard: Recorder | None) -> Iterator[Failure]:
    """What could not be read."""
    for each in () if heard is None else heard.errors:
        yield Failure(error=UsageError(each["text"]), exit_code=INVALID, recipe=Path(each["id"]))


def _content(heard: Recorder | None) -> dict[str, Any]:
    """What was selected, and what became of it."""
    if heard is None:
        return {}
    return {"selected": heard.selected, "items": sorted(heard.items, key=lambda each: each["id"])}
