"""Checks in recipes, from their words to the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.runner.tiny import write_recipe

PARTS = """\
  - {id: quantize, use: MinMaxQuantization, with: {preset: mixed}}
  - {id: correct, use: FastBiasCorrection}
"""
COMPOSITE = "  - use: DefaultQuantization\n    with: {preset: mixed}\n"


def checked(call: Any, recipe: Path, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the checks by their ids."""
    code, out, _ = call("apply", recipe, "--json", *options)
    return code, {each["id"]: each for each in json.loads(out)["reports"][0]["checks"]}


def test_the_model_of_an_earlier_step_is_compared_with(tiny: Path, call: Any) -> None:
    checks = (
        "  - {id: bits, metric: model_bytes, max_ratio: 1.0, against: step:quantize}\n"
        "  - {id: count, metric: quantized_operations, within: 0, against: step:quantize}\n"
        "  - {id: noise, metric: sqnr, within: 0, against: step:quantize}"
    )
    recipe = write_recipe(tiny, checks=checks)
    recipe.write_text(recipe.read_text().replace(COMPOSITE, PARTS))
    code, found = checked(call, recipe)
    assert code == 1
    assert [found[name]["status"] for name in ("bits", "count", "noise")] == [
        "pass",
        "pass",
        "fail",
    ]
    assert found["count"]["value"] == 0
    assert "against step quantize" in found["noise"]["message"]

    without = write_recipe(tiny, "b.yaml", checks="  - {metric: sqnr, min: 0}", out=str(tiny / "b"))
    alone = PARTS.splitlines(keepends=True)[0]
    without.write_text(without.read_text().replace(COMPOSITE, alone))
    _, out, _ = call("apply", without, "--json")
    quantized = json.loads(out)["reports"][0]["metrics"]["sqnr"]["quantized"]
    assert found["noise"]["reference"] == quantized  # the step's model is the one it makes alone


def test_a_step_is_not_evaluated_where_nothing_is(tiny: Path, call: Any) -> None:
    check = "  - {id: noise, metric: sqnr, within: 0, against: step:quantize}"
    recipe = write_recipe(tiny, checks=check)
    recipe.write_text(recipe.read_text().replace(COMPOSITE, PARTS))
    code, found = checked(call, recipe, "--no-evaluate")
    assert (code, found["noise"]["status"]) == (0, "skipped")


def test_what_is_known_or_minor_does_not_fail_the_run(tiny: Path, call: Any) -> None:
    checks = (
        "  - {id: known, metric: accuracy, min: 2, xfail: {reason: issue 12, until: 2999-01-01}}\n"
        "  - {id: minor, metric: accuracy, min: 2, severity: warning}\n"
        "  - {id: fixed, metric: accuracy, min: 0, xfail: {reason: issue 13}}"
    )
    recipe = write_recipe(tiny, checks=checks)
    code, out, err = call("apply", recipe)
    assert (code, "PASS" in out.splitlines()[0]) == (0, True)
    assert "warning: check 'minor' failed: accuracy is 1, expected at least 2" in err
    assert "warning: check 'fixed' passed: accuracy is 1, expected at least 0" in err
    assert "expected to fail (issue 13): remove its xfail" in err
    assert "'known'" not in err
    assert checked(call, recipe, "--strict")[0] == 1


def test_an_expected_failure_that_is_over_fails_the_run(tiny: Path, call: Any) -> None:
    check = "  - {id: known, metric: accuracy, min: 2, xfail: {reason: r, until: 2020-01-01}}"
    code, found = checked(call, write_recipe(tiny, checks=check))
    assert (code, found["known"]["status"]) == (1, "fail")


def test_what_a_process_holds_is_checked(tiny: Path, call: Any) -> None:
    checks = (
        "  - {id: memory, metric: peak_memory_bytes, max: 1e6}\n"
        "  - {id: noise, metric: output_sqnr_db, min: 20}\n"
        "  - {id: reverted, metric: reverted_operations, max: 0}"
    )
    code, found = checked(call, write_recipe(tiny, checks=checks))
    assert (code, found["memory"]["status"]) == (1, "fail")
    assert found["memory"]["value"] > 1e7
    assert (found["noise"]["status"], found["reverted"]["status"]) == ("pass", "pass")
