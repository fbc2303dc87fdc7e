"""What every test may use: a cache of its own, and whether golden files are to be rewritten."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
collect_ignore_glob = ["*.yaml"]
"""The recipes here are what tests are about."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the golden files from what is found"
    )


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's cache, or another test's."""
    monkeypatch.setenv("RECIPE_CACHE", str(tmp_path / ".cache"))


@pytest.fixture
def is_updating(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten."""
    return bool(request.config.getoption("--update-golden", default=False))
