"""What ends a whole call other than its verb: wrong usage, an interrupt, a defect."""

from __future__ import annotations

import os
import sys

import click

from runner.cli.emit import emit_json, show_failure
from runner.cli.exits import CRASHED, DONE, INTERRUPTED, INVALID
from runner.cli.failure import Failure, failure
from runner.cli.options import Output
from runner.errors import RunnerError, UsageError

DEFECT = "this is a defect of the runner; --debug shows where it came up"


def end(error: BaseException, *, is_json: bool, debug: bool) -> int:
    """Shows the error and returns the exit code that it leads to."""
    if isinstance(error, BrokenPipeError):  # the reader of stdout has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    failed = _failure(error)
    if isinstance(error, click.ClickException):
        error.show()
    else:
        show_failure(failed, Output(json=is_json, debug=debug))
    if is_json:
        emit_json(failed.exit_code, [failed])
    return failed.exit_code


def _failure(error: BaseException) -> Failure:
    if isinstance(error, RunnerError):
        return failure(error)
    if isinstance(error, click.ClickException):
        return Failure(error=UsageError(error.format_message()), exit_code=INVALID)
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return Failure(error=KeyboardInterrupt(), exit_code=INTERRUPTED)
    error.add_note(DEFECT)
    return Failure(error=error, exit_code=CRASHED)
