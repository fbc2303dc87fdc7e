"""Hostile recipes end in an error at a place, not in harm, a crash or a hang."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.document.edits import parse_edit
from runner.errors import DocumentError, MissingVariable
from runner.recipe.read import read
from tests.runner.recipe.hostile import CASES, Hostile, write_hostile


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_hostile_recipe_is_refused_at_its_place(
    case: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RECIPE_NOT_SET", raising=False)
    path = write_hostile(case, tmp_path)
    with pytest.raises((DocumentError, MissingVariable)) as caught:
        read(path, edits=[parse_edit(each) for each in case.edits])
    assert caught.value.exit_code == case.code
    assert case.expected in str(caught.value).replace(f"{tmp_path}/", "")
