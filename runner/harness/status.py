"""What becomes of a check."""

from __future__ import annotations

from enum import StrEnum

from runner.cli.exits import CRASHED, FAILED, INVALID, MISSING


class Status(StrEnum):
    """The outcome of a check, or why it has none."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"
    XFAIL = "xfail"
    CRASHED = "crashed"
    INVALID = "invalid"
    MISSING = "missing"


EXIT_CODES = {
    Status.FAIL: FAILED,
    Status.CRASHED: CRASHED,
    Status.INVALID: INVALID,
    Status.MISSING: MISSING,
}
STATUSES = {code: status for status, code in EXIT_CODES.items()}
"""What a run without a report ended with, by its exit code."""
NOT_PASSED = (*EXIT_CODES, Status.INCONCLUSIVE)
"""What is worth another try."""
