"""The tiny net on disk, written once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.runner.tiny import write_tiny


@pytest.fixture(scope="session")
def tiny_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def tiny(tiny_files: Path, tmp_path: Path) -> Path:
    """A folder of one's own with the net and its data."""
    return Path(shutil.copytree(tiny_files, tmp_path / "tiny"))
