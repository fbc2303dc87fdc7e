"""Accuracy control on the zoo: limits that full quantization misses, and a net that NNCF crashes
on. The detector's own recipe has such a limit: `test_recipes.py`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.zoo.test_recipes import apply_file, changed

pytestmark = [
    pytest.mark.zoo,
    pytest.mark.skipif("RECIPE_ROOT_ZOO" not in os.environ, reason="RECIPE_ROOT_ZOO is not set"),
]


def controlled(name: str, parameters: str, folder: Path, *changes: tuple[str, str]) -> Path:
    """A copy of a zoo recipe under accuracy control; `changes` are made to its text."""
    return changed(
        name,
        folder,
        ("use: DefaultQuantization", "use: AccuracyAwareQuantization"),
        ('preset: "${preset}"', f'preset: "${{preset}}", {parameters}'),
        *changes,
    )


def test_attention_without_model_type_keeps_the_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first 600 sentences, on which the fully quantized model loses 7 points."""
    validation = (
        "max_length: 64}\nsteps:",
        "max_length: 64, samples: 600}\nsteps:",
    )
    recipe = controlled(
        "minilm", "maximal_drop: 0.01", tmp_path, (", model_type: transformer", ""), validation
    )
    _, report = apply_file(recipe, "performance", tmp_path, capsys)
    assert report["control"]["reached"]
    assert report["metrics"]["accuracy"]["drop"] <= 0.01
    assert len(report["quantization"]["reverted"]) <= 6
    assert len(report["control"]["trials"]) <= 20


def test_a_detector_keeps_a_narrower_limit_than_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = changed("yolox_nano", tmp_path, ("maximal_drop: 0.005", "maximal_drop: 0.003"))
    _, report = apply_file(recipe, "performance", tmp_path, capsys)
    reverted, quantized = report["quantization"]["reverted"], report["quantization"]["quantized"]
    assert report["control"]["reached"]
    assert report["metrics"]["map"]["drop"] <= 0.003
    assert len(reverted) <= (len(reverted) + quantized) / 10
    assert len(report["control"]["trials"]) <= len(reverted) + quantized


def test_a_recurrent_net_keeps_the_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = controlled("fsdd_lstm", "maximal_drop: 0.01", tmp_path)
    code, report = apply_file(recipe, "performance", tmp_path, capsys)
    assert (code, report["control"]["reached"]) == (0, True)
    assert report["quantization"]["quantized"] >= 3
