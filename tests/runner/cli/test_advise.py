"""`recipe advise` on nets that lose by known layers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quant.statistics import store
from runner import evaluate
from runner.advise import advise, rungs
from tests.runner.cli.test_control import report, write

EXPECT = "expect: [{id: drop, metric: accuracy, max_drop: 0.1}]\n"


def recipe_of(folder: Path, *harmful: int, expect: str = EXPECT, **changes: Any) -> Path:
    file = write(
        folder, *harmful, use="DefaultQuantization", **{"parameters": "seed: 0", **changes}
    )
    file.write_text(f"# a comment\n{file.read_text()}{expect}")
    return file


def advised(call: Any, *arguments: object) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """The exit code, the advice, and its attempts by rung (the last of each)."""
    code, out, _ = call("advise", *arguments, "--json")
    (found,) = json.loads(out)["advice"] or [{}]
    return code, found, {each["rung"]: each for each in found["attempts"]}


def test_the_written_recipe_gives_what_was_measured(tmp_path: Path, call: Any) -> None:
    recipe = recipe_of(tmp_path, 2)
    code, found, attempts = advised(call, recipe)
    assert (code, found["reached"]) == (0, True)
    assert next(iter(attempts)) == "as written"
    written = Path(found["written"])
    assert written == tmp_path / "harmful_advised.yaml"
    assert written.read_text().startswith("# a comment\n")
    assert call("apply", written)[0] == 0
    last = found["attempts"][-1]
    metric = report(tmp_path)["metrics"]["accuracy"]
    assert metric["drop"] == last["limits"][0]["value"]
    assert report(tmp_path)["quantization"]["quantized"] == last["quantized_operations"]


@pytest.mark.parametrize("make_rung", [rungs.ignored_layers, rungs.accuracy_aware, rungs.tuning])
def test_every_search_ends_in_parameters_to_keep(
    tmp_path: Path, call: Any, monkeypatch: pytest.MonkeyPatch, make_rung: Any
) -> None:
    monkeypatch.setattr(advise, "LADDER", (make_rung,))
    recipe = recipe_of(tmp_path, 2, parameters="preset: performance, use_fast_bias: true")
    code, found, attempts = advised(call, recipe)
    assert (code, attempts.popitem()[1]["outcome"]) == (0, "reached")
    assert "AccuracyAware" not in Path(found["written"]).read_text()
    assert call("apply", found["written"])[0] == 0
    (limit,) = found["attempts"][-1]["limits"]
    assert report(tmp_path)["metrics"]["accuracy"]["drop"] == limit["value"]


def test_a_recipe_that_keeps_its_limit_stays(tmp_path: Path, call: Any) -> None:
    recipe = recipe_of(tmp_path, expect=EXPECT.replace("0.1", "0.9"))
    code, found, attempts = advised(call, recipe)
    assert (code, found["written"], list(attempts)) == (0, "", ["as written"])
    assert found["reason"] == "the recipe keeps its limit as it is written"
    assert not list(tmp_path.glob("*_advised*"))


def test_a_limit_that_no_rung_keeps(
    tmp_path: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advise, "LADDER", (rungs.mixed_preset, rungs.model_type))
    recipe = recipe_of(tmp_path, 2, 3)
    code, out, _ = call("advise", recipe)
    assert code == 1
    assert "no rung keeps the limit; what is left is quantization-aware training" in out
    assert "model type: skipped, the model has no attention" in out
    assert "limit: absolute drop of accuracy at most 0.1" in out
    assert not list(tmp_path.glob("*_advised*"))


@pytest.mark.parametrize(
    ("parameters", "skipped"),
    [
        ("preset: mixed", {"mixed preset": "the preset is mixed already"}),
        ("use_fast_bias: false", {"full bias correction": "it is on already"}),
        ("model_type: transformer", {"model type": "it is transformer already"}),
        ("range_estimator: {preset: mse}", {"range estimator": "the recipe has one already"}),
        ("tune_hyperparams: true, preset: mixed", {"tuning": "the recipe tunes already"}),
        ("stat_subset_size: 32", {"more samples": "all 32 calibration samples are used already"}),
    ],
)
def test_rungs_that_can_not_apply_say_why(
    tmp_path: Path,
    call: Any,
    monkeypatch: pytest.MonkeyPatch,
    parameters: str,
    skipped: dict[str, str],
) -> None:
    (name,) = skipped
    chosen = [each for each in rungs.LADDER if each.__name__ == name.replace(" ", "_")]
    monkeypatch.setattr(advise, "LADDER", tuple(chosen))
    recipe = recipe_of(tmp_path, 2, parameters=parameters)
    _, _, attempts = advised(call, recipe, "--no-write")
    assert {name: attempts[name]["note"]} == skipped


def test_samples_are_added(tmp_path: Path, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advise, "LADDER", (rungs.more_samples,))
    recipe = recipe_of(tmp_path, 2, parameters="stat_subset_size: 4")
    _, _, attempts = advised(call, recipe, "--no-write")
    (change,) = attempts["more samples"]["changes"]
    assert change == "steps.DefaultQuantization.with.stat_subset_size=32"


def test_a_limit_from_the_command_line(tmp_path: Path, call: Any) -> None:
    recipe = recipe_of(tmp_path, expect="")
    code, _, err = call("advise", recipe)
    assert code == 2
    assert "expects no max_drop; add one, or give --max-drop" in err
    code, found, _ = advised(call, recipe, "--max-drop", 0.9)
    assert (code, found["attempts"][0]["limits"][0]["bound"]) == (0, 0.9)
    code, _, err = call("advise", recipe, "--max-drop", 0.1, "--metric", "acuracy")
    assert code == 2
    assert "did you mean 'accuracy'?" in err


def test_what_is_written_starts_from_the_file(tmp_path: Path, call: Any) -> None:
    recipe = recipe_of(tmp_path)
    code, _, err = call("advise", recipe, "--set", "metadata.title=x")
    assert code == 2
    assert "or give --no-write" in err


def test_nothing_is_inferred_twice(
    tmp_path: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the calibration, which serves both presets, nor FP32 on the validation data."""
    passes: list[int] = []
    collect_needs, infer_answers = store.collect_needs, evaluate._pairs
    monkeypatch.setattr(
        store, "collect_needs", lambda *given: (passes.append(1), collect_needs(*given))[1]
    )
    fp32: list[bool] = []
    monkeypatch.setattr(
        evaluate,
        "_pairs",
        lambda *given: (fp32.append(given[0] is not None), infer_answers(*given))[1],
    )
    monkeypatch.setattr(advise, "LADDER", (rungs.mixed_preset,))
    _, found, _ = advised(call, recipe_of(tmp_path, 2), "--no-write", "--no-cache")
    assert len(found["attempts"]) == 2
    assert (len(passes), fp32) == (1, [True, False])
