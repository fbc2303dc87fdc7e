"""Figures of growth: exponents, tables and plots, from figures that are known."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks import plot, scale
from benchmarks.phases import phases_s

LINEAR = [(100, 0.5), (1000, 5.0), (10_000, 50.0)]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("power", [0, 1, 2])
def test_the_exponent_of_a_power(power: int) -> None:
    assert scale.exponent([(n, 3 * n**power) for n in (10, 20, 500)]) == pytest.approx(power)


def test_a_plot_has_one_line_per_curve_inside_of_its_axes() -> None:
    drawn = ET.fromstring(plot.plot("title", "n", "s", {"a": LINEAR, "b": LINEAR[:2]}))
    first, second = (each.attrib["points"].split() for each in drawn.iter(f"{SVG}polyline"))
    assert first == ["60.0,275.1", "240.0,175.1", "420.0,75.1"]
    assert second == first[:2]


def test_what_was_not_measured_is_a_dash(tmp_path: Path) -> None:
    phases = {"load": LINEAR, "collect": LINEAR[:2]}
    content = {
        "environment": "here",
        "samples_s": {"floor": LINEAR, "quantize": LINEAR},
        "growth_bytes": {"default": {300: 2**20, 3000: 2**21}},
        "operations_s": {"residual_blocks": phases},
    }
    scale.write(tmp_path, content)
    lines = (tmp_path / "scale.md").read_text().splitlines()
    assert "| default | 1.0 | 2.0 | 2.00 |" in lines
    assert "| 10,000 | 50 | - |" in lines
    assert "| exponent | 1.00 | 1.00 |" in lines
    assert {each.name for each in tmp_path.iterdir()} == {
        *("scale.json", "scale.md", "scale_operations.svg", "scale_samples.svg")
    }


def test_phases_of_a_network() -> None:
    phases = {"load", "resolve", "compile", "collect", "apply"}
    assert phases_s("dense_blocks", 70).keys() == phases
