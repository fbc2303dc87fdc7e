"""AccuracyAwareQuantization on the command line: the limit, the report, a killed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quant.runtime import F32, core, ov
from tests.harmful import classes, harmful_net, harmful_samples

RECIPE = """\
recipe: 1
name: harmful
model: {{path: harmful.xml}}
datasets:
  calibration: {{loader: npz, path: data.npz, samples: 32}}
  validation: {{loader: npz, path: data.npz}}
targets: [{target}]
steps:
  - use: {use}
    with: {{use_smooth_quant: false, use_channel_alignment: false, {parameters}}}
evaluate:
  metrics:
    {metric}
outputs: {{dir: "{out}", reports: [json, html]}}
"""
LIMIT = "maximal_drop: 0.1"


def write(folder: Path, *harmful: int, **changes: Any) -> Path:
    """A recipe beside a net with these harmful layers, FP32's classes as labels."""
    model, samples = harmful_net(*harmful), harmful_samples()
    ov.save_model(model, folder / "harmful.xml", compress_to_fp16=False)
    x = np.concatenate(samples)
    np.savez(folder / "data.npz", x=x, y=classes(model, samples))
    words = {
        "target": "cpu",
        "use": "AccuracyAwareQuantization",
        "parameters": LIMIT,
        "metric": "accuracy: {metric: accuracy}",
        "out": folder / "out",
    }
    path = folder / "harmful.yaml"
    path.write_text(RECIPE.format(**{**words, **changes}), encoding="utf-8")
    return path


def report(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "out" / "report.json").read_text())
    return content


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"metric": "agreement: {metric: agreement}"},
        {"parameters": f"{LIMIT}, annotation_free: true"},
        {"parameters": f"{LIMIT}, annotation_free: true, metric_subset_ratio: 0.5"},
        {"parameters": f"{LIMIT}, metric_subset_ratio: 0.2, ranking_subset_size: 30"},
        {"parameters": f"{LIMIT}, drop_type: relative, unit: block, metrics: [accuracy]"},
        {"parameters": f"{LIMIT}, baseline_value: {{accuracy: 0.99}}"},
    ],
    ids=[
        "labels",
        "agreement",
        "annotation_free",
        "free_ranking",
        "ranking",
        "relative",
        "baseline_value",
    ],
)
def test_the_harmful_layer_is_reverted(tmp_path: Path, call: Any, changes: dict[str, str]) -> None:
    code, out, _ = call("apply", write(tmp_path, 2, **changes))
    found = report(tmp_path)
    assert (code, found["verdict"]) == (0, "pass")
    assert found["quantization"]["reverted"] == ["layer2"]
    assert found["control"]["reached"]
    assert "accuracy control: reached with 1 operations reverted" in out
    assert "    - layer2" in out
    assert not list(tmp_path.glob(".out*"))


def test_pasted_parameters_give_the_same_model(tmp_path: Path, call: Any) -> None:
    call("apply", write(tmp_path, 1, 3))
    model = (tmp_path / "out" / "harmful.bin").read_bytes()
    pasted = "ignored: {scope: [layer1, layer3]}"
    assert report(tmp_path)["control"]["parameters"] == (
        "preset: performance\nignored:\n  scope:\n  - layer1\n  - layer3\n"
    )
    call("apply", write(tmp_path, 1, 3, use="DefaultQuantization", parameters=pasted))
    assert (tmp_path / "out" / "harmful.bin").read_bytes() == model


def test_weights_of_16_bits_on_gna3(tmp_path: Path, call: Any) -> None:
    code, _, _ = call("apply", write(tmp_path, 2, target="gna3"))
    found = report(tmp_path)
    last = found["control"]["trials"][-1]
    assert (code, found["quantization"]["reverted"]) == (0, ["layer2"])
    assert [t["fp32"] for t in found["control"]["trials"] if t["fp32"]] == []
    assert "bits: 16" in found["control"]["parameters"]
    assert last["meets"] or last["int16"] != ["layer2"]


def test_a_missed_limit_is_exit_1_with_the_best_model(tmp_path: Path, call: Any) -> None:
    recipe = write(tmp_path, 1, 3, parameters="maximal_drop: 0, max_iter_num: 1")
    code, out, _ = call("apply", recipe)
    found = report(tmp_path)
    (check,) = found["checks"]
    assert (code, found["verdict"], check["status"]) == (1, "fail", "fail")
    assert (check["id"], check["bound"]) == ("AccuracyAwareQuantization", 0)
    assert f"{recipe}:10:" in check["where"]
    assert "after 2 models: the budget is spent" in check["message"]
    assert check["value"] == found["metrics"]["accuracy"]["drop"]  # on all samples
    assert found["control"]["trials"][-1]["samples"] < found["metrics"]["accuracy"]["n"]
    assert (len(found["control"]["trials"]), found["control"]["reached"]) == (2, False)
    assert (tmp_path / "out" / "harmful.xml").exists()
    assert "accuracy control: missed" in out
    assert "MISSED" in (tmp_path / "out" / "report.html").read_text()


def test_a_missed_limit_can_be_an_error(tmp_path: Path, call: Any) -> None:
    parameters = "maximal_drop: 0, max_iter_num: 1, on_miss: fail"
    code, _, err = call("apply", write(tmp_path, 1, 3, parameters=parameters))
    assert code == 1
    assert "the limit of the drop was missed: the budget is spent" in err
    assert not (tmp_path / "out").exists()


def test_a_missed_limit_has_its_place(tmp_path: Path, call: Any) -> None:
    recipe = write(tmp_path, 1, 3, parameters="maximal_drop: 0, max_iter_num: 1, on_miss: fail")
    column = recipe.read_text().splitlines()[9].index("0, max_iter_num") + 1
    (error,) = json.loads(call("apply", recipe, "--json")[1])["errors"]
    assert (error["path"], error["line"], error["column"]) == (str(recipe), 10, column)
    assert error["message"].startswith("the limit of the drop was missed: the budget is spent")
    assert f"error: {recipe} [cpu]: {recipe}:10:{column}: the limit" in call("apply", recipe)[2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parameters": "metrics: [acuracy]"}, "10:77: unknown metric 'acuracy'"),
        ({"parameters": "baseline_value: {top: 1}"}, "10:84: unknown metric 'top'"),
        (
            {"metric": "sqnr: {metric: agreement, compare: sqnr}"},
            "the metric 'sqnr' has no finite value of FP32 that it could drop from",
        ),
        ({"parameters": "base_algorithm: x"}, "unknown key 'base_algorithm'"),
        (
            {"parameters": "revert_to: [int16]"},
            "10:78: found int16 alone, and the target has no weights of 16 bits; expected fp32",
        ),
        ({"parameters": "alpha: 0.5"}, "'alpha' needs SmoothQuant"),
        (
            {"parameters": "use_bias_correction: false, use_fast_bias: true"},
            "'use_fast_bias' has no effect with `use_bias_correction: false`",
        ),
    ],
    ids=["metric", "baseline", "sqnr", "base_algorithm", "int16", "alpha", "bias"],
)
def test_errors(tmp_path: Path, call: Any, changes: dict[str, str], words: str) -> None:
    code, _, err = call("apply", write(tmp_path, 2, **changes))
    assert code == 2
    assert words in err


def test_metrics_are_needed(tmp_path: Path, call: Any) -> None:
    recipe = write(tmp_path, 2)
    text = recipe.read_text().replace(
        "evaluate:\n  metrics:\n    accuracy: {metric: accuracy}\n", ""
    )
    recipe.write_text(text.replace("  validation: {loader: npz, path: data.npz}\n", ""))
    code, _, err = call("validate", recipe)
    assert code == 2
    assert "8:10: AccuracyAwareQuantization needs metrics" in err


def test_the_plan_says_what_is_looked_for(tmp_path: Path, call: Any) -> None:
    _, out, _ = call("plan", write(tmp_path, 2))
    assert "until the absolute drop of accuracy is at most 0.1" in " ".join(out.split())
    _, out, _ = call("plan", write(tmp_path, 2), "--json")
    (plan,) = json.loads(out)["plans"]
    assert (plan["control"]["metrics"], plan["control"]["revert_to"]) == (["accuracy"], ["fp32"])


def apply_in_process(recipe: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "RECIPE_CACHE": str(recipe.parent / "cache")}
    command = [sys.executable, "-m", "runner", "apply", str(recipe)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def tried(content: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(t["fp32"], t["drops"], t["samples"]) for t in content["control"]["trials"]]


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    recipe, trials = write(tmp_path, 1, 3), tmp_path / ".out.trials.jsonl"
    assert apply_in_process(recipe).wait() == 0
    whole = report(tmp_path)
    running = apply_in_process(recipe)
    while not trials.exists() or trials.read_text().count("\n") < 3:
        assert running.poll() is None
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()
    held = [json.loads(line)["seconds"] for line in trials.read_text().splitlines()[1:]]
    assert len(held) >= 2
    assert apply_in_process(recipe).wait() == 0
    again = report(tmp_path)
    assert again["quantization"]["reverted"] == whole["quantization"]["reverted"]
    assert tried(again) == tried(whole)
    assert [t["seconds"] for t in again["control"]["trials"]][: len(held)] == held
    assert not trials.exists()


def test_only_sure_answers_stand_in_for_labels(tmp_path: Path, call: Any) -> None:
    parameters = f"{LIMIT}, annotation_free: true, annotation_conf_threshold: "
    read = []
    for threshold in (0, 0.45, 0.6):
        call("apply", write(tmp_path, parameters=f"{parameters}{threshold}"))
        (trial,) = report(tmp_path)["control"]["trials"]
        read.append(trial["samples"])
    model = core().compile_model(harmful_net(), "CPU", F32)
    scores = [model(x)[0][0] for x in harmful_samples()]
    sure = [max(np.exp(each) / np.exp(each).sum()) for each in scores]
    assert read == [256, sum(p >= 0.45 for p in sure), sum(p >= 0.6 for p in sure)]
    assert 256 > read[1] > read[2] > 0


def test_no_answer_is_sure_enough(tmp_path: Path, call: Any) -> None:
    parameters = f"{LIMIT}, annotation_free: true, annotation_conf_threshold: 1"
    code, _, err = call("apply", write(tmp_path, parameters=parameters))
    assert code == 2
    assert "of no sample's class" in err
    assert "lower annotation_conf_threshold" in err


def test_a_larger_budget_goes_on(tmp_path: Path, call: Any) -> None:
    trials = tmp_path / ".out.trials.jsonl"
    code, _, _ = call("apply", write(tmp_path, 1, 3, parameters=f"{LIMIT}, max_iter_num: 1"))
    first = report(tmp_path)["control"]["trials"]
    assert (code, len(first)) == (1, 2)
    assert trials.exists()
    code, _, _ = call("apply", write(tmp_path, 1, 3, parameters=f"{LIMIT}, max_iter_num: 90"))
    found = report(tmp_path)["control"]
    assert (code, found["reached"], found["trials"][:2]) == (0, True, first)
    assert not trials.exists()
