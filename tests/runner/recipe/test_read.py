"""Recipes out of files: what each part becomes, roots, variables and several errors at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import RecipeError, UsageError
from runner.recipe.read import read
from runner.recipe.recipe import (
    BenchmarkSource,
    DatasetSource,
    Metadata,
    MetricSource,
    ModelSource,
    Outputs,
    StepSource,
    TargetSource,
)
from runner.recipe.sniff import is_recipe_file
from tests.runner.recipe.written import FULL, SMALL, read_text, write


def test_every_part_of_a_full_recipe(tmp_path: Path) -> None:
    recipe = read_text(tmp_path, FULL)[0]
    files = tmp_path / "files"
    assert recipe.metadata == Metadata(
        title="A film review", owner="nlp", tags=("nlp", "small"), license="Apache-2.0"
    )
    assert recipe.model == ModelSource(path=files / "model.xml", inputs={"input_ids": (1, 64)})
    assert recipe.datasets["calibration"] == DatasetSource(
        loader="text",
        options={
            "path": files / "texts.tsv",
            "columns": {"text": 0, "label": "label"},
            "tokenizer": files / "tokenizer.json",
            "max_length": 64,
        },
        samples=30,
        shuffle=True,
        seed=7,
    )
    assert recipe.metrics == (MetricSource(name="top1", metric="accuracy", options={"top_k": 1}),)
    assert recipe.benchmark == BenchmarkSource(seconds=2.0)
    assert recipe.outputs == Outputs(dir=Path("build/full/cpu"), reports=("json",))


def test_steps_keep_their_parameters_as_written(tmp_path: Path) -> None:
    first, second = read_text(tmp_path, FULL)[0].steps
    assert (first.id, first.parameters["preset"]) == ("quantize", "mixed")
    assert second == StepSource(
        id="FastBiasCorrection", use="FastBiasCorrection", parameters={"threshold": 2}
    )


def test_checks_have_one_bound_and_an_id_of_their_own(tmp_path: Path) -> None:
    checks = read_text(tmp_path, FULL)[0].expect
    assert [(c.id, c.kind, c.bound, c.drop_type) for c in checks] == [
        ("drop", "max_drop", 0.01, "relative"),
        ("throughput_min_speedup", "min_speedup", 1.3, "absolute"),
        ("throughput_min_speedup_2", "min_speedup", 1.0, "absolute"),
    ]
    assert checks[0].where.source[checks[0].where.column - 1 :].startswith("0.01")


def test_one_recipe_per_target(tmp_path: Path) -> None:
    cpu, device = read_text(tmp_path, FULL)
    assert cpu.target == TargetSource(name="cpu")
    assert device.target == TargetSource(name="device", path=tmp_path / "files" / "device.yaml")
    assert device.outputs.dir == Path("build/full/device")


def test_what_is_absent_stays_absent(tmp_path: Path) -> None:
    (recipe,) = read_text(tmp_path, SMALL)
    assert recipe.target == TargetSource(name="cpu")
    assert (recipe.metrics, recipe.benchmark, recipe.expect) == ((), None, ())
    assert recipe.steps == (StepSource(id="DefaultQuantization", use="DefaultQuantization"),)
    assert "targets" not in recipe.document


def test_the_resolved_document_is_a_recipe_for_one_target(tmp_path: Path) -> None:
    document = read_text(tmp_path, FULL)[1].document
    assert "vars" not in document
    assert document["targets"] == ["./files/device.yaml"]
    assert document["datasets"]["calibration"]["samples"] == 30
    assert document["datasets"]["calibration"]["path"] == "files/texts.tsv"


def test_every_value_knows_its_place(tmp_path: Path) -> None:
    (recipe,) = read_text(tmp_path, SMALL + "    with: {preset: mixed}\n")
    assert recipe.locate("steps", 0, "with", "preset").line == 8
    assert recipe.locate("steps", 0, "with", "nothing").line == 8
    assert recipe.locate("nothing").line == 1


def test_variables_from_outside_take_the_place_of_the_recipe_s(tmp_path: Path) -> None:
    recipe = read(write(tmp_path, FULL), variables={"samples": 5})[0]
    assert recipe.datasets["calibration"].samples == 5


def test_unknown_variables_from_outside(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no variable 'sample' - did you mean 'samples'"):
        read(write(tmp_path, FULL), variables={"sample": 5})


def test_several_mistakes_are_several_errors_with_places_in_order(tmp_path: Path) -> None:
    text = (
        SMALL.replace("model.xml", "modle.xml").replace("npz,", "nzp,")
        + "    with: {preset: perf, stat_subset_size: 1.5}\nbenchmrk: {}\n"
    )
    with pytest.raises(RecipeError) as caught:
        read_text(tmp_path, text)
    found = [(p.location.line, p.message.split(";")[0]) for p in caught.value.problems]
    missing = tmp_path / "files" / "modle.xml"
    assert found == [
        (3, f"no such file: '{missing}' - did you mean 'model.xml'?"),
        (5, "unknown loader 'nzp'"),
        (8, "unknown preset 'perf'"),
        (8, "'stat_subset_size' is 1.5"),
        (9, "unknown key 'benchmrk' - did you mean 'benchmark'?"),
    ]


def test_an_abstract_recipe_is_a_fragment(tmp_path: Path) -> None:
    text = "recipe: 1\nname: cnn\nabstract: true\nsteps: [{use: FastBiasCorrection}]\n"
    (recipe,) = read_text(tmp_path, text + "vars: {later: 1}\n")
    assert recipe.abstract
    assert recipe.model.path == Path()


def test_an_abstract_recipe_is_checked(tmp_path: Path) -> None:
    text = "recipe: 1\nname: cnn\nabstract: true\nsteps: [{use: Nothing}]\nexpect: [{min: 1}]\n"
    with pytest.raises(RecipeError, match="unknown step 'Nothing'"):
        read_text(tmp_path, text)


def test_weights_stand_beside_the_model(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL)
    (tmp_path / "files" / "model.bin").unlink()
    with pytest.raises(RecipeError, match=r"the weights are missing: no such file: .*model\.bin"):
        read(path)


@pytest.mark.parametrize("has_model", [True, False])
def test_a_folder_is_a_model_if_it_is_a_saved_model(tmp_path: Path, *, has_model: bool) -> None:
    path = write(tmp_path, SMALL.replace("model.xml", "saved"))
    (tmp_path / "files" / "saved").mkdir()
    if has_model:
        (tmp_path / "files" / "saved" / "saved_model.pb").touch()
        assert read(path)[0].model.path == tmp_path / "files" / "saved"
        return
    with pytest.raises(RecipeError, match=r"no saved_model\.pb in the folder"):
        read(path)


@pytest.mark.parametrize(("pattern", "fits"), [("*.png", True), ("*.gif", False)])
def test_pictures_by_pattern(tmp_path: Path, pattern: str, *, fits: bool) -> None:
    old = "{loader: npz, path: files/data.npz}"
    new = f"{{loader: images, path: 'files/{pattern}'}}"
    path = write(tmp_path, SMALL.replace(old, new))
    (tmp_path / "files" / "one.png").touch()
    if fits:
        assert read(path)[0].datasets["calibration"].options["path"].name == pattern
        return
    with pytest.raises(RecipeError, match="no file matches"):
        read(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("recipe: 1", True),
        ("# words\n\nname: x\nrecipe : 1", True),
        ("\ufeffrecipe: 1", True),
        ("  recipe: 1", False),
        ("recipes: 1", False),
        ("#" * 60_000 + "\nrecipe: 1", True),
        ("#" * 70_000 + "\nrecipe: 1", False),
    ],
)
def test_recipes_are_recognised_by_their_beginning(
    tmp_path: Path, content: str, *, expected: bool
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(content, encoding="utf-8")
    assert is_recipe_file(path) is expected


def test_what_can_not_be_opened_is_no_recipe(tmp_path: Path) -> None:
    assert not is_recipe_file(tmp_path)
