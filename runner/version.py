"""The version of this distribution."""

from __future__ import annotations

DISTRIBUTION = "recipe-runner"


def runner_version() -> str:
    """The installed version, or `unknown` where the code runs from a bare checkout."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"
