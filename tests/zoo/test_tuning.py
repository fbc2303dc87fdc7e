"""Tuning on the zoo's small models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.zoo.test_recipes import RECIPES, apply_all, pytestmark

__all__ = ["pytestmark"]

TUNED = (
    "--set=~steps.quantize.with.preset",
    "--set=steps.quantize.with.tune_hyperparams=true",
)


def noise(report: dict[str, Any]) -> float:
    """Signal to noise of the output on calibration samples; tuning compares on the others."""
    (output,) = report["outputs"]
    return float(output["sqnr_db"])


@pytest.mark.parametrize("name", ["resnet8", "fsdd_lstm"])
def test_tuning_neither_adds_noise_nor_loses_accuracy(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The defaults leave it little to gain here: of a dozen models none is surely better."""
    recipe = RECIPES / f"{name}.yaml"
    _, (plain,) = apply_all(recipe, tmp_path, capsys)
    code, (tuned,) = apply_all(recipe, tmp_path, capsys, *TUNED)
    assert len(tuned["tuning"]["trials"]) >= 8
    assert noise(tuned) >= noise(plain) - 0.2
    assert tuned["metrics"]["accuracy"]["drop"] <= plain["metrics"]["accuracy"]["drop"] + 0.003
    assert code == 0
