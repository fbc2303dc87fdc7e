"""What a verb writes: results to stdout, errors to stderr, or one JSON document to stdout."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

import click

from runner.cli.failure import Failure, failure_content, failure_text
from runner.cli.options import Output


def show_failure(failed: Failure, output: Output) -> None:
    """Prints an error on stderr, its traceback before it where that is wanted."""
    if output.debug:
        click.echo("".join(traceback.format_exception(failed.error)), err=True, nl=False)
    click.echo(failure_text(failed), err=True)


def emit_json(
    exit_code: int, failures: Iterable[Failure], results: Mapping[str, Any] | None = None
) -> None:
    """Prints the document of a whole call."""
    errors = [entry for failed in failures for entry in failure_content(failed)]
    content = {"ok": exit_code == 0, "exit_code": exit_code, "errors": errors, **(results or {})}
    click.echo(json.dumps(content, indent=2, sort_keys=True, allow_nan=False))
