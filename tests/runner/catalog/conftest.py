from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runner.cli.main import main
from tests.runner.catalog.builders import commit, write_catalog

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs the command line; returns the exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(each) for each in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def team(tiny: Path, tmp_path: Path) -> Path:
    """A git repository that holds a catalog."""
    folder = write_catalog(tmp_path / "team", tiny)
    commit(folder)
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is the working directory."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder
