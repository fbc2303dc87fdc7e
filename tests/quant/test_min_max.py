"""MinMaxQuantization in models: ranges, what shares them, and the saturation fix."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import runner
from quant.runtime import opset
from quant.target import Target
from tests import models
from tests.quant.results import integers, nodes_of, quantized, run


def test_a_clipping_value_bounds_the_range(cpu: Target) -> None:
    estimator = {"max": {"clipping_value": 0.5}}
    result = run(models.conv_relu_conv(), cpu, activations={"range_estimator": estimator})
    highs = [high for each in result.operations for _, high in each.ranges.values()]
    assert highs
    assert max(highs) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("preset", "side"), [("performance", "max"), ("mixed", "max"), ("mixed", "min")]
)
def test_a_clipping_value_counts_on_its_side(preset: str, side: str, cpu: Target) -> None:
    estimator = {side: {"clipping_value": -0.5 if side == "min" else 0.5}}
    overrides = {"range_estimator": estimator}
    found = run(models.conv_relu_conv(), cpu, preset=preset, activations=overrides)
    low, high = found.operations[0].ranges["x/fq_output_0"]
    step = (high - low) / 255
    assert (-low if side == "min" else high) <= 0.5 + step


def test_quantiles_give_narrower_ranges(cpu: Target) -> None:
    estimator = {"preset": "quantile", "max": {"outlier_prob": 0.1}, "min": {"outlier_prob": 0.1}}
    found = run(models.conv_relu_conv(), cpu, preset="mixed", range_estimator=estimator)
    low, high = found.operations[0].ranges["x/fq_output_0"]
    full_low, full_high = quantized("conv_relu_conv").operations[0].ranges["x/fq_output_0"]
    assert full_low < low < 0 < high < full_high


@pytest.mark.parametrize(("aggregator", "pick"), [("min", max), ("max", min), ("mean", np.mean)])
def test_a_low_end_by_magnitudes_is_aggregated_once_it_is_negated(
    aggregator: str, pick: Any, cpu: Target
) -> None:
    """The least of the low ends is the largest of the magnitudes."""
    sides = {"min": {"type": "abs_max", "aggregator": aggregator}, "max": {"aggregator": "max"}}
    model = models.conv_relu_conv()
    found = run(model, cpu, preset="mixed", activations={"range_estimator": sides})
    low, high = found.operations[0].ranges["x/fq_output_0"]
    magnitudes = [float(np.abs(x).max()) for x, *_ in models.samples(model)]
    assert -low == pytest.approx(pick(magnitudes), abs=(high - low) / 255)


def test_concatenated_tensors_share_one_range() -> None:
    (found,) = (e for e in quantized("concat").operations if e.plan.name == "conv3")
    assert len(found.ranges) == 2
    assert len(set(found.ranges.values())) == 1


def test_depthwise_inputs_have_a_range_per_channel() -> None:
    nodes = nodes_of(quantized("depthwise").model)
    shape = list(nodes["x/fq_output_0"].input_value(1).get_shape())
    assert shape == [1, 4, 1, 1]


@pytest.mark.parametrize(("name", "ports", "gates"), [("lstm", (4, 5), 4), ("gru", (3, 4), 3)])
def test_weights_of_a_cell_share_their_scales(
    name: str, ports: tuple[int, int], gates: int
) -> None:
    nodes = nodes_of(quantized(name).model)
    scales = [nodes[f"{name}/fq_weights_{p}"].input_value(1).get_node().data for p in ports]
    np.testing.assert_array_equal(*scales)
    rows = scales[0].reshape(gates, -1)
    np.testing.assert_array_equal(rows, np.broadcast_to(rows[0], rows.shape))


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_the_input_of_a_cell_holds_its_hidden_state(name: str) -> None:
    (found,) = (e for e in quantized(name).operations if e.plan.name == name)
    low, high = found.ranges[f"{name}/fq_input_0"]
    assert low <= -1
    assert high >= 1


@pytest.mark.parametrize(
    ("fix", "isa", "halved"),
    [
        ("no", "avx2", set()),
        ("first_layer", None, {"conv1"}),
        ("all", None, {"conv1", "conv2"}),
        ("auto", None, set()),
    ],
)
def test_saturation_fix(fix: str, isa: str | None, halved: set[str], cpu: Target) -> None:
    """What `auto` does on a target that saturates stands in test_saturation."""
    target = dataclasses.replace(cpu, isa=isa)
    result = run(models.conv_relu_conv(), target, saturation_fix=fix)
    largest = {name: int(integers(result, name).max()) for name in ("conv1", "conv2")}
    assert {name for name, value in largest.items() if value in (63, 64)} == halved
    assert set(largest.values()) <= {63, 64, 127}
    assert result.outcomes["saturation_fix"] == {"auto": "no"}.get(fix, fix)


def test_depthwise_weights_keep_their_range_whatever_the_fix(cpu: Target) -> None:
    result = run(models.depthwise(), cpu, saturation_fix="all")
    assert integers(result, "depthwise1").max() == 127
    assert integers(result, "conv2").max() <= 64


def test_asymmetric_weights_are_halved_as_well(cpu: Target) -> None:
    """The fix is reported as done, so it has to be: integers around the zero point within +-64."""
    result = run(models.conv_relu_conv(), cpu, saturation_fix="all", weights={"mode": "asymmetric"})
    chain = nodes_of(result.model)["conv2/fq_weights_1"]
    subtract = chain.input_value(0).get_node()
    assert subtract.get_type_name() == "Subtract"
    integers = subtract.input_value(0).get_node().input_value(0).get_node().data.astype(np.int64)
    assert np.ptp(integers, axis=(1, 2, 3)).max() <= 128


@pytest.mark.parametrize("name", ["gpu", "npu", "vpu", "gna", "gna3"])
def test_other_devices_do_not_saturate(name: str) -> None:
    assert runner.load_target(name).isa is None


def test_constant_inputs_have_no_range_to_lose(cpu: Target) -> None:
    """Activations that are always zero: any range represents them, nothing becomes infinite."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    silent = models.relu(opset.subtract(opset.sigmoid(x), models.constant(2, "two")), "silent")
    model = models.finish([models.conv(rng, silent, (4, 3, 3, 3), "conv")], [x])
    found = models.evaluate(run(model, cpu).model, models.samples(model, 1)[0])[0]
    expected = models.evaluate(model, models.samples(model, 1)[0])[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)
