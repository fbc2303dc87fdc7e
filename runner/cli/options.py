"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runner.document.scalars import Scalar, parse_scalar

if TYPE_CHECKING:
    from runner.document.edits import Edit

F = TypeVar("F", bound=Callable[..., Any])

SET_HELP = (
    "Change the recipe: a.b=1 sets, +a.b=1 adds, ~a.b removes; items of lists by id, as in "
    "steps.quantize.with.preset=mixed."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How results and errors are shown."""

    json: bool = False
    debug: bool = False
    color: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """Which recipes, which of their targets (none named: all), and what they are read with."""

    paths: tuple[Path, ...]
    targets: tuple[str, ...] = ()
    roots: Mapping[str, Path] = field(default_factory=dict)
    profile: str | None = None
    variables: Mapping[str, Scalar] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()


def _pairs(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, str]:
    """NAME=VALUE, repeated."""
    pairs = [each.partition("=") for each in given]
    for each, (name, sign, _) in zip(given, pairs, strict=True):
        if not (name and sign):
            message = f"{each!r} is not {parameter.metavar}"
            raise click.BadParameter(message, context, parameter)
    return {name: value for name, _, value in pairs}


def _folders(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, Path]:
    """NAME=DIR, repeated."""
    folders = {name: Path(text) for name, text in _pairs(context, parameter, given).items()}
    for folder in folders.values():
        if not folder.is_dir():
            message = f"no such folder: {str(folder)!r}"
            raise click.BadParameter(message, context, parameter)
    return folders


def output_options(command: F) -> F:
    """--json, --debug and --no-color."""
    for decorate in (
        click.option("--no-color", is_flag=True, help="Plain text; so does NO_COLOR."),
        click.option("--debug", is_flag=True, help="Show tracebacks of errors."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
    ):
        command = decorate(command)
    return command


def root_option(command: F) -> F:
    """--root."""
    text = "Set a named root of paths."
    return _repeatable("--root", "roots", "NAME=DIR", text, _folders)(command)


def reading_options(command: F) -> F:
    """--root, --profile, --var and --set."""
    for decorate in (
        _repeatable("--set", "edits", "EDIT", SET_HELP, None),
        _repeatable("--var", "variables", "NAME=VALUE", "Set a variable of the recipe.", _pairs),
        click.option("--profile", metavar="NAME", help="Put this profile of the recipe over it."),
        root_option,
    ):
        command = decorate(command)
    return command


def recipe_options(command: F) -> F:
    """FILE..., --target, those of reading, and those of output."""
    for decorate in (
        output_options,
        reading_options,
        _repeatable("--target", "targets", "NAME", "Only this target of the recipe's.", None),
        click.argument("files", metavar="FILE...", nargs=-1, required=True, type=Path),
    ):
        command = decorate(command)
    return command


PARTS = {
    "no_evaluate": "Quantize only; checks of metrics are skipped.",
    "no_benchmark": "No timing; checks of speed are skipped.",
    "no_cache": "Infer all anew, and keep nothing for later.",
    "require_device": "Exit 4 where a target would be emulated.",
}
"""Flags that say which parts of a recipe run."""


def part_options(command: F) -> F:
    """--no-evaluate, --no-benchmark, --no-cache and --require-device."""
    for name, text in reversed(PARTS.items()):
        command = click.option(_flag(name), is_flag=True, help=text)(command)
    return command


def passed_on(options: Mapping[str, Any]) -> list[str]:
    """The options of reading and of parts as another call of a verb takes them."""
    words = [f"--root={name}={folder}" for name, folder in options["roots"].items()]
    words += [f"--var={name}={value}" for name, value in options["variables"].items()]
    words += [f"--set={edit}" for edit in options["edits"]]
    words += [] if options["profile"] is None else [f"--profile={options['profile']}"]
    return words + [_flag(name) for name in PARTS if options[name]]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _repeatable(
    option: str, name: str, metavar: str, text: str, callback: Callable[..., Any] | None
) -> Callable[[F], F]:
    help_text = f"{text}  [repeatable]"
    return click.option(
        option, name, metavar=metavar, multiple=True, help=help_text, callback=callback
    )


def read_options(options: dict[str, Any]) -> tuple[Selected, Output]:
    """The shared options of a verb, as click hands them over."""
    from runner.document.edits import parse_edit

    selected = Selected(
        paths=tuple(options["files"]),
        targets=tuple(options["targets"]),
        roots=options["roots"],
        profile=options["profile"],
        variables={name: parse_scalar(text) for name, text in options["variables"].items()},
        edits=tuple(parse_edit(text) for text in options["edits"]),
    )
    return selected, read_output(options)


def read_output(options: dict[str, Any]) -> Output:
    """The options of output, as click hands them over."""
    return Output(json=options["as_json"], debug=options["debug"], color=not options["no_color"])
