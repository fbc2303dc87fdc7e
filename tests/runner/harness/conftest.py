"""A project with recipes a and b, whose runs say what a test lets them say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runner.harness import outcome
from tests.runner.harness.builders import CHILD, answer, write_answers
from tests.runner.tiny import write_recipe


@pytest.fixture
def project(tiny_files: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: `recipes` with a.yaml on one target and b.yaml on two."""
    folder = pytester.path
    shutil.copytree(tiny_files, folder / "recipes")
    write_recipe(folder / "recipes", "a.yaml", out="build/a/${target}")
    write_recipe(folder / "recipes", "b.yaml", targets="cpu, npu", out="build/b/${target}")
    write_answers(folder, {"a": answer(), "b": answer()})
    monkeypatch.setattr(outcome, "COMMAND", CHILD)
    return folder
