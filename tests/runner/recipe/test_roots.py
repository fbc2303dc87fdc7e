from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from runner.errors import MissingRoot, RecipeError
from runner.recipe.read import read
from runner.recipe.recipe import Recipe
from tests.runner.recipe.written import SMALL, write

ROOTED = SMALL.replace("files/data.npz", "'my-data://data.npz'")
VARIABLE = "RECIPE_ROOT_MY_DATA"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with three folders, each with the data."""
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / ".git").mkdir()
    for name in ("argument", "environment", "project"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.npz").touch()
    return tmp_path


def read_rooted(folder: Path, roots: Mapping[str, Path] | None = None) -> Recipe:
    nested = folder / "team"
    nested.mkdir(exist_ok=True)
    return read(write(nested, ROOTED), roots=roots)[0]


def root_of(recipe: Recipe) -> str:
    path: Path = recipe.datasets["calibration"].options["path"]
    return path.parent.name


def test_the_project_file_sets_roots_relative_to_itself(folder: Path) -> None:
    (folder / "recipes.toml").write_text("[roots]\nmy-data = 'project'\n")
    assert root_of(read_rooted(folder)) == "project"


def test_the_environment_wins_over_the_project_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "recipes.toml").write_text("[roots]\nmy-data = 'project'\n")
    monkeypatch.setenv(VARIABLE, str(folder / "environment"))
    assert root_of(read_rooted(folder)) == "environment"


def test_the_argument_wins_over_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(folder / "environment"))
    assert root_of(read_rooted(folder, {"my-data": folder / "argument"})) == "argument"


def test_the_project_file_beyond_the_repository_does_not_count(folder: Path) -> None:
    (folder / "recipes.toml").write_text("[roots]\nmy-data = 'project'\n")
    (folder / "team").mkdir()
    (folder / "team" / ".git").mkdir()
    with pytest.raises(MissingRoot):
        read_rooted(folder)


def test_a_root_that_is_not_set_names_the_variable_and_the_place(folder: Path) -> None:
    with pytest.raises(MissingRoot) as caught:
        read_rooted(folder)
    place = folder / "team" / "recipe.yaml"
    assert str(caught.value) == (
        f"{place}:5:36: the root 'my-data' is not set; set {VARIABLE}, or [roots] in recipes.toml, "
        "to the folder that it stands for"
    )


def test_errors_of_the_recipe_come_before_roots_that_are_not_set(folder: Path) -> None:
    with pytest.raises(RecipeError, match="unknown key 'benchmrk'"):
        read(write(folder, ROOTED + "benchmrk: {}\n"))


def test_the_document_keeps_the_root_as_written(folder: Path) -> None:
    recipe = read_rooted(folder, {"my-data": folder / "argument"})
    assert recipe.document["datasets"]["calibration"]["path"] == "my-data://data.npz"


def test_a_missing_file_under_a_root_is_located(folder: Path) -> None:
    with pytest.raises(RecipeError, match="no such file"):
        read_rooted(folder, {"my-data": folder})


@pytest.mark.parametrize(
    ("content", "expected"),
    [("[roots", r"recipes\.toml:1:1: not valid TOML"), ("roots = 3", "holds names and folders")],
)
def test_wrong_project_files(folder: Path, content: str, expected: str) -> None:
    (folder / "recipes.toml").write_text(content)
    with pytest.raises(RecipeError, match=expected):
        read_rooted(folder)
