"""`recipe fmt`: which files change, and how."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.runner.recipe.written import SMALL

WRONG = "name: a # n\nrecipe: 1\n"
RIGHT = "recipe: 1\nname: a # n\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    wrong, right = tmp_path / "wrong.yaml", tmp_path / "right.yaml"
    wrong.write_bytes(WRONG.replace("\n", "\r\n").encode())
    right.write_text(SMALL, encoding="utf-8")
    return wrong, right


def test_only_what_has_another_layout_is_written(call: Any, files: tuple[Path, Path]) -> None:
    wrong, right = files
    before = right.stat().st_mtime_ns
    assert call("fmt", wrong.parent) == (0, f"{wrong}: changed\n", "")
    assert wrong.read_bytes() == RIGHT.replace("\n", "\r\n").encode()
    assert right.stat().st_mtime_ns == before
    assert call("fmt", wrong, right, "--check") == (0, "", "")


def test_check_writes_nothing(call: Any, files: tuple[Path, Path]) -> None:
    wrong, _ = files
    before = wrong.read_bytes()
    assert call("fmt", wrong, "--check") == (1, f"{wrong}: would change\n", "")
    code, out, _ = call("fmt", wrong, "--check", "--json")
    assert (code, json.loads(out)["changed"]) == (1, [str(wrong)])
    assert wrong.read_bytes() == before


def test_a_file_that_can_not_be_read_does_not_stop_the_others(
    call: Any, files: tuple[Path, Path]
) -> None:
    wrong, right = files
    right.write_text("recipe: 1\na: [1\n", encoding="utf-8")
    code, out, err = call("fmt", right, wrong)
    assert (code, out) == (2, f"{wrong}: changed\n")
    assert err.startswith(f"{right}:3:1: the file ends before the closing ']'")


def test_nothing_selected(call: Any, tmp_path: Path) -> None:
    assert call("fmt", tmp_path)[0] == 5
