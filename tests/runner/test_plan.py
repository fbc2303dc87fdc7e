from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from runner.errors import RecipeError
from runner.plan import Plan, calibration_count, make_plan
from runner.plan_json import digest, plan_from_json, plan_to_json
from runner.recipe.read import read
from runner.targets import FOLDER
from tests.runner.tiny import write_recipe

FAST = "benchmark: {seconds: 0.05, repeats: 2}\n"


def plan_of(folder: Path, **changes: str) -> Plan:
    return make_plan(read(write_recipe(folder, **changes))[0])


@pytest.mark.parametrize(
    "parameters",
    ["preset: mixed", "preset: performance, model_type: transformer, stat_subset_size: 4"],
    ids=["cnn", "transformer"],
)
def test_json_and_back(tiny: Path, parameters: str) -> None:
    plan = plan_of(tiny, parameters=parameters, benchmark=FAST)
    text = plan_to_json(plan)
    assert plan_from_json(text) == plan
    assert plan_to_json(plan_from_json(text)) == text
    assert json.loads(text)["digest"] == digest(plan)


def test_same_content_elsewhere_has_the_same_digest(tiny: Path, tiny_files: Path) -> None:
    here = plan_of(tiny, out="a", benchmark=FAST)
    moved = tiny.rename(tiny.with_name("moved"))
    assert plan_to_json(plan_of(moved, out="a", benchmark=FAST)) == plan_to_json(here)
    absolute = plan_of(moved, model=str(tiny_files / "tiny.xml"), out="a", benchmark=FAST)
    assert digest(absolute) == digest(here)


def test_another_preset_has_another_digest(tiny: Path) -> None:
    assert digest(plan_of(tiny)) != digest(plan_of(tiny, parameters="preset: performance"))


def test_fewer_samples_than_asked(tiny: Path) -> None:
    recipe = write_recipe(tiny, parameters="stat_subset_size: 300")
    recipe.write_text(
        recipe.read_text().replace("path: data.npz}", "path: data.npz, samples: 100}")
    )
    plan = make_plan(read(recipe)[0])
    assert calibration_count(plan) == 24
    assert plan.notes == (
        "calibration: 24 samples, fewer than the 100 asked for",
        "validation: 24 samples, fewer than the 100 asked for",
        "stat_subset_size is 300, but there are only 24 samples",
    )


def test_subset(tiny: Path) -> None:
    assert calibration_count(plan_of(tiny, parameters="stat_subset_size: 5")) == 5


def test_emulated_target_has_no_benchmark(tiny: Path) -> None:
    plan = plan_of(tiny, targets="npu", benchmark=FAST)
    assert (plan.device, plan.emulated, plan.benchmark) == ("CPU", True, None)


def test_model_is_no_part_of_a_plan(tiny: Path) -> None:
    plan = plan_of(tiny)
    other = dataclasses.replace(plan.quantization, model=None)
    assert dataclasses.replace(plan, quantization=other) == plan


def test_a_layer_that_is_not_there_is_found_on_its_line(tiny: Path) -> None:
    layers = "activations: {layers: [{names: [conv_0, conv_9], mode: asymmetric}]}"
    with pytest.raises(RecipeError) as caught:
        plan_of(tiny, parameters=layers)
    problem = caught.value.problems[0]
    assert problem.message == "no operation is named 'conv_9' - did you mean 'conv_1'?"
    source = problem.location.source
    assert source[problem.location.column - 1 :].startswith("conv_9")


def test_instruction_set_that_differs_from_this_machine_is_noted(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is measured on a machine that does not saturate does not show what the target loses."""
    monkeypatch.setattr("runner.plan_notes.saturates", lambda isa: isa == "avx2")
    text = (FOLDER / "cpu.yaml").read_text(encoding="utf-8")
    (tiny / "old.yaml").write_text(text.replace("isa: detect", "isa: avx2"), encoding="utf-8")
    (note,) = plan_of(tiny, targets="./old.yaml").notes
    assert "'avx2' does saturate, this machine's does not" in note
    assert plan_of(tiny).notes == ()
