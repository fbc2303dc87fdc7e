from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runner import index as module
from runner.errors import RecipeError
from runner.header import Header
from runner.index import Index, open_index
from runner.recipe.read import read
from runner.recipe.recipe import Recipe
from tests.runner.tiny import DROP, IMPOSSIBLE, write_recipe

DESCRIPTOR = Path(str(module.__file__)).parents[1] / "hw_targets" / "cpu.yaml"


@dataclass(kw_only=True)
class Counting:
    """Reads recipes and notes which."""

    paths: list[str] = field(default_factory=list)

    def __call__(self, path: Path) -> Sequence[Recipe]:
        self.paths.append(path.name)
        return read(path)


def look(folder: Path, *paths: Path, options: Sequence[str] = ()) -> tuple[list[Header], list[str]]:
    """The headers as a new process finds them, and the names of the files that were parsed."""
    reads = Counting()
    index = open_index(folder, reads, options)
    headers = [index.header(path) for path in paths]
    index.save()
    return headers, reads.paths


def test_header(tiny: Path) -> None:
    recipe = write_recipe(tiny, checks=f"{DROP}\n{IMPOSSIBLE}", targets="cpu, npu")
    ((header,), _) = look(tiny, recipe)
    assert (header.name, header.title, header.tags) == ("tiny", "A tiny net", ("test",))
    assert [each.name for each in header.targets] == ["cpu", "npu"]
    assert [(each.id, each.path, each.line) for each in header.targets[1].checks] == [
        ("drop", recipe, 17),
        ("floor", recipe, 18),
    ]
    assert not header.targets[1].is_timed
    assert header.targets[1].results == tiny / "out" / "npu"
    assert header.files == (recipe,)
    assert header.inputs == (tiny / "tiny.xml", tiny / "tiny.bin", tiny / "data.npz")


def test_the_same_files_are_not_parsed_again(tiny: Path) -> None:
    recipe = write_recipe(tiny, checks=f"{DROP}\n{IMPOSSIBLE}", targets="cpu, npu")
    first = look(tiny, recipe)
    assert first[1] == ["tiny.yaml"]
    assert look(tiny, recipe) == (first[0], [])


def test_a_changed_byte_misses(tiny: Path) -> None:
    recipes = [write_recipe(tiny, "a.yaml"), write_recipe(tiny, "b.yaml")]
    look(tiny, *recipes)
    recipes[1].write_text(recipes[1].read_text() + "\n")
    assert look(tiny, *recipes)[1] == ["b.yaml"]
    assert look(tiny, *recipes)[1] == []


def test_a_changed_descriptor_misses(tiny: Path) -> None:
    mine = Path(shutil.copy(DESCRIPTOR, tiny / "mine.yaml"))
    recipes = [write_recipe(tiny, "a.yaml", targets="./mine.yaml"), write_recipe(tiny, "b.yaml")]
    look(tiny, *recipes)
    mine.write_text(mine.read_text() + "\n")
    assert look(tiny, *recipes)[1] == ["a.yaml"]


def test_new_code_misses(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write_recipe(tiny)
    look(tiny, recipe)
    monkeypatch.setattr(module, "code_digest", lambda: "another")
    assert look(tiny, recipe)[1] == ["tiny.yaml"]


def test_other_options_roots_and_projects_miss(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write_recipe(tiny)
    look(tiny, recipe)
    assert look(tiny, recipe, options=["--var", "a=1"])[1] == ["tiny.yaml"]
    monkeypatch.setenv("RECIPE_ROOT_DATA", str(tiny))
    assert look(tiny, recipe, options=["--var", "a=1"])[1] == ["tiny.yaml"]
    (tiny / "recipes.toml").write_text("")
    assert look(tiny, recipe, options=["--var", "a=1"])[1] == ["tiny.yaml"]
    assert look(tiny, recipe, options=["--var", "a=1"])[1] == []


def test_a_missing_model_is_told_each_time(tiny: Path) -> None:
    recipe = write_recipe(tiny)
    look(tiny, recipe)
    (tiny / "tiny.xml").unlink()
    with pytest.raises(RecipeError, match="no such file"):
        look(tiny, recipe)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"code": 1}', "null"])
def test_a_damaged_index_costs_only_time(tiny: Path, damage: str) -> None:
    recipe = write_recipe(tiny)
    (headers, _) = look(tiny, recipe)
    (tiny / module.NAME).write_text(damage)
    assert look(tiny, recipe) == (headers, ["tiny.yaml"])


@pytest.mark.parametrize("field", ["stamp", "header"])
def test_a_damaged_entry_costs_only_time(tiny: Path, field: str) -> None:
    recipe = write_recipe(tiny)
    look(tiny, recipe)
    content = json.loads((tiny / module.NAME).read_text())
    content["headers"][str(recipe)][field] = 1
    (tiny / module.NAME).write_text(json.dumps(content))
    assert look(tiny, recipe)[1] == ["tiny.yaml"]


def test_two_processes_keep_what_each_has_read(tiny: Path) -> None:
    recipes = [write_recipe(tiny, "a.yaml"), write_recipe(tiny, "b.yaml")]
    indexes: list[Index] = [open_index(tiny, read) for _ in recipes]
    for index, recipe in zip(indexes, recipes, strict=True):
        index.header(recipe)
        index.save()
    assert look(tiny, *recipes)[1] == []


def test_recipes_that_are_gone_are_forgotten(tiny: Path) -> None:
    recipes = [write_recipe(tiny, "a.yaml"), write_recipe(tiny, "b.yaml")]
    look(tiny, recipes[0])
    recipes[0].unlink()
    look(tiny, recipes[1])
    assert [Path(key).name for key in json.loads((tiny / module.NAME).read_text())["headers"]] == [
        "b.yaml"
    ]


def test_a_folder_that_can_not_be_written_is_only_slow(tiny: Path) -> None:
    (tiny / "file").touch()
    recipe = write_recipe(tiny)
    assert look(tiny / "file", recipe)[1] == ["tiny.yaml"]


def test_a_changed_base_misses(tiny: Path) -> None:
    base = tiny / "base.yaml"
    base.write_text("recipe: 1\nname: base\nabstract: true\nmetadata: {tags: [one]}\n")
    text = write_recipe(tiny, "a.yaml").read_text()
    (tiny / "a.yaml").write_text(
        text.replace("metadata: {title: A tiny net, tags: [test]}", "extends: ./base.yaml")
    )
    recipes = [tiny / "a.yaml", write_recipe(tiny, "b.yaml")]
    ((header, _), _) = look(tiny, *recipes)
    assert (header.files, header.tags) == ((recipes[0], base), ("one",))
    base.write_text(base.read_text().replace("one", "two"))
    (headers, reads) = look(tiny, *recipes)
    assert (reads, headers[0].tags) == (["a.yaml"], ("two",))


def test_the_environment_that_a_recipe_may_read_counts(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA", "data")
    recipe = write_recipe(tiny)
    text = recipe.read_text().replace("path: data.npz", 'path: "${env:DATA}.npz"')
    recipe.write_text(f"{text}env: [DATA]\n")
    assert look(tiny, recipe)[1] == ["tiny.yaml"]
    assert look(tiny, recipe)[1] == []
    shutil.copy(tiny / "data.npz", tiny / "other.npz")
    monkeypatch.setenv("DATA", "other")
    ((header,), reads) = look(tiny, recipe)
    assert (reads, header.inputs[-1]) == (["tiny.yaml"], tiny / "other.npz")
