"""`recipe sensitivity` on the demo that ships."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import recipes
from runner.errors import RecipeError, UsageError
from runner.recipe.ignore import ignored_names, ignoring_step, write_ignored
from runner.recipe.read import read
from runner.recipe.recipe import StepSource
from tests.runner.cli.test_control import write as write_control_recipe
from tests.runner.tiny import write_recipe

SHIPPED = Path(recipes.__file__).parent


STEPS = """
steps:
  - id: quantize
    use: DefaultQuantization
    with: {preset: mixed}
"""


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A copy of the demo with steps of its own, which may be changed."""
    (tmp_path / "demo").mkdir()
    for file in (SHIPPED / "demo").glob("digits_*"):
        shutil.copy(file, tmp_path / "demo")
    text = (SHIPPED / "digits_cnn.yaml").read_text(encoding="utf-8")
    path = tmp_path / "digits_cnn.yaml"
    path.write_text(text + STEPS, encoding="utf-8")
    return path


def test_most_harmful_operations_come_first(digits: Path, call: Any) -> None:
    code, out, _ = call("sensitivity", digits, "--json")
    (found,) = json.loads(out)["sensitivities"]
    shares = [
        each["noise_share"] for each in found["operations"] if each["noise_share"] is not None
    ]
    assert (code, found["samples"], found["ignored"], found["metric"]) == (0, 32, [], None)
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=0.05)


def test_table(digits: Path, call: Any) -> None:
    code, out, _ = call("sensitivity", digits, "--top", 3)
    lines = out.splitlines()
    assert (code, lines[0]) == (0, "digits_cnn -> cpu: noise on 32 samples")
    assert lines[1].split()[:5] == ["operation", "type", "noise", "block", "weights"]
    assert lines[-1].endswith("more operations; see --top")
    assert len(lines) == 6


def test_patch_is_one_line_and_keeps_all_else(digits: Path, call: Any) -> None:
    before = digits.read_text().splitlines()
    code, out, _ = call("sensitivity", digits, "--patch", "--top", 2, "--json")
    (found,) = json.loads(out)["sensitivities"]
    after = digits.read_text().splitlines()
    changed = [line for line, old in zip(after, before, strict=True) if line != old]
    names = ", ".join(found["ignored"])
    assert (code, len(found["ignored"])) == (0, 2)
    assert changed == [f"    with: {{preset: mixed, ignored: {{scope: [{names}]}}}}"]
    assert list(digits.parent.glob("*digits_cnn.yaml*")) == [digits]


def test_patched_recipe_is_valid_and_reverts_them(digits: Path, call: Any) -> None:
    _, out, _ = call("sensitivity", digits, "--patch", "--top", 2)
    (recipe,) = read(digits)
    names = ignored_names(recipe)
    assert out.splitlines()[-1] == f"{digits}: ignores {', '.join(names)}"
    assert call("validate", digits)[0] == 0
    _, again, _ = call("sensitivity", digits, "--json")
    (found,) = json.loads(again)["sensitivities"]
    assert not {each["name"] for each in found["operations"]} & set(names)


def test_patch_of_what_is_ignored_already(digits: Path) -> None:
    (recipe,) = read(digits)
    write_ignored(recipe, ["a"])
    text = digits.read_text()
    with pytest.raises(UsageError, match="would not change"):
        write_ignored(recipe, ["a"])
    assert digits.read_text() == text


def test_line_ends_of_other_systems_stay(digits: Path) -> None:
    before = digits.read_bytes().replace(b"\n", b"\r\n")
    digits.write_bytes(before)
    (recipe,) = read(digits)
    write_ignored(recipe, ["a"])
    after = digits.read_bytes()
    assert after.count(b"\r\n") == after.count(b"\n") == before.count(b"\n")


def test_steps_that_ignore_nothing(tiny: Path) -> None:
    (recipe,) = read(write_recipe(tiny))
    steps = (StepSource(id="bias", use="FastBiasCorrection"),)
    with pytest.raises(RecipeError, match="none of the steps takes `ignored`"):
        ignoring_step(dataclasses.replace(recipe, steps=steps))


@pytest.mark.parametrize("one", ["reverted", "quantized"])
def test_by_metric(tiny: Path, call: Any, one: str) -> None:
    recipe = write_recipe(tiny)
    options = ("--by", "metric", "--one", one, "--samples", 5, "--json")
    code, out, _ = call("sensitivity", recipe, *options)
    (found,) = json.loads(out)["sensitivities"]
    drops = [each["drop"] for each in found["operations"]]
    assert (code, found["metric"], found["metric_samples"]) == (0, "accuracy", 5)
    assert drops == sorted(drops, reverse=True)


def test_noise_of_blocks(tmp_path: Path, call: Any) -> None:
    """Two branches into one sum share a range, so their readers are one block."""
    recipe = write_control_recipe(tmp_path, 2)
    _, out, _ = call("sensitivity", recipe, "--json")
    (found,) = json.loads(out)["sensitivities"]
    for each in found["operations"]:
        assert each["block"] == each["name"]
        assert each["block_noise_share"] == each["noise_share"]


@pytest.mark.parametrize("how", [["--by", "noise"], ["--by", "metric", "--unit", "block"]])
def test_the_recipe_that_was_patched_does_well(tmp_path: Path, call: Any, how: list[str]) -> None:
    recipe = write_control_recipe(tmp_path, 2, use="DefaultQuantization", parameters="")
    call("apply", recipe)
    before = json.loads((tmp_path / "out" / "report.json").read_text())
    assert before["metrics"]["accuracy"]["drop"] > 0.3
    code, out, _ = call("sensitivity", recipe, "--patch", *how, "--top", 1, "--json")
    assert (code, json.loads(out)["sensitivities"][0]["ignored"]) == (0, ["layer2"])
    assert call("apply", recipe)[0] == 0
    after = json.loads((tmp_path / "out" / "report.json").read_text())
    assert after["metrics"]["accuracy"]["drop"] < 0.1
    reasons = {each["name"]: each["reason"] for each in after["quantization"]["not_quantized"]}
    assert reasons["layer2"] == "ignored by the user"
