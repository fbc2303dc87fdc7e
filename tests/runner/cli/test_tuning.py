"""`tune_hyperparams` in recipes: by the metrics, and what the report says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quant.runtime import ov
from tests.harmful import classes
from tests.models import finish, linear, parameter
from tests.runner.cli.test_control import report, write

TUNED = "tune_hyperparams: true, use_fast_bias: true"


def write_below_zero(folder: Path, **changes: Any) -> Path:
    """A recipe of a linear layer whose inputs are all below zero: a symmetric range wastes half, so
    that `mixed` is better."""
    recipe, rng = write(folder, **changes), np.random.default_rng(0)
    x = parameter("x", 1, 16)
    head = linear(rng, x, (4, 16), "head")
    x_of = rng.uniform(-5, -3, (256, 1, 16)).astype(np.float32)
    model = finish([head], [x])
    ov.save_model(model, folder / "harmful.xml", compress_to_fp16=False)
    np.savez(folder / "data.npz", x=x_of[:, 0], y=classes(model, list(x_of)))
    return recipe


def parts(tmp_path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    tuning = report(tmp_path)["tuning"]
    return tuning, tuning["trials"]


@pytest.mark.parametrize(
    ("metric", "names"),
    [
        ("accuracy: {metric: accuracy}", {"accuracy"}),
        ("sqnr: {metric: agreement, compare: sqnr}", set()),
    ],
    ids=["accuracy", "outputs alone"],
)
def test_default_quantization_is_tuned(
    tmp_path: Path, call: Any, metric: str, names: set[str]
) -> None:
    changes = {"use": "DefaultQuantization", "parameters": TUNED, "metric": metric}
    recipe = write_below_zero(tmp_path, **changes)
    code, out, _ = call("apply", recipe)
    tuning, trials = parts(tmp_path)
    assert code == 0
    assert tuning["axes"] == ["preset", "activations", "weights"]
    assert set(trials[0]["values"]) == names
    assert (trials[0]["parameters"], trials[0]["is_better"]) == ({}, False)
    assert max(t["sqnr_db"] for t in trials if t["is_better"]) > trials[0]["sqnr_db"]
    assert f"tuning: {len(trials)} models compared on {tuning['samples']} samples" in out
    assert "Models that were compared" in (tmp_path / "out" / "report.html").read_text()


def test_what_was_chosen_gives_the_same_model(tmp_path: Path, call: Any) -> None:
    changes = {"use": "DefaultQuantization", "parameters": TUNED}
    call("apply", write_below_zero(tmp_path, **changes))
    tuned = (tmp_path / "out" / "harmful.bin").read_bytes()
    tuning, trials = parts(tmp_path)
    chosen = [t["parameters"] for t in trials if t["is_better"]][-1]
    edits = [f"--set=steps.DefaultQuantization.with.{k}={v}" for k, v in chosen.items()]
    plain = TUNED.replace("true", "false", 1)
    changes = {"use": "DefaultQuantization", "parameters": plain}
    call("apply", write_below_zero(tmp_path, **changes), *edits)
    assert tuning["parameters"]
    assert (tmp_path / "out" / "harmful.bin").read_bytes() == tuned


def test_the_plan_says_what_is_tuned(tmp_path: Path, call: Any) -> None:
    recipe = write(tmp_path, parameters=f"maximal_drop: 0.1, preset: mixed, {TUNED}")
    _, out, _ = call("plan", recipe)
    assert "where that misses the limit, activations, weights are chosen" in " ".join(out.split())
    _, out, _ = call("plan", recipe, "--json")
    assert json.loads(out)["plans"][0]["tuning"] == ["activations", "weights"]


def test_accuracy_control_tunes_where_the_limit_is_missed(tmp_path: Path, call: Any) -> None:
    code, _, _ = call("apply", write(tmp_path, 2, parameters=f"maximal_drop: 0.1, {TUNED}"))
    _, trials = parts(tmp_path)
    assert code == 0
    assert len(trials) > 1
    found = report(tmp_path)
    assert found["control"]["reached"]
    assert found["timings"]["calibration_s"] > 0
