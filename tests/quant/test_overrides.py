"""Presets and the user's overrides against what a target can run."""

from __future__ import annotations

from typing import Any

import pytest

import quant
import runner
from quant.errors import ParameterError
from quant.plan import Status
from quant.scheme import Granularity, Mode, Preset, Scheme
from quant.target import Support, Target
from tests import models
from tests.quant.results import (
    W_SCHEME,
    WIDE,
    content,
    integers,
    outputs,
    quantized,
    run,
    sqnr_db,
    status_of,
)


def test_performance_is_symmetric_and_mixed_is_not() -> None:
    modes = {
        preset: {
            s.mode
            for each in quantized("residual", preset).operations
            for s in each.plan.activations
        }
        for preset in ("performance", "mixed")
    }
    assert modes == {"performance": {Mode.SYMMETRIC}, "mixed": {Mode.ASYMMETRIC}}


def test_ranges_of_the_presets() -> None:
    low, high = _range("performance")
    assert low == pytest.approx(-high * 128 / 127, rel=1e-6)
    low, high = _range("mixed")
    assert -low != pytest.approx(high * 128 / 127, rel=1e-3)


def _range(preset: str) -> tuple[float, float]:
    operations = {each.plan.name: each for each in quantized("residual", preset).operations}
    return operations["conv1"].ranges["x/fq_output_0"]


def test_accuracy_is_mixed_on_the_cpu(cpu: Target) -> None:
    found = run(models.residual(), cpu, preset=Preset.ACCURACY, **WIDE)
    assert content(found.model) == content(quantized("residual", "mixed").model)


def test_overrides_filter_what_the_target_can_run(cpu: Target) -> None:
    result = run(
        models.conv_relu_conv(),
        cpu,
        weights={"mode": "asymmetric"},
        activations={"mode": "asymmetric"},
    )
    plans = {each.plan.name: each.plan for each in result.operations}
    weights = Scheme(mode=Mode.ASYMMETRIC, granularity=Granularity.PERCHANNEL)
    assert (plans["conv1"].activations, plans["conv1"].weights) == (
        (Scheme(mode=Mode.ASYMMETRIC),),
        weights,
    )


def test_asymmetric_weights_stay_close(cpu: Target) -> None:
    model = models.conv_relu_conv()
    result = run(model, cpu, weights={"mode": "asymmetric"})
    found = models.evaluate(result.model, models.samples(model, 1)[0])
    assert sqnr_db(outputs("conv_relu_conv")[0], found[0]) > 20


def test_levels_narrow_the_grid(cpu: Target) -> None:
    result = run(models.conv_relu_conv(), cpu, weights={"level_low": -7, "level_high": 7})
    assert integers(result, "conv2").max() == 7


def test_one_level_alone_is_refused(cpu: Target) -> None:
    with pytest.raises(ParameterError, match="weights"):
        run(models.conv_relu_conv(), cpu, weights={"level_high": 7})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"weights": {"bits": 4}},
            "weights: the target 'cpu' can't run weights of Convolution 'conv1' with bits 4",
        ),
        (
            {"activations": {"bits": 16, "mode": "symmetric"}},
            "activations: the target 'cpu' can't run activations of Convolution 'conv1' "
            "with bits 16 (it can run",
        ),
        (
            {"weights": {"granularity": "pertensor"}},
            "weights: the target 'cpu' can't run weights of Convolution 'conv1' "
            "with granularity pertensor",
        ),
        (
            {"activations": {"mode": "asymmetric", "level_low": 0, "level_high": 255}},
            "activations: the target 'cpu' can't run activations of Convolution 'conv1' "
            "with level_low 0, level_high 255 (its integers go from -128 to 127; it can run",
        ),
    ],
    ids=str,
)
def test_schemes_that_the_target_can_not_run(
    parameters: dict[str, Any], message: str, cpu: Target
) -> None:
    with pytest.raises(ParameterError) as caught:
        run(models.conv_relu_conv(), cpu, **parameters)
    text = str(caught.value)
    assert text.startswith(message)
    assert "it can run: int8 symmetric per" in text


def test_an_operation_that_the_target_does_not_list_stays_in_floating_point() -> None:
    linear = Support(activations=(Scheme(),), weights=(W_SCHEME,))
    target = Target(name="small", device="CPU", operations={"MatMul": linear})
    result = run(models.classifier(), target)
    reasons = {each.plan.name: each.plan.reason for each in result.operations}
    assert status_of(result)["linear"] is Status.QUANTIZED
    assert reasons["conv1"] == "the target 'small' has no integer Convolution"


@pytest.mark.parametrize(
    ("target", "parameters", "message"),
    [
        ("gna", {"weights": {"bits": 4}}, "'gna' can't run weights of Convolution 'conv1'"),
        ("gna", {"activations": {"mode": "asymmetric"}}, "with mode asymmetric"),
        ("gna3", {"weights": {"bits": 4}}, "it can run: int8 symmetric pertensor"),
        ("vpu", {"weights": {"bits": 16}}, "int4 symmetric perchannel"),
        ("npu", {"activations": {"mode": "symmetric", "bits": 8}}, "with bits 8, mode symmetric"),
        ("gpu", {"weights": {"granularity": "pertensor"}}, "with granularity pertensor"),
        ("cpu", {"weights": {"bits": 3}}, "with bits 3"),
        ("cpu", {"weights": {"level_low": -200, "level_high": 200}}, "level_low -200"),
    ],
)
def test_what_a_target_can_t_run_is_named_with_what_it_can(
    target: str, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParameterError) as raised:
        run(models.conv_relu_conv(), runner.load_target(target), **parameters)
    problem = raised.value.problems[0]
    assert problem.path == (next(iter(parameters)),)
    assert message in str(problem)
    assert "it can run: " in problem.hint


@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_activations_beside_weights_on_the_left_are_symmetric_and_signed(preset: str) -> None:
    """With zero points, or without negative levels, OpenVINO's CPU plugin is wrong on several
    streams."""
    product = next(o for o in quantized("matmul_weights_first", preset).operations)
    assert product.plan.activations == (Scheme(level_low=-128, level_high=127),)


def test_asymmetric_activations_beside_weights_on_the_left_are_an_error(cpu: Target) -> None:
    with pytest.raises(ParameterError, match="can't run activations of MatMul 'product' with"):
        run(models.matmul_weights_first(), cpu, activations={"mode": "asymmetric"})


def test_activations_per_tensor_are_taken_by_layers_per_channel(cpu: Target) -> None:
    """POT's templates ask for it, and depthwise layers are no exception."""
    parameters = {"activations": {"granularity": "pertensor"}}
    step = quant.Step(use="DefaultQuantization", parameters=parameters)
    plan = quant.resolve(quant.load_model(models.depthwise()), [step], cpu)
    schemes = [scheme for each in plan.operations for scheme in each.activations]
    assert {scheme.granularity for scheme in schemes} == {Granularity.PERTENSOR}
