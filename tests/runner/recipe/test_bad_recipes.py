"""Every recipe in `tests/bad_recipes` has one mistake; its first line says how it is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import RecipeError
from runner.recipe.read import read

FOLDER = Path(__file__).parents[2] / "bad_recipes"
BAD_RECIPES = sorted(FOLDER.glob("*.yaml"))


def test_there_are_many() -> None:
    assert len(BAD_RECIPES) >= 80


@pytest.mark.parametrize("path", BAD_RECIPES, ids=lambda path: path.stem)
def test_the_mistake_is_reported_where_it_is(path: Path) -> None:
    with path.open(encoding="utf-8") as file:
        expected = file.readline().removeprefix("#").strip()
    with pytest.raises(RecipeError) as caught:
        read(path)
    assert len(caught.value.problems) == 1
    assert f"{path}:{expected}" in str(caught.value)
