"""The processes that measure, on a tiny network and without NNCF."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import floor, folder, throughput
from benchmarks.call import PROCESS
from benchmarks.throughput import in_turns
from quant.runtime import core
from tests import models, networks


@pytest.mark.skipif(not (PROCESS / "clear_refs").exists(), reason="peaks are read from /proc")
def test_a_quantize_call_says_what_it_took(tmp_path: Path) -> None:
    model = networks.mobilenet_v2()
    folder.write(tmp_path, model, models.samples(model, 2))
    output = tmp_path / "ours.xml"
    command = [sys.executable, "-m", "benchmarks.ours", tmp_path, output, "--preset", "mixed"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found.keys() == {"quantize_s", "growth_bytes"}
    assert min(found.values()) > 0
    types = {node.get_type_name() for node in core().read_model(output).get_ops()}
    assert "FakeQuantize" in types


def test_the_floor_of_a_tiny_model_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "AT_LEAST_S", 0.1)
    model = models.conv_relu_conv()
    assert 0 < floor.floor_s(model, models.samples(model, 2)) < floor.AT_LEAST_S


def test_pairs_are_measured_in_turns() -> None:
    measured: list[float] = []

    def measure(value: float) -> float:
        measured.append(value)
        return value

    assert in_turns(measure, 1.0, 2.0, 3) == [(1.0, 2.0)] * 3
    assert measured == [1.0, 2.0, 2.0, 1.0, 1.0, 2.0]


def test_throughput_of_two_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "SECONDS", 0.05)
    model = models.residual()
    samples = models.samples(model, 2)
    folder.write(tmp_path, model, samples)
    found = throughput.pairs([tmp_path / folder.MODEL] * 2, samples, 2)
    assert len(found) == 2
    assert min(min(pair) for pair in found) > 0
