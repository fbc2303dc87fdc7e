"""`recipe sweep` on the tiny net."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from filelock import FileLock

from runner.data import extras
from tests.runner.tiny import write_recipe

STEP = "steps.DefaultQuantization.with"
PRESETS = f"{STEP}.preset=performance,mixed"


def swept(call: Any, *arguments: object) -> dict[str, Any]:
    code, out, err = call("sweep", *arguments, "--json")
    assert code == 0, err
    (found,) = json.loads(out)["sweeps"]
    return dict(found)


@pytest.fixture
def recipe(tiny: Path) -> Path:
    return write_recipe(tiny)


def test_all_points_of_a_small_sweep(recipe: Path, call: Any) -> None:
    over = ("--over", PRESETS, "--over", f"{STEP}.use_smooth_quant=true,false")
    found = swept(call, recipe, *over)
    values = [tuple(each["values"].values()) for each in found["trials"]]
    presets = ("performance", "mixed")
    assert values == [(preset, smooth) for preset in presets for smooth in (True, False)]
    assert (found["metric"], found["objective"]) == ("accuracy", "size_ratio")
    assert found["front"]
    assert all(each["metric"]["n"] == 24 for each in found["trials"])


def test_two_sweeps_at_once(recipe: Path, call: Any) -> None:
    folder = recipe.parent / "out" / "cpu-sweep"
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"):
        code, _, err = call("sweep", recipe, "--over", PRESETS)
    assert (code, "another sweep of this recipe is running" in err) == (2, True), err
    assert len(swept(call, recipe, "--over", PRESETS)["trials"]) == 2


def test_a_trial_is_what_apply_makes(recipe: Path, call: Any) -> None:
    found = swept(call, recipe, "--over", PRESETS)
    call("apply", recipe, "--set", f"{STEP}.preset=performance")
    report = json.loads((recipe.parent / "out" / "cpu" / "report.json").read_text())
    first = found["trials"][0]
    assert first["metric"] == report["metrics"]["accuracy"]
    assert first["quantized_operations"] == report["quantization"]["quantized"]
    assert first["size_ratio"] == pytest.approx(report["size"]["ratio"], rel=1e-3)


def test_the_same_command_goes_on(recipe: Path, call: Any) -> None:
    over = ("--over", f"{STEP}.stat_subset_size=2..24", "--seed", 3)
    whole = swept(call, recipe, *over, "--trials", 4)
    study = recipe.parent / "out" / "cpu-sweep" / "study.jsonl"
    study.unlink()
    half = swept(call, recipe, *over, "--trials", 2)
    rest = swept(call, recipe, *over, "--trials", 4)
    assert half["trials"] == rest["trials"][:2]
    sizes = [
        [each["values"][f"{STEP}.stat_subset_size"] for each in f["trials"]] for f in (whole, rest)
    ]
    assert sizes[0] == sizes[1]
    assert len(set(sizes[0])) == 4


def test_a_sweep_of_other_values_starts_anew(recipe: Path, call: Any) -> None:
    swept(call, recipe, "--over", PRESETS)
    found = swept(call, recipe, "--over", f"{STEP}.preset=mixed")
    assert [list(each["values"].values()) for each in found["trials"]] == [["mixed"]]


def test_no_time_is_one_trial_at_least(recipe: Path, call: Any) -> None:
    found = swept(call, recipe, "--over", PRESETS, "--minutes", 0)
    assert len(found["trials"]) == 1
    assert "the same command goes on" in found["reason"]


def test_table_and_picture(recipe: Path, call: Any) -> None:
    code, out, _ = call("sweep", recipe, "--over", PRESETS)
    lines = out.splitlines()
    assert (code, lines[0]) == (0, "tiny -> cpu: 2 trials, all trials are done")
    assert lines[1].split()[:4] == ["#", "preset", "accuracy", "drop"]
    assert f"recipe apply {recipe} --set {STEP}.preset=" in out
    folder = recipe.parent / "out" / "cpu-sweep"
    picture = ElementTree.parse(folder / "pareto.svg").getroot()
    circles = picture.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 2
    assert json.loads((folder / "sweep.json").read_text())["schema"] == "recipe.sweep/1"


@pytest.mark.parametrize(
    ("over", "words"),
    [
        (f"{STEP}.preset=performance,mixt", "did you mean 'mixed'?"),
        (f"{STEP}.stat_subset_size=0..20", "expected an integer of at least 1"),
        ("steps.quantise.with.preset=mixed", "command line:1:14"),
        (f"{STEP}.weights.bits=8,4", "4"),
        (f"{STEP}.alpha", "expected '=' and a value behind the path"),
    ],
    ids=["value", "range", "path", "target", "grammar"],
)
def test_bad_values_are_told_before_anything_runs(
    recipe: Path, call: Any, over: str, words: str
) -> None:
    code, _, err = call("sweep", recipe, "--over", over)
    assert code == 2, err
    assert words in err
    assert "^" in err
    assert not (recipe.parent / "out").exists()


def test_unknown_metric(recipe: Path, call: Any) -> None:
    code, _, err = call("sweep", recipe, "--over", PRESETS, "--metric", "acuracy")
    assert code == 2
    assert "did you mean 'accuracy'?" in err


def test_without_optuna(recipe: Path, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = importlib.util.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "optuna" else whole(name))
    code, _, err = call("sweep", recipe, "--over", PRESETS)
    assert code == 4
    assert "pip install 'recipe-runner[search]'" in err
