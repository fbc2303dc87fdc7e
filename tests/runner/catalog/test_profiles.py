from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.errors import RecipeError, UsageError
from runner.recipe.read import read
from tests.runner.tiny import write_recipe

OWN = "profiles: {smoke: {datasets.calibration.samples: 8}}\n"


def write(project: Path, tiny: Path, profiles: str, own: str = "") -> Path:
    (project / "recipes.toml").write_text(f"[profiles]\n{profiles}\n")
    recipe = write_recipe(tiny)
    recipe.write_text(recipe.read_text() + own)
    path = project / "tiny.yaml"
    path.write_text(f"recipe: 1\nname: child\nextends: {json.dumps('../tiny/tiny.yaml')}\n")
    return path


def test_a_profile_of_the_project_holds_for_its_recipes(project: Path, tiny: Path) -> None:
    edits = "quick = ['+datasets.calibration.samples=4', '~expect.drop']"
    path = write(project, tiny, edits)
    (recipe,) = read(path, profile="quick")
    assert recipe.datasets["calibration"].samples == 4
    assert recipe.expect == ()
    assert recipe.profile == "quick"
    assert read(path)[0].datasets["calibration"].samples is None


def test_the_own_profile_wins(project: Path, tiny: Path) -> None:
    path = write(project, tiny, "smoke = ['+datasets.calibration.samples=4']", OWN)
    assert read(path, profile="smoke")[0].datasets["calibration"].samples == 8


def test_an_edit_that_can_not_be_made_has_its_place(project: Path, tiny: Path) -> None:
    path = write(project, tiny, "quick = ['metadata.tags=[a]',\n  'steps.nope.with=1']")
    with pytest.raises(RecipeError) as caught:
        read(path, profile="quick")
    place = caught.value.problems[0].location
    assert (place.path.name, place.line, place.column) == ("recipes.toml", 3, 10)


def test_no_edit_at_all(project: Path, tiny: Path) -> None:
    path = write(project, tiny, "quick = ['oops']")
    with pytest.raises(RecipeError, match=r"recipes\.toml:2:15: expected '=' and a value"):
        read(path, profile="quick")
    with pytest.raises(RecipeError, match="holds lists of edits"):
        read(write(project, tiny, "quick = 1"), profile="quick")


def test_an_unknown_profile_names_those_of_the_project(project: Path, tiny: Path) -> None:
    path = write(project, tiny, "quick = ['metadata.tags=[a]']", OWN)
    with pytest.raises(UsageError, match="it has 'smoke' and 'quick' - did you mean 'quick'"):
        read(path, profile="quik")
