from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from runner.apply import apply_recipe
from runner.recipe.read import read
from runner.report import make
from runner.report.as_json import report_content, report_to_json
from runner.report.html import report_to_html
from runner.report.report import OutputNoise, Report
from tests.runner.tiny import DROP, SPEED, write_recipe, write_tiny

SCHEMA = {
    "recipe": {"name", "path", "digest", "plan_digest"},
    "environment": {"device", "isa", "openvino", "precision", "threads"},
    "performance": {"fp32", "quantized", "speedup"},
    "size": {"fp32_bytes", "quantized_bytes", "ratio"},
    "quantization": {"operations", "quantized", "fake_quantize", "reverted", "not_quantized"},
    "timings": {
        "diagnose_s",
        "baseline_s",
        "calibration_s",
        "quantize_s",
        "evaluate_s",
        "benchmark_s",
        "total_s",
    },
    "artifacts": {"model", "report_html"},
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = write_tiny(tmp_path_factory.mktemp("report"))
    recipe = write_recipe(
        folder,
        benchmark="benchmark: {seconds: 0.05, repeats: 2}\n",
        checks=f"{DROP}\n{SPEED}",
        reports="json, html",
    )
    return apply_recipe(read(recipe)[0])


def test_fields_of_the_schema(report: Report) -> None:
    content = json.loads(report_to_json(report))
    assert content["schema"] == "recipe.report/1"
    assert (content["target"], content["emulated"], content["verdict"]) == ("cpu", False, "pass")
    for part, keys in SCHEMA.items():
        assert keys <= set(content[part]), part
    metric = {"fp32", "quantized", "drop", "n", "ci95", "higher_is_better"}
    assert metric <= set(content["metrics"]["accuracy"])
    assert {"throughput_fps", "latency_ms"} <= set(content["performance"]["fp32"])
    assert set(content["performance"]["fp32"]["latency_ms"]) == {"median", "p90"}
    layer = {"name", "type", "weights_scheme", "activations_scheme", "ranges", "bias_shift"}
    layer |= {"sqnr_db", "clipped"}
    assert layer <= set(content["layers"][0])
    assert {"id", "status", "value", "bound", "where"} <= set(content["checks"][0])


def test_artifacts_are_there(report: Report) -> None:
    assert all(Path(path).is_file() for path in report.artifacts.values())


def test_resolved_recipe_is_written(report: Report) -> None:
    resolved = json.loads(Path(report.artifacts["resolved"]).read_text())
    assert (resolved["name"], resolved["targets"]) == ("tiny", ["cpu"])


def test_unmeasured_speed_is_absent(report: Report) -> None:
    assert "performance" not in report_content(replace(report, performance=None))


def test_infinite_numbers_become_none(report: Report) -> None:
    timings = replace(report.timings, total_s=float("inf"))
    assert report_content(replace(report, timings=timings))["timings"]["total_s"] is None


def test_page_needs_nothing_else(report: Report) -> None:
    page = report_to_html(report)
    assert not re.search(r"<script|https?://|src=|@import|<link", page)
    for text in ("PASS", "conv_0", "int8 symmetric perchannel", "prefers-color-scheme: dark"):
        assert text in page


def test_page_escapes_names(report: Report) -> None:
    assert "<b>" not in report_to_html(replace(report, notes=("<b>bold</b>",)))


def test_page_of_a_run_without_measures(report: Report) -> None:
    bare = replace(report, metrics={}, performance=None, checks=())
    assert "Speed was not measured" in report_to_html(bare)


def test_a_noisy_output_is_noted_with_what_to_do(report: Report, tmp_path: Path) -> None:
    path = write_recipe(write_tiny(tmp_path))
    outputs = (
        OutputNoise(name="logits", sqnr_db=9.9),
        OutputNoise(name="boxes", sqnr_db=10.1),
        OutputNoise(name="empty", sqnr_db=None),
    )
    (note,) = make._advice(outputs, read(path)[0])
    assert "below 10 dB at 'logits';" in note
    assert f"`recipe sensitivity {path} --patch`" in note
    assert not any("signal to noise" in each for each in report.notes)
