"""Quantizers on results: where they go, and which scheme wins where several meet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import quant
import runner
from quant.graph import view
from quant.parameters import Estimator
from quant.plan import MinMaxPlan
from quant.runtime import opset, ov
from quant.scheme import Scheme
from quant.target import Support, Target
from tests import models

W16, A16, A32, A8 = (Scheme(bits=bits) for bits in (16, 16, 32, 8))


def widths(model: ov.Model, target: Target) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Per quantizer of activations its bits and the operations that read it."""
    step = quant.Step(use="MinMaxQuantization")
    plan = quant.resolve(quant.load_model(model), [step], target)
    quantization = plan.steps[0]
    assert isinstance(quantization, MinMaxPlan)
    return {
        each.name: (each.scheme.bits, tuple(port.op for port in each.consumers))
        for each in quantization.activations
    }


@pytest.mark.parametrize("name", ["gna", "gna3"])
def test_results_are_quantized_behind_the_bias(name: str) -> None:
    """Parameter 16 = Convolution's input; Convolution's result 32 = Relu's input; Relu's result
    16; the last one is what the Result asks for."""
    assert widths(models.conv_relu_conv(), runner.load_target(name)) == {
        "x/fq_output_0": (16, ("conv1",)),
        "conv1/add/fq_output_0": (32, ("relu1",)),
        "relu1/fq_output_0": (16, ("conv2",)),
        "conv2/add/fq_output_0": (16, ("result0",)),
    }


def scaled() -> ov.Model:
    """x -> multiply by a constant -> relu."""
    x = models.parameter("x", 1, 4, 6, 6)
    factors = models.constant(np.linspace(0.5, 2, 4).reshape(1, 4, 1, 1).astype(np.float32), "c")
    return models.finish([models.relu(opset.multiply(x, factors), "relu")], [x])


def test_a_constant_factor_is_a_weight() -> None:
    step = quant.Step(use="MinMaxQuantization")
    found = {}
    for name in ("gna", "gna3", "cpu"):
        plan = quant.resolve(quant.load_model(scaled()), [step], runner.load_target(name))
        assert isinstance(plan.steps[0], MinMaxPlan)
        found[name] = [(w.scheme.bits, w.channel_axes) for w in plan.steps[0].weights]
    assert found == {"gna": [(16, ())], "gna3": [(8, (1,))], "cpu": []}


def made(
    outputs: Scheme | None = None, priority: tuple[str, ...] = (), *, primary: int = 8
) -> Target:
    """Convolutions of 8 bits, MatMuls of 16, sigmoids of 32, and results as given."""
    results = () if outputs is None else (outputs,)
    return Target(
        name="made",
        operations={
            "Convolution": Support(activations=(A8,), weights=(W16,), outputs=results),
            "Sigmoid": Support(activations=(A32,), outputs=results),
            "Relu": Support(activations=(A32,), outputs=results),
        },
        passthrough=frozenset({"Reshape", "Concat"}),
        primary_bitwidth=primary,
        input_priority_types=priority,
    )


def fork() -> ov.Model:
    """relu0 -> convolution and sigmoid."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    above = models.relu(x, "relu0")
    below = models.conv(rng, above, (4, 3, 3, 3), "conv1")
    return models.finish([below, models.named(opset.sigmoid(above), "sigmoid")], [x])


@pytest.mark.parametrize(
    ("target", "bits"),
    [
        (made(), 8),
        (made(primary=32), 32),
        (made(priority=("Sigmoid",)), 32),
        (made(A16), 16),
        (made(A16, priority=("Convolution",)), 8),
    ],
    ids=["narrower", "primary_bitwidth", "input_priority_types", "result", "priority_over_result"],
)
def test_the_scheme_where_several_meet(target: Target, bits: int) -> None:
    assert widths(fork(), target)["relu0/fq_output_0"] == (bits, ("sigmoid", "conv1"))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"level_low": -100, "level_high": 100}, {"int16 symmetric pertensor [-100, 100]"}),
        ({"bits": 32}, {"int16 symmetric pertensor"}),
    ],
    ids=str,
)
def test_results_follow_what_is_asked_of_all_if_they_can(
    asked: dict[str, int], expected: set[str]
) -> None:
    step = quant.Step(use="MinMaxQuantization", parameters={"activations": asked})
    x = models.parameter("x", 1, 4)
    model = models.finish([models.named(opset.sigmoid(x), "sigmoid")], [x])
    plan = quant.resolve(quant.load_model(model), [step], made(A16)).steps[0]
    assert isinstance(plan, MinMaxPlan)
    results = [each for each in plan.activations if each.tensor.op != "x"]
    assert {str(each.scheme) for each in results} == expected


def behind_reshape() -> ov.Model:
    """relu0 -> reshape -> convolution and Softmax, which stays in floating point."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 48, 4)
    moved = models.reshape(models.relu(x, "relu0"), [1, 3, 8, 8], "moved")
    below = models.conv(rng, moved, (4, 3, 3, 3), "conv1")
    return models.finish([below, models.named(opset.softmax(moved, -1), "softmax")], [x])


def behind_concat() -> ov.Model:
    """relu0 and relu1 -> concat -> convolution and Softmax."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 2, 8, 8)
    branches = [models.relu(x, "relu0"), models.relu(opset.negative(x), "relu1")]
    both = models.named(opset.concat(branches, 1), "both")
    below = models.conv(rng, both, (4, 4, 3, 3), "conv1")
    return models.finish([below, models.named(opset.softmax(both, -1), "softmax")], [x])


@pytest.mark.parametrize(
    ("build", "above", "readers"),
    [
        (behind_reshape, ["relu0/fq_output_0"], ("moved",)),
        (behind_concat, ["relu0/fq_output_0", "relu1/fq_output_0"], ("both",)),
    ],
)
def test_no_second_quantizer_where_values_are_only_moved(
    build: Callable[[], ov.Model], above: list[str], readers: tuple[str, ...]
) -> None:
    """Without quantized results the convolution's port has a quantizer of its own."""
    alone = widths(build(), made())
    assert alone["conv1/fq_input_0"] == (8, ("conv1",))
    found = widths(build(), made(A16))
    assert "conv1/fq_input_0" not in found
    assert [found[name] for name in above] == [(16, readers)] * len(above)


def test_output_names_move_behind_the_quantizer() -> None:
    model = models.conv_relu_conv()
    result = quant.quantize(model, models.samples(model), target=runner.load_target("gna"))
    assert result.model.output(0).names == {"y0"}
    above = view(result.model).by_name["result0"].node.input_value(0).get_node()
    assert above.get_friendly_name() == "conv2/add/fq_output_0"


def test_ranges_of_fine_grids_hold_twice_what_was_seen() -> None:
    """16 bits can afford it, where the mean of the samples' extremes would clip half of them."""
    model = models.conv_relu_conv()
    given = models.samples(model)
    result = quant.quantize(model, given, target=runner.load_target("gna"))
    ranges = {name: span for each in result.operations for name, span in each.ranges.items()}
    largest = max(np.abs(x[0]).max() for x in given)
    assert ranges["x/fq_output_0"][1] == pytest.approx(2 * largest)


@pytest.mark.parametrize(("low", "high", "reach"), [(-6.0, 0.0, 6.0), (-6.0, 6.0, 6.0)])
def test_ranges_of_fine_grids_stay_within_what_values_can_be(
    low: float, high: float, reach: float
) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 8)
    bounded = models.named(opset.clamp(x, low, high), "bounded")
    model = models.finish([models.linear(rng, bounded, (4, 8), "linear")], [x])
    given = [[np.full((1, 8), -4.0, np.float32)], [np.full((1, 8), -2.0, np.float32)]]
    result = quant.quantize(model, given, target=runner.load_target("gna"))
    ranges = {name: span for each in result.operations for name, span in each.ranges.items()}
    assert ranges["bounded/fq_output_0"][1] == pytest.approx(reach)


def test_ranges_of_fine_grids_are_those_that_were_asked_for() -> None:
    model = models.conv_relu_conv()
    given = models.samples(model)
    asked = {"range_estimator": {"max": {"type": "abs_max", "aggregator": "max"}}}
    target = runner.load_target("gna")
    result = quant.quantize(model, given, target=target, activations=asked)
    ranges = {name: span for each in result.operations for name, span in each.ranges.items()}
    largest = max(np.abs(x[0]).max() for x in given)
    assert ranges["x/fq_output_0"][1] == pytest.approx(largest)


def test_what_is_asked_of_the_last_layer_holds_for_the_range_of_its_result_too() -> None:
    """No operation reads it that could be asked."""
    asked = {"names": ["conv2"], "range_estimator": {"preset": "quantile"}}
    parameters = {"activations": {"layers": [asked]}}
    step = quant.Step(use="MinMaxQuantization", parameters=parameters)
    model = quant.load_model(models.conv_relu_conv())
    plan = quant.resolve(model, [step], runner.load_target("gna")).steps[0]
    assert isinstance(plan, MinMaxPlan)
    found = {each.name: each.estimators.max.type for each in plan.activations}
    assert found == {
        "x/fq_output_0": Estimator.ABS_MAX,
        "conv1/add/fq_output_0": Estimator.ABS_MAX,
        "relu1/fq_output_0": Estimator.ABS_QUANTILE,
        "conv2/add/fq_output_0": Estimator.ABS_QUANTILE,
    }
