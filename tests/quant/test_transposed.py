"""Transposed convolutions are quantized where OpenVINO's CPU plugin executes them in integers, and
in floating point otherwise."""

from __future__ import annotations

import numpy as np
import pytest

import quant
import runner
from quant.plan import Status
from quant.runtime import core, opset, ov
from quant.target import Target
from tests import models
from tests.quant.results import sqnr_db

PRESETS = ["performance", "mixed"]


def up(rank: int, taps: int, stride: int, *, is_grouped: bool = False) -> ov.Model:
    """A transposed convolution of 16 channels, of 2 groups or none."""
    rng, places = np.random.default_rng(0), rank - 2
    x = models.parameter("x", 1, 16, *[6] * places)
    sizes = [*((2, 8, 8) if is_grouped else (16, 16)), *[taps] * places]
    weights = models.constant(models.normal(rng, *sizes, fan_in=16), "weights")
    make = opset.group_convolution_backprop_data if is_grouped else opset.convolution_backprop_data
    begin, end, ones = [0] * places, [0] * places, [1] * places
    node = make(x, weights, [stride] * places, None, begin, end, ones)
    return models.finish([models.add_bias(rng, models.named(node, "up"), 16, places, "up")], [x])


def status(model: ov.Model, target: Target, preset: str) -> Status:
    asked = [quant.Step(use="DefaultQuantization", parameters={"preset": preset})]
    plan = quant.resolve(quant.load_model(model), asked, target)
    return next(each.status for each in plan.operations if each.name == "up")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("rank", [3, 4])
@pytest.mark.parametrize(
    ("taps", "stride", "is_quantized"),
    [(2, 2, True), (4, 2, True), (3, 3, True), (4, 4, False), (16, 8, False), (1, 2, False)],
)
def test_those_the_cpu_executes_are_quantized(
    taps: int, stride: int, is_quantized: bool, rank: int, preset: str, cpu: Target
) -> None:
    """What is quantized reads integers, and no other has integer weights to convert each time."""
    model = up(rank, taps, stride)
    assert (status(model, cpu, preset) is Status.QUANTIZED) == is_quantized
    samples = models.samples(model, 16)
    result = quant.quantize(model, samples, target=cpu, preset=preset)
    compiled = core().compile_model(result.model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    (found,) = (
        [port.get_element_type().is_real() for port in node.input_values()[:2]]
        for node in compiled.get_runtime_model().get_ordered_ops()
        if node.get_rt_info()["layerType"].astype(str) == "Deconvolution"
    )
    assert found == [not is_quantized] * 2
    before, after = (
        np.concatenate(models.evaluate_all(each, samples)) for each in (model, result.model)
    )
    assert sqnr_db(before, after) > 35


@pytest.mark.parametrize("preset", PRESETS)
def test_groups_stay_in_floating_point_on_the_cpu_alone(preset: str, cpu: Target) -> None:
    model = up(4, 2, 2, is_grouped=True)
    assert status(model, cpu, preset) is not Status.QUANTIZED
    assert status(model, runner.load_target("npu"), preset) is Status.QUANTIZED


def test_other_devices_execute_any_stride() -> None:
    assert status(up(4, 8, 4), runner.load_target("gpu"), "mixed") is Status.QUANTIZED


def test_the_reason_is_told(cpu: Target) -> None:
    asked = [quant.Step(use="DefaultQuantization")]
    plan = quant.resolve(quant.load_model(up(3, 16, 8)), asked, cpu)
    (reason,) = (each.reason for each in plan.operations if each.name == "up")
    assert reason == "the CPU executes no such stride in integers, and is slower with them"
