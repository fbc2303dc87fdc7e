"""Recipes that extend others: where bases are found, paths in them, the environment, profiles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.document.edits import parse_edit
from runner.errors import MissingVariable, RecipeError
from runner.recipe.bases import builtin_names
from runner.recipe.read import read
from runner.recipe.recipe import Recipe
from tests.runner.recipe.written import SMALL, write

CHILD = "recipe: 1\nname: child\nextends: {base}\n"


def write_child(folder: Path, text: str, base: str = "../recipe.yaml") -> Path:
    """A recipe in a folder of its own, below that of the base."""
    write(folder, SMALL)
    (folder / "team").mkdir(exist_ok=True)
    path = folder / "team" / "child.yaml"
    path.write_text(CHILD.format(base=base) + text, encoding="utf-8")
    return path


def read_child(folder: Path, text: str = "", *edits: str, profile: str | None = None) -> Recipe:
    path = write_child(folder, text)
    return read(path, profile=profile, edits=[parse_edit(each) for each in edits])[0]


def test_paths_are_relative_to_the_file_that_they_stand_in(tmp_path: Path) -> None:
    (tmp_path / "team" / "files").mkdir(parents=True)
    (tmp_path / "team" / "files" / "data.npz").touch()
    recipe = read_child(tmp_path, "datasets: {calibration: {path: files/data.npz}}\n")
    assert recipe.model.path == tmp_path / "files" / "model.xml"
    assert recipe.datasets["calibration"].options["path"].parent == tmp_path / "team" / "files"


def test_paths_of_the_command_line_are_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = read_child(tmp_path, "", "datasets.calibration.path=files/data.npz")
    assert recipe.datasets["calibration"].options["path"] == tmp_path / "files" / "data.npz"


def test_the_resolved_document_has_paths_as_seen_from_the_recipe(tmp_path: Path) -> None:
    recipe = read_child(tmp_path)
    assert recipe.document["model"]["path"] == "../files/model.xml"
    assert not {"extends", "set", "profiles", "vars"} & set(recipe.document)


def test_a_resolved_document_reads_as_the_same_recipe(tmp_path: Path) -> None:
    recipe = read_child(tmp_path, "set: {+steps.tune: {use: LayerwiseTuning}}\n")
    again = tmp_path / "team" / "again.yaml"
    again.write_text(json.dumps(recipe.document), encoding="utf-8")
    assert read(again)[0].document == recipe.document
    assert [step.id for step in recipe.steps] == ["DefaultQuantization", "tune"]


def test_a_recipe_knows_its_files(tmp_path: Path) -> None:
    assert [path.name for path in read_child(tmp_path).files] == ["child.yaml", "recipe.yaml"]


def test_errors_point_into_the_base(tmp_path: Path) -> None:
    path = write_child(tmp_path, "")
    base = write(tmp_path, SMALL + "    with: {preset: perf}\n")
    with pytest.raises(RecipeError, match="unknown preset 'perf'") as caught:
        read(path)
    (problem,) = caught.value.problems
    assert (problem.location.path.resolve(), problem.location.line) == (base.resolve(), 8)


def test_errors_point_into_set(tmp_path: Path) -> None:
    text = "set:\n  steps.DefaultQuantization.with.preset: perf\n"
    with pytest.raises(RecipeError, match=r"child\.yaml:5:42: unknown preset 'perf'"):
        read_child(tmp_path, text)
    text = "set:\n  steps.DefaultQuantization.with.prest: mixed\n"
    with pytest.raises(RecipeError, match=r"child\.yaml:5:34: unknown key 'prest'") as caught:
        read_child(tmp_path, text)
    assert caught.value.problems[0].location.length == len("prest")


def test_errors_point_into_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        read_child(tmp_path, "", "steps.DefaultQuantization.with={preset: perf}")
    assert str(caught.value).splitlines()[1:] == [
        " 1 | --set steps.DefaultQuantization.with={preset: perf}",
        "   |                                               ^^^^",
    ]


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("digits_cnn", "'digits_cnn' names no base; expected builtin:NAME"),
        ("digits_cnn", "did you mean 'builtin:digits_cnn'?"),
        ("recipe.yaml", "write ./recipe.yaml for a file beside this one"),
        ("/etc/passwd", "'/etc/passwd' names no base"),
        ("../../../../etc/passwd", "is no YAML file; expected one that ends in .yaml"),
        ("./recipe.yaml", "no such file: '"),
        ("./${x}.yaml", "no such file: '"),
        ("../files.yaml", "no such file: '"),
        ("builtin:../digits_cnn", "there is no builtin recipe '../digits_cnn'"),
        ("builtin:/etc/x", "there is no builtin recipe '/etc/x'"),
        ("catalog:team/cnn", "unknown catalog 'team'"),
        ("http://x/y.yaml", "'http://x/y.yaml' names no base"),
        ('"./a\\0b.yaml"', "no such file: '"),
    ],
)
def test_bases_that_are_not_there(tmp_path: Path, base: str, expected: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read(write_child(tmp_path, "", base))
    (problem,) = caught.value.problems
    assert expected in f"{problem.message} {problem.hint}"
    assert (problem.location.path.name, problem.location.line) == ("child.yaml", 3)


def test_a_base_that_is_no_recipe(tmp_path: Path) -> None:
    write(tmp_path, SMALL)
    (tmp_path / "device.yaml").write_text("hardware: 1\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"device\.yaml:1:1: not a recipe"):
        read(write_child(tmp_path, "", "../device.yaml"))


def test_builtin_recipes_can_be_extended(tmp_path: Path) -> None:
    assert "digits_cnn" in builtin_names()
    (recipe,) = read(write_child(tmp_path, "", "builtin:digits_cnn"))
    assert (recipe.name, recipe.model.path.name) == ("child", "digits_cnn.xml")


def test_a_profile_has_results_of_its_own(tmp_path: Path) -> None:
    text = "profiles: {smoke: {datasets.calibration.samples: 8}}\n"
    recipe = read_child(tmp_path, text, profile="smoke")
    assert recipe.datasets["calibration"].samples == 8
    assert recipe.outputs.dir == Path("build/child/cpu-smoke")


def test_variables_of_the_command_line_win_over_profiles_and_lose_to_edits(tmp_path: Path) -> None:
    text = (
        "vars: {n: 1}\nset: {datasets.calibration.samples: '${n}'}\n"
        "profiles: {smoke: {vars.n: 2}}\n"
    )
    path = write_child(tmp_path, text)
    edits = [parse_edit("vars.n=4")]
    found = [
        read(path)[0],
        read(path, profile="smoke")[0],
        read(path, profile="smoke", variables={"n": 3})[0],
        read(path, profile="smoke", variables={"n": 3}, edits=edits)[0],
    ]
    assert [each.datasets["calibration"].samples for each in found] == [1, 2, 3, 4]


ENV = "env: [RECIPE_TEST_N]\nset: {datasets.calibration.samples: '${env:RECIPE_TEST_N}'}\n"


def test_the_environment_is_read_as_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECIPE_TEST_N", "12")
    recipe = read_child(tmp_path, ENV)
    assert recipe.datasets["calibration"].samples == 12
    assert recipe.document["datasets"]["calibration"]["samples"] == "${env:RECIPE_TEST_N}"


def test_a_variable_that_is_not_set_is_what_the_machine_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RECIPE_TEST_N", raising=False)
    with pytest.raises(MissingVariable, match=r"child\.yaml:5:37: .*'RECIPE_TEST_N' is not set"):
        read_child(tmp_path, ENV)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ENV.replace("[RECIPE_TEST_N]", "[OTHER]"), "'RECIPE_TEST_N' is not allowed"),
        ("env: [RECIPE_TEST_N]\n", "'env:RECIPE_TEST_N' is not used"),
        ("env: ['${name}']\n", "expected the name of an environment variable"),
        ("env: HOME\n", "'env' is 'HOME'; expected a list"),
        (ENV.replace("RECIPE_TEST_N", "GITHUB_TOKEN"), "'GITHUB_TOKEN' looks like a secret"),
    ],
)
def test_variables_that_may_not_be_read(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_child(tmp_path, text)
    assert expected in str(caught.value)


def test_variables_of_a_base_need_not_be_used(tmp_path: Path) -> None:
    path = write_child(tmp_path, "")
    base = SMALL.replace("data.npz}", "data.npz, samples: '${n}'}") + "vars: {n: 3}\n"
    write(tmp_path, base)
    (recipe,) = read(path, edits=[parse_edit("datasets.calibration.samples=5")])
    assert recipe.datasets["calibration"].samples == 5


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [("API_KEY", True), ("HF_TOKEN", True), ("MONKEY_DIR", False), ("KEYS", True), ("DATA", False)],
)
def test_names_that_look_like_secrets(tmp_path: Path, name: str, *, is_secret: bool) -> None:
    with pytest.raises(RecipeError) as caught:
        read_child(tmp_path, f"env: [{name}]\n")
    assert ("looks like a secret" in str(caught.value)) is is_secret


def test_edits_may_take_the_use_of_a_variable_away(tmp_path: Path) -> None:
    text = SMALL.replace("data.npz}", "data.npz, samples: '${n}'}") + "vars: {n: 3}\n"
    edits = [parse_edit("datasets.calibration.samples=5")]
    assert read(write(tmp_path, text), edits=edits)[0].datasets["calibration"].samples == 5


BASE_WITH_VARIABLES = (
    SMALL.replace("path: files/data.npz", "path: '${file}', samples: '${n}'")
    + "vars: {n: 3, file: files/data.npz}\n"
)


def test_errors_point_at_the_variable_that_another_file_has_set(tmp_path: Path) -> None:
    path = write_child(tmp_path, "vars: {n: many}\n")
    write(tmp_path, BASE_WITH_VARIABLES)
    with pytest.raises(RecipeError, match=r"child\.yaml:4:11: 'samples' is 'many'"):
        read(path)
    with pytest.raises(RecipeError, match=r"command line:1:9: 'samples' is 'few'"):
        read(path, variables={"n": "few"})


def test_a_path_in_a_variable_is_relative_to_the_file_of_the_variable(tmp_path: Path) -> None:
    path = write_child(tmp_path, "vars: {file: mine.npz}\n")
    write(tmp_path, BASE_WITH_VARIABLES)
    (tmp_path / "team" / "mine.npz").touch()
    (recipe,) = read(path)
    assert recipe.datasets["calibration"].options["path"] == tmp_path / "team" / "mine.npz"
    assert recipe.document["datasets"]["calibration"]["path"] == "mine.npz"
