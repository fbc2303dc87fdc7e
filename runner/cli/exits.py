"""Exit codes, the same for every verb."""

from __future__ import annotations

from collections.abc import Iterable

DONE, FAILED, INVALID, CRASHED, MISSING, NOTHING, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
SEVERITY = (INTERRUPTED, INVALID, MISSING, CRASHED, FAILED, DONE)
"""Worst first."""


def worst(codes: Iterable[int]) -> int:
    """The exit code of several runs.

    >>> worst([0, 3, 1]), worst([])
    (3, 0)
    """
    found = set(codes)
    return next((code for code in SEVERITY if code in found), DONE)
