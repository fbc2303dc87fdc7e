"""Accepted results: accept, show, compare, and checks that compare with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.errors import RecipeError
from runner.measure import measure
from runner.plan import make_plan
from runner.recipe.read import read
from tests.runner.tiny import DROP, write_recipe

AGAINST = "  - {id: kept, metric: accuracy, max_drop: 0, against: baseline}"
SQNR = "  - {id: noise, metric: sqnr, max_drop: 3, against: baseline}"
WORSE = "preset: mixed, weights: {bits: 8, mode: symmetric, level_low: -2, level_high: 2}"


def accepted(tiny: Path, call: Any, **changes: Any) -> tuple[Path, Path]:
    """A recipe whose results were accepted, and its baseline file."""
    recipe = write_recipe(tiny, checks=f"{DROP}\n{AGAINST}\n{SQNR}", **changes)
    code, out, _ = call("baseline", "accept", "--run", recipe)
    assert code == 0, out
    (file,) = (tiny / "baselines").iterdir()
    return recipe, file


def other_environment(file: Path) -> None:
    """The machine turns out to be another than the one that the baseline was accepted on."""
    file.rename(file.with_name("tiny.cpu.cpu-amx-2020.1.json"))


def test_results_are_accepted_beside_the_recipe(tiny: Path, call: Any) -> None:
    recipe, file = accepted(tiny, call)
    content = json.loads(file.read_text())
    environment = file.name.removeprefix("tiny.cpu.").removesuffix(".json")
    assert (content["recipe"], content["target"]) == ("tiny", "cpu")
    assert file.read_text() == json.dumps(content, indent=2, sort_keys=True) + "\n"
    assert content["metrics"]["accuracy"]["parts"]["answers"][0].count("1") >= 20
    code, out, _ = call("baseline", "show", recipe)
    assert code == 0
    assert environment in out
    assert "quantized_operations" in out


def test_the_same_run_is_the_same(tiny: Path, call: Any) -> None:
    recipe, file = accepted(tiny, call, reports="json, html")
    before = file.read_text()
    code, out, _ = call("apply", recipe, "--json")
    report = json.loads(out)["reports"][0]
    assert code == 0
    assert [each["status"] for each in report["checks"]] == ["pass"] * 3
    changes = {name: each["change"] for name, each in report["baseline"]["comparisons"].items()}
    assert changes["accuracy"] == changes["sqnr"] == changes["model_bytes"] == "same"
    assert changes["peak_memory_bytes"] == "unclear"
    page = Path(report["artifacts"]["report_html"]).read_text()
    assert "Against the baseline" in page
    assert file.read_text() == before  # only `accept` writes it


def test_what_got_worse_fails_its_check_and_the_comparison(tiny: Path, call: Any) -> None:
    recipe, _ = accepted(tiny, call)
    write_recipe(tiny, checks=f"{DROP}\n{AGAINST}\n{SQNR}", parameters=WORSE)
    code, out, _ = call("apply", recipe)
    assert code == 1
    assert "absolute drop of sqnr against the baseline is" in out
    code, out, _ = call("baseline", "compare", recipe, "--json")
    (entry,) = json.loads(out)["baselines"]
    found = entry["comparisons"]["sqnr"]
    assert (code, found["change"]) == (1, "worse")
    low, high = found["interval"]
    assert 0 < low < found["worse_by"] < high


def test_another_environment_is_never_compared_silently(tiny: Path, call: Any) -> None:
    recipe, file = accepted(tiny, call)
    other_environment(file)
    _, out, _ = call("plan", recipe)
    assert "there is one for 'cpu-amx-2020.1', which says nothing here" in " ".join(out.split())
    code, out, err = call("apply", recipe)
    assert (code, out.count("SKIPPED")) == (0, 2)
    assert "warning: check 'kept' was skipped: no baseline was accepted for 'cpu-" in err
    assert call("apply", recipe, "--strict")[0] == 1
    code, out, _ = call("baseline", "compare", recipe)
    assert (code, "no baseline was accepted for" in out) == (0, True)
    assert call("baseline", "compare", recipe, "--strict")[0] == 1


def test_other_samples_are_not_compared(tiny: Path, call: Any) -> None:
    recipe, _ = accepted(tiny, call)
    with np.load(tiny / "data.npz") as data:
        x, y = data["x"], data["y"]
    np.savez(tiny / "data.npz", x=x + 1e-3, y=y)
    code, out, _ = call("apply", recipe, "--json")
    checks = {each["id"]: each for each in json.loads(out)["reports"][0]["checks"]}
    assert (code, checks["kept"]["status"], checks["drop"]["status"]) == (0, "skipped", "pass")
    assert "it was evaluated on other samples" in checks["kept"]["message"]


def test_results_of_another_recipe_are_not_accepted(tiny: Path, call: Any) -> None:
    recipe, file = accepted(tiny, call)
    before = file.read_text()
    write_recipe(tiny, checks=DROP, parameters="preset: performance")
    code, _, err = call("baseline", "accept", recipe)
    assert code == 2
    assert "can't be accepted: the recipe has changed since" in err
    assert file.read_text() == before


def test_results_of_another_recipe_are_not_compared(tiny: Path, call: Any) -> None:
    recipe, _ = accepted(tiny, call)
    write_recipe(tiny, checks=DROP, parameters="preset: performance")
    code, _, err = call("baseline", "compare", recipe)
    assert (code, "say nothing of the recipe as it is: the recipe has changed" in err) == (2, True)


def test_recipes_of_one_name_have_baselines_of_their_own(tiny: Path, call: Any) -> None:
    first = write_recipe(tiny, checks=f"{DROP}\n{AGAINST}")
    second = write_recipe(
        tiny, "other.yaml", checks=DROP, out=str(tiny / "other"), parameters=WORSE
    )
    assert call("baseline", "accept", "--run", first, second)[0] == 0
    assert sorted(each.name.partition(".")[0] for each in (tiny / "baselines").iterdir()) == [
        *("other", "tiny")
    ]
    assert call("baseline", "compare", first, second)[0] == 0


def test_a_baseline_is_of_one_file(tiny: Path, call: Any) -> None:
    """Of another one whose baseline has the same path nothing is taken, and nothing replaced."""
    _, file = accepted(tiny, call)
    before = file.read_text()
    twin = write_recipe(tiny, "tiny.yml", checks=DROP, out=str(tiny / "twin"))
    for verb in ("baseline show", "plan", "baseline accept --run"):
        code, _, err = call(*verb.split(), twin)
        assert (code, f"{file}:1:1: it is the baseline of 'tiny.yaml' on 'cpu'" in err) == (2, True)
        assert "expected that of 'tiny.yml' on 'cpu'" in err
        assert "rename one of the recipes" in " ".join(err.split())
    assert file.read_text() == before


def test_a_baseline_is_of_one_profile(tiny: Path, call: Any) -> None:
    recipe = write_recipe(tiny)
    recipe.write_text(recipe.read_text() + "profiles: {few: {+datasets.validation.samples: 8}}\n")
    assert call("baseline", "accept", "--run", recipe, "--profile", "few")[0] == 0
    code, _, err = call("plan", write_recipe(tiny, "tiny.few.yaml", out=str(tiny / "few")))
    words = "the baseline of 'tiny.yaml' with the profile 'few' on 'cpu'"
    assert (code, words in err) == (2, True)


def test_a_recipe_may_be_given_another_name(tiny: Path, call: Any) -> None:
    recipe, _ = accepted(tiny, call)
    recipe.write_text(recipe.read_text().replace("name: tiny", "name: other"))
    assert call("baseline", "show", recipe)[0] == 0


def test_results_of_another_model_are_not_accepted(tiny: Path, call: Any) -> None:
    recipe, _ = accepted(tiny, call)
    model = tiny / "tiny.xml"
    model.write_text(model.read_text() + "<!-- edited -->")
    _, _, err = call("baseline", "accept", recipe)
    assert "the model has changed since" in err


@pytest.mark.parametrize("verb", ["accept", "compare"])
def test_results_on_other_samples_are_not_those_of_the_recipe(
    tiny: Path, call: Any, verb: str
) -> None:
    recipe, file = accepted(tiny, call)
    before = file.read_text()
    with np.load(tiny / "data.npz") as data:
        x, y = data["x"], data["y"]
    np.savez(tiny / "data.npz", x=x + 1e-3, y=y)
    code, _, err = call("baseline", verb, recipe)
    assert (code, "the validation data have changed since" in err) == (2, True)
    assert file.read_text() == before
    assert call("baseline", "accept", "--run", recipe)[0] == 0


@pytest.mark.parametrize(
    ("option", "words"),
    [("--no-evaluate", "nothing was evaluated"), ("--no-benchmark", "speed was not measured")],
)
def test_results_of_a_part_are_not_accepted(tiny: Path, call: Any, option: str, words: str) -> None:
    recipe = write_recipe(tiny, benchmark="benchmark: {seconds: 0.02, repeats: 1}\n")
    call("apply", recipe, option)
    code, _, err = call("baseline", "accept", recipe)
    assert (code, words in err) == (2, True)


def test_there_is_nothing_to_accept_without_a_run(tiny: Path, call: Any) -> None:
    code, _, err = call("baseline", "accept", write_recipe(tiny))
    assert code == 2
    assert "there are no results in" in err
    assert not (tiny / "baselines").exists()


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ('{"schema": }', "1:12", "no JSON"),
        ('{"schema": "recipe.report/1"}', "1:1", "its schema is 'recipe.report/1'"),
        ('{"schema": "recipe.baseline/1", "recipe": "x"}', "1:1", "a value is missing"),
        ("[]", "1:1", "its schema is None"),
    ],
)
def test_a_damaged_baseline_is_told_before_anything_runs(
    tiny: Path, call: Any, text: str, place: str, words: str
) -> None:
    recipe, file = accepted(tiny, call)
    write_recipe(tiny, checks=DROP)  # the report compares, even if no check does
    file.write_text(text)
    for verb in ("plan", "apply"):
        code, _, err = call(verb, recipe)
        assert code == 2
        assert f"{file}:{place}: " in err
        assert words in err
        assert "calibrate" not in err


def test_two_runs_are_compared_sample_by_sample(tiny: Path, call: Any) -> None:
    for out, parameters in (("a", "preset: mixed"), ("b", WORSE)):
        recipe = write_recipe(tiny, parameters=parameters, out=str(tiny / out))
        call("apply", recipe)
    code, out, _ = call("compare", tiny / "a", tiny / "b" / "report.json")
    assert code == 1
    assert "the recipes are not the same" in out
    assert "worse" in out
    code, out, _ = call("compare", tiny / "b", tiny / "a", "--json")
    assert code == 0
    assert json.loads(out)["comparisons"]["sqnr"]["change"] == "better"
    code, _, err = call("compare", tiny / "a", tiny / "c")
    assert (code, "no results of a run" in err) == (2, True)


def test_a_profile_has_a_baseline_of_its_own(tiny: Path, call: Any) -> None:
    recipe = write_recipe(tiny)
    recipe.write_text(recipe.read_text() + "profiles: {few: {+datasets.validation.samples: 8}}\n")
    assert call("baseline", "accept", "--run", recipe, "--profile", "few")[0] == 0
    (file,) = (tiny / "baselines").iterdir()
    assert file.name.startswith("tiny.few.cpu.")
    assert json.loads(file.read_text())["metrics"]["accuracy"]["n"] == 8


def test_a_baseline_damaged_after_planning_is_told_before_anything_runs(
    tiny: Path, call: Any
) -> None:
    path, file = accepted(tiny, call)
    (recipe,) = read(path)
    plan, phases = make_plan(recipe), list[str]()
    file.write_text("[]")
    with pytest.raises(RecipeError, match="its schema is None"):
        measure(recipe, plan=plan, progress=lambda phase, done, total: phases.append(phase))
    assert phases == []
