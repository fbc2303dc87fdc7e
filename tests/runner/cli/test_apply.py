from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.runner.tiny import DROP, IMPOSSIBLE, SPEED, write_recipe

FAST = "benchmark: {seconds: 0.05, repeats: 2}\n"


def written(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_whole_way(tiny: Path, call: Any) -> None:
    recipe = write_recipe(tiny, checks=f"{DROP}\n{SPEED}", benchmark=FAST, reports="json, html")
    code, out, err = call("apply", recipe)
    assert (code, written(tiny / "out" / "cpu")) == (
        0,
        [
            "outcomes.json",
            "plan.json",
            "report.html",
            "report.json",
            "resolved.json",
            "tiny.bin",
            "tiny.xml",
        ],
    )
    assert "tiny -> cpu: PASS" in out
    assert f"{recipe}:18:44" in out
    assert "calibrate (24)" in err
    assert "\x1b" not in out + err


def test_missed_check(tiny: Path, call: Any) -> None:
    recipe = write_recipe(tiny, checks=IMPOSSIBLE)
    code, out, _ = call("apply", recipe)
    assert code == 1
    assert "FAIL" in out
    assert "accuracy is 1, expected at least 2" in out
    assert f"{recipe}:17:40" in out
    assert (tiny / "out" / "cpu" / "report.json").exists()


def test_json_is_one_document(tiny: Path, call: Any) -> None:
    code, out, _ = call("apply", write_recipe(tiny), "--json")
    content = json.loads(out)
    assert (code, content["ok"], content["exit_code"], content["errors"]) == (0, True, 0, [])
    (report,) = content["reports"]
    assert report == json.loads((tiny / "out/cpu/report.json").read_text())


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"parameters": "presett: mixed"}, 2, "unknown key 'presett'"),
        ({"parameters": "ignored: {scope: [nope]}"}, 2, "no operation is named 'nope'"),
        ({"model": "corrupt.xml"}, 3, "OpenVINO can't read this model"),
        ({"targets": "npu", "benchmark": FAST, "checks": SPEED}, 4, "npu"),
    ],
    ids=["schema", "graph", "corrupt", "device"],
)
def test_errors(tiny: Path, call: Any, changes: dict[str, str], code: int, words: str) -> None:
    (tiny / "corrupt.xml").write_text("<net")
    (tiny / "corrupt.bin").touch()
    recipe = write_recipe(tiny, **changes)
    found, out, err = call("apply", recipe)
    assert (found, out) == (code, "")
    assert words in err
    assert "Traceback" not in err
    assert not (tiny / "out").exists()
    found, out, _ = call("apply", recipe, "--json")
    content = json.loads(out)
    assert (found, content["ok"], content["exit_code"]) == (code, False, code)
    assert words in content["errors"][0]["message"]


def test_error_in_json_has_its_place(tiny: Path, call: Any) -> None:
    recipe = write_recipe(tiny, parameters="ignored: {scope: [nope]}")
    _, out, _ = call("plan", recipe, "--json")
    (error,) = json.loads(out)["errors"]
    assert (error["path"], error["line"], error["column"]) == (str(recipe), 11, 30)


def test_traceback_only_with_debug(tiny: Path, call: Any) -> None:
    (tiny / "corrupt.xml").write_text("<net")
    (tiny / "corrupt.bin").touch()
    recipe = write_recipe(tiny, model="corrupt.xml")
    assert len(call("apply", recipe)[2].strip().splitlines()) == 2  # the phase, the error
    assert "Traceback" in call("apply", recipe, "--debug")[2]


def test_one_failing_does_not_stop_the_others(tiny: Path, call: Any) -> None:
    write_recipe(tiny, "a_broken.yaml", parameters="presett: 1")
    write_recipe(tiny, "b_failing.yaml", checks=IMPOSSIBLE, out=str(tiny / "b"))
    write_recipe(tiny, "c_good.yaml", out=str(tiny / "c"))
    code, out, err = call("apply", tiny)
    assert code == 2
    assert "a_broken.yaml:11:12" in err
    assert out.count("tiny -> cpu") == 2
    assert (tiny / "b" / "tiny.xml").exists()
    assert (tiny / "c" / "tiny.xml").exists()


def test_crash_outweighs_a_missed_check(tiny: Path, call: Any) -> None:
    (tiny / "corrupt.xml").write_text("<net")
    (tiny / "corrupt.bin").touch()
    crashing = write_recipe(tiny, "a.yaml", model="corrupt.xml")
    failing = write_recipe(tiny, "b.yaml", checks=IMPOSSIBLE, out=str(tiny / "b"))
    assert call("apply", crashing, failing)[0] == 3


def test_same_mistake_for_two_targets_is_told_once(tiny: Path, call: Any) -> None:
    recipe = write_recipe(tiny, targets="cpu, npu", parameters="ignored: {scope: [nope]}")
    assert call("plan", recipe)[2].count("no operation is named") == 1


def test_target_selects(tiny: Path, call: Any) -> None:
    recipe = write_recipe(tiny, targets="cpu, npu")
    _, out, _ = call("plan", recipe, "--target", "npu", "--json")
    assert [plan["target"] for plan in json.loads(out)["plans"]] == ["npu"]


@pytest.mark.parametrize("targets", [[], ["--target", "npuu"]], ids=["empty folder", "target"])
def test_nothing_selected(tiny: Path, call: Any, targets: Sequence[str]) -> None:
    if targets:
        write_recipe(tiny)
    for verb in ("apply", "plan", "validate"):
        code, _, err = call(verb, tiny, *targets)
        assert code == 5
        assert "nothing selected" in err


MY_DEVICE = """\
hardware: 1
name: my_device
runtime: {device: null, emulate_on: CPU}
schemes:
  a: {bits: 16, mode: symmetric, granularity: pertensor}
  w: {bits: 4, mode: symmetric, granularity: perchannel}
operations:
  - {op: [Convolution, MatMul], activations: a, weights: w}
"""


@pytest.mark.parametrize("target", ["gna", "gna3", "vpu", "npu", "gpu", "./my_device.yaml"])
def test_emulated(target: str, tiny: Path, call: Any) -> None:
    (tiny / "my_device.yaml").write_text(MY_DEVICE)
    recipe = write_recipe(tiny, targets=target, benchmark=FAST)
    code, out, err = call("apply", recipe)
    assert code == 0
    name = Path(target).stem
    report = json.loads((tiny / "out" / Path(target).name / "report.json").read_text())
    assert (report["emulated"], "performance" in report) == (True, False)
    assert report["quantization"]["quantized"] > 0
    assert f"tiny -> {name} (emulated on CPU)" in out
    assert "throughput" not in out
    assert "its speed is not measured" in err
    assert call("apply", recipe, "--require-device")[0] == 4


def test_skipped_parts(tiny: Path, call: Any) -> None:
    recipe = write_recipe(tiny, checks=f"{IMPOSSIBLE}\n{SPEED}", benchmark=FAST)
    code, out, err = call("apply", recipe, "--no-evaluate", "--no-benchmark")
    assert code == 0
    assert out.count("SKIPPED") == 2
    assert "warning: check 'floor' was skipped" in err
    assert "warning: check 'speed' was skipped" in err


def test_bad_sample_names_its_file(tiny: Path, call: Any) -> None:
    import numpy as np

    np.savez(tiny / "data.npz", x=np.zeros((4, 1, 8, 8), np.float32), y=np.array([0, 1, 2, 9]))
    code, _, err = call("apply", write_recipe(tiny))
    assert code == 3
    assert f"{tiny}/data.npz: sample '3' has the label 9" in err
    assert f"partial results are in {tiny}/out/cpu.partial" in err
    assert written(tiny / "out") == ["cpu.partial"]


def test_pinned_model(tiny: Path, call: Any) -> None:
    pin = "0" * 64
    recipe = write_recipe(tiny, model=f"tiny.xml, sha256: '{pin}'")
    code, _, err = call("plan", recipe)
    assert code == 2
    assert f"{recipe}:4:33: tiny.xml is another model than this pins" in err


def test_unknown_input(tiny: Path, call: Any) -> None:
    recipe = write_recipe(tiny, model="tiny.xml, inputs: {y: [1, 1, 8, 8]}")
    code, _, err = call("plan", recipe)
    assert code == 2
    assert "the model has no input 'y'" in err


def test_metric_without_labels(tiny: Path, call: Any) -> None:
    import numpy as np

    np.savez(tiny / "data.npz", x=np.zeros((4, 1, 8, 8), np.float32))
    code, _, err = call("plan", write_recipe(tiny))
    assert code == 2
    assert ":14:24: the metric 'accuracy' needs labels" in err


def test_interrupt(tiny: Path, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    good = write_recipe(tiny, "a.yaml")
    monkeypatch.setattr("runner.run.evaluate", interrupt)
    code, out, err = call("apply", good, write_recipe(tiny, "b.yaml"), "--json")
    assert code == 130
    assert json.loads(out)["exit_code"] == 130
    assert err.count("interrupted") == 1
    assert written(tiny / "out") == ["cpu.partial"]


def test_missing_extra_is_found_first(
    tiny: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.requirements.can_render_html", lambda: False)
    code, _, err = call("apply", write_recipe(tiny, reports="html"))
    assert code == 4
    assert "pip install 'recipe-runner[report]'" in err
    assert not (tiny / "out").exists()


def test_missing_root(tiny: Path, call: Any) -> None:
    recipe = write_recipe(tiny, model="nowhere://tiny.xml")
    code, _, err = call("apply", recipe)
    assert code == 4
    assert "RECIPE_ROOT_NOWHERE" in err
    assert call("plan", recipe, "--root", f"nowhere={tiny}")[0] == 0


def test_variable(tiny: Path, call: Any) -> None:
    recipe = write_recipe(tiny, parameters='preset: "${preset}"')
    recipe.write_text(recipe.read_text().replace("recipe: 1", "recipe: 1\nvars: {preset: mixed}"))
    assert call("plan", recipe, "--var", "preset=performance")[0] == 0
    assert call("plan", recipe, "--var", "preset=fast")[0] == 2
    assert call("plan", recipe, "--var", "presett=mixed")[0] == 2


def test_plan_names_every_operation(tiny: Path, call: Any) -> None:
    code, out, _ = call("plan", write_recipe(tiny))
    assert code == 0
    assert "conv_0" in out
    assert "int8 symmetric perchannel" in out
    assert "check drop: accuracy max_drop 0.5, absolute" in out


def test_same_json_plan(tiny: Path, call: Any) -> None:
    recipe = write_recipe(tiny)
    assert call("plan", recipe, "--json")[1] == call("plan", recipe, "--json")[1]


def test_results_never_replace_the_model_they_are_made_from(tiny: Path, call: Any) -> None:
    recipe = write_recipe(tiny, out=str(tiny), model="tiny.xml")
    before = (tiny / "tiny.xml").read_bytes()
    code, _, err = call("apply", recipe)
    assert code == 2
    assert "would overwrite the model" in err
    assert f"{recipe}:" in err
    assert (tiny / "tiny.xml").read_bytes() == before


def test_two_recipes_do_not_share_a_folder(tiny: Path, call: Any) -> None:
    first = write_recipe(tiny)
    second = first.with_name("second.yaml")
    second.write_text(first.read_text())
    code, _, err = call("apply", first, second)
    assert code == 2
    assert "go to the same folder" in err


def test_a_defect_in_one_recipe_does_not_stop_the_others(
    tiny: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import runner.apply

    real = runner.apply.apply_recipe

    def broken(recipe: Any, **options: Any) -> Any:
        if recipe.path.name == "a.yaml":
            message = "a defect"
            raise ValueError(message)
        return real(recipe, **options)

    monkeypatch.setattr(runner.apply, "apply_recipe", broken)
    first = write_recipe(tiny, "a.yaml", out=str(tiny / "a"))
    code, out, _ = call("apply", first, write_recipe(tiny, "b.yaml"), "--json")
    content = json.loads(out)
    assert code == 3
    assert content["errors"][0]["message"].endswith("a defect")
    assert len(content["reports"]) == 1


def test_a_device_that_is_missing_has_its_place(tiny: Path, call: Any) -> None:
    recipe = write_recipe(tiny, targets="npu", checks=SPEED, benchmark=FAST)
    place = recipe.read_text().splitlines().index(SPEED) + 1
    _, out, err = call("apply", recipe, "--json")
    (error,) = json.loads(out)["errors"]
    assert (error["path"], error["line"], error["column"]) == (
        str(recipe),
        place,
        SPEED.index(": 0.01") + 3,
    )
    assert err.splitlines()[-1].count(str(recipe)) == 1


@pytest.mark.parametrize("verb", ["validate", "plan", "apply"])
def test_a_speed_on_a_target_without_any_device_is_an_error(
    tiny: Path, call: Any, verb: str
) -> None:
    recipe = write_recipe(tiny, targets="cpu, gna", checks=SPEED, benchmark=FAST)
    code, _, err = call(verb, recipe, "--target", "gna")
    assert code == 2
    assert f"{recipe}:18:25: 'throughput' means nothing on the target 'gna'" in err
    assert "when: {emulated: false}" in err


def test_a_condition_keeps_a_speed_off_targets_without_a_device(tiny: Path, call: Any) -> None:
    check = "  - {id: s, metric: throughput, min_speedup: 0.01, when: {emulated: false}}"
    recipe = write_recipe(tiny, targets="cpu, gna", checks=check, benchmark=FAST)
    code, out, _ = call("apply", recipe, "--json")
    assert code == 0
    reports = {each["target"]: each["checks"][0] for each in json.loads(out)["reports"]}
    assert reports["cpu"]["status"] == "pass"
    assert reports["gna"]["status"] == "skipped"
    assert "only when emulated is False" in reports["gna"]["message"]


def test_what_the_samples_can_not_decide_is_told_beforehand(tiny: Path, call: Any) -> None:
    """24 samples: a drop of 0.01 is a quarter of one, and no interval is that narrow."""
    point = "  - {id: p, metric: accuracy, max_drop: 0.01}"
    interval = "  - {id: i, metric: accuracy, max_drop: 0.01, confidence: 0.95}"
    recipe = write_recipe(tiny, checks=f"{point}\n{interval}")
    _, out, _ = call("plan", recipe)
    text = " ".join(out.split())
    assert "check 'p': 0.01 is 0.24 of a sample of 24: a single answer decides" in text
    assert "check 'i': 24 samples can't show that max_drop 0.01 holds at 95 %" in text
    code, out, err = call("apply", recipe)
    assert (code, "INCONCLUSIVE" in out) == (0, True)
    assert "warning: check 'i' was inconclusive" in err
    assert call("apply", recipe, "--strict")[0] == 1


def test_the_results_are_named(tiny: Path, call: Any) -> None:
    _, out, _ = call("apply", write_recipe(tiny, reports="html, json"))
    assert "report.html" in out.splitlines()[-1]
    assert "report.json" in out.splitlines()[-1]


def test_a_request_that_can_not_be_met_is_shown_at_its_key(tiny: Path, call: Any) -> None:
    recipe = write_recipe(tiny, parameters="weights: {bits: 2, mode: symmetric}")
    err = call("plan", recipe)[2]
    assert f"{recipe}:11:12: the target 'cpu' can't run weights" in err
    assert err.splitlines()[2].endswith("| " + " " * 11 + "^" * len("weights"))
