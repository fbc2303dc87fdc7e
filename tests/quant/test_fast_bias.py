"""FastBiasCorrection: the closed form against inference, and what it does to a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import quant
from quant.plan import FastBiasPlan, MinMaxPlan
from quant.runtime import opset, ov
from quant.steps import fast_bias, min_max, room
from quant.steps.fast_bias import shift_of
from quant.target import Target
from quant.work import Work
from tests import models

Array = NDArray[Any]
Build = Callable[[ov.Node, Array], ov.Node]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A linear operation: the shapes of its input and weights, and how it is made of them."""

    id: str
    x: tuple[int, ...]
    w: tuple[int, ...]
    build: Build
    channel_axis: int = 1


def convolution(
    strides: list[int], begin: list[int], end: list[int], dilations: list[int]
) -> Build:
    return lambda x, w: opset.convolution(x, w, strides, begin, end, dilations)


def group(strides: list[int], begin: list[int], end: list[int], dilations: list[int]) -> Build:
    return lambda x, w: opset.group_convolution(x, w, strides, begin, end, dilations)


def transposed(strides: list[int], begin: list[int], end: list[int], **more: Any) -> Build:
    return lambda x, w: opset.convolution_backprop_data(
        x, w, strides, pads_begin=begin, pads_end=end, **more
    )


def group_transposed(strides: list[int], begin: list[int], end: list[int]) -> Build:
    return lambda x, w: opset.group_convolution_backprop_data(
        x, w, strides, pads_begin=begin, pads_end=end
    )


def matmul(*, first: bool = False, second: bool = False) -> Build:
    return lambda x, w: opset.matmul(x, w, first, second)


ONE = [1, 1]
SAME = [1, 1], [1, 1]
CASES = [
    Case(id="valid", x=(1, 3, 6, 7), w=(4, 3, 3, 3), build=convolution(ONE, [0, 0], [0, 0], ONE)),
    Case(id="padded", x=(1, 3, 6, 7), w=(4, 3, 3, 3), build=convolution(ONE, *SAME, ONE)),
    Case(
        id="one_sided", x=(1, 3, 6, 7), w=(4, 3, 3, 2), build=convolution(ONE, [2, 0], [0, 1], ONE)
    ),
    Case(id="strided", x=(1, 3, 6, 7), w=(4, 3, 3, 3), build=convolution([2, 3], *SAME, ONE)),
    Case(id="dilated", x=(1, 3, 6, 7), w=(4, 3, 3, 3), build=convolution(ONE, *SAME, [2, 1])),
    Case(id="wide", x=(1, 2, 3, 3), w=(4, 2, 5, 5), build=convolution(ONE, [4, 4], [4, 4], ONE)),
    Case(id="batch", x=(3, 3, 6, 7), w=(4, 3, 3, 3), build=convolution(ONE, *SAME, ONE)),
    Case(id="1d", x=(1, 3, 9), w=(4, 3, 3), build=convolution([2], [1], [1], [1])),
    Case(
        id="3d",
        x=(1, 2, 4, 5, 6),
        w=(3, 2, 3, 3, 3),
        build=convolution([1, 2, 1], [1, 1, 0], [1, 1, 0], [1, 1, 1]),
    ),
    Case(id="groups", x=(1, 4, 6, 7), w=(2, 3, 2, 3, 3), build=group([1, 2], *SAME, ONE)),
    Case(id="depthwise", x=(1, 4, 6, 7), w=(4, 1, 1, 3, 3), build=group([2, 2], *SAME, ONE)),
    Case(id="multiplier", x=(1, 4, 6, 7), w=(4, 2, 1, 3, 3), build=group(ONE, *SAME, [1, 2])),
    Case(id="transposed", x=(1, 3, 5, 6), w=(3, 4, 3, 3), build=transposed([2, 2], *SAME)),
    Case(
        id="transposed_valid",
        x=(1, 3, 5, 6),
        w=(3, 4, 2, 3),
        build=transposed([2, 1], [0, 0], [0, 0]),
    ),
    Case(
        id="transposed_output_padding",
        x=(1, 3, 5, 6),
        w=(3, 4, 3, 3),
        build=transposed([2, 2], *SAME, output_padding=[1, 1]),
    ),
    Case(
        id="transposed_same_upper",
        x=(1, 3, 5, 6),
        w=(3, 4, 3, 3),
        build=transposed([2, 2], [0, 0], [0, 0], auto_pad="same_upper"),
    ),
    Case(
        id="same_lower",
        x=(1, 3, 6, 7),
        w=(4, 3, 4, 4),
        build=lambda x, w: opset.convolution(x, w, [2, 2], [0, 0], [0, 0], [1, 1], "same_lower"),
    ),
    Case(
        id="valid_by_name",
        x=(1, 3, 6, 7),
        w=(4, 3, 3, 3),
        build=lambda x, w: opset.convolution(x, w, [1, 1], [1, 1], [1, 1], [1, 1], "valid"),
    ),
    Case(
        id="transposed_groups",
        x=(1, 4, 5, 6),
        w=(2, 2, 3, 3, 3),
        build=group_transposed([2, 2], *SAME),
    ),
    Case(id="matmul", x=(1, 5, 6), w=(6, 3), build=matmul(), channel_axis=2),
    Case(id="matmul_b", x=(1, 5, 6), w=(3, 6), build=matmul(second=True), channel_axis=2),
    Case(id="matmul_a", x=(1, 6, 5), w=(6, 3), build=matmul(first=True), channel_axis=1),
    Case(id="matmul_ab", x=(6, 5), w=(3, 6), build=matmul(first=True, second=True), channel_axis=0),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_shift_is_what_inference_finds(case: Case) -> None:
    """On inputs that are constant within a channel the closed form is exact, at borders too."""
    rng = np.random.default_rng(0)
    error = rng.standard_normal(case.w).astype(np.float32)
    means = rng.standard_normal(case.x[case.channel_axis]).astype(np.float32)
    shape = [1] * len(case.x)
    shape[case.channel_axis] = -1
    x = models.parameter("x", *case.x)
    node = case.build(x, models.constant(error, "w"))
    given = np.broadcast_to(means.reshape(shape), case.x)
    outputs = models.evaluate(models.finish([node], [x]), [given])[0]
    kept = len(case.x) - 1 if node.get_type_name() == "MatMul" else 1
    axes = tuple(axis for axis in range(outputs.ndim) if axis != kept)
    found = shift_of(node, error, means)
    np.testing.assert_allclose(found, outputs.mean(axis=axes), rtol=1e-4, atol=1e-5)


def test_dynamic_sizes_leave_borders_out() -> None:
    rng = np.random.default_rng(0)
    error = rng.standard_normal((4, 3, 3, 3)).astype(np.float32)
    x = models.parameter("x", -1, 3, -1, -1)
    node = opset.convolution(x, models.constant(error, "w"), ONE, *SAME, ONE)
    expected = error.sum(axis=(2, 3)) @ np.float32([1, 2, 3])
    np.testing.assert_allclose(shift_of(node, error, np.float32([1, 2, 3])), expected, rtol=1e-5)


def coarse(model: ov.Model, target: Target, *, corrected: bool = True, **more: Any) -> quant.Result:
    """The model with weights of few levels, so that their error stands out."""
    parameters = {"weights": {"level_low": -7, "level_high": 7}}
    steps = [quant.Step(use="MinMaxQuantization", parameters=parameters)]
    if corrected:
        steps.append(quant.Step(use="FastBiasCorrection", parameters=more))
    plan = quant.resolve(quant.load_model(model), steps, target)
    return quant.apply(plan, quant.collect(plan, calibration(model)))


def calibration(model: ov.Model) -> list[list[Array]]:
    """Samples with a mean other than zero, as pictures have."""
    return [[np.abs(array) for array in sample] for sample in models.samples(model, 16)]


def mean_error(model: ov.Model, result: quant.Result, channel_axis: int) -> float:
    """The mean over channels of the magnitude of each channel's mean error at the first output."""
    given = calibration(model)[:6]
    pairs = zip(
        models.evaluate_all(result.model, given), models.evaluate_all(model, given), strict=True
    )
    errors = [found[0] - expected[0] for found, expected in pairs]
    axes = tuple(a for a in range(errors[0].ndim) if a != channel_axis % errors[0].ndim)
    return float(np.abs(np.mean([error.mean(axis=axes) for error in errors], axis=0)).mean())


@pytest.mark.parametrize(
    ("build", "channel_axis"),
    [
        (models.conv_relu_conv, 1),
        (models.depthwise, 1),
        (models.transposed_conv, 1),
        (models.matmul, -1),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_mean_error_shrinks(
    build: Callable[[], ov.Model], channel_axis: int, cpu: Target
) -> None:
    model = build()
    before = mean_error(model, coarse(model, cpu, corrected=False), channel_axis)
    assert mean_error(model, coarse(model, cpu), channel_axis) < before / 3


def bias_less() -> ov.Model:
    """A convolution without a bias right above an output, which a Relu reads as well."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    node = models.conv(rng, x, (4, 3, 3, 3), "conv", bias=False)
    return models.finish([node, models.relu(node, "relu")], [x])


def test_a_missing_bias_is_made_for_every_reader(cpu: Target) -> None:
    model = coarse(bias_less(), cpu).model
    nodes = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
    above = [result.input_value(0).get_node().get_friendly_name() for result in model.get_results()]
    assert above == ["conv/corrected_bias", "relu"]
    assert nodes["relu"].input_value(0).get_node().get_friendly_name() == "conv/corrected_bias"


def test_output_names_survive_a_new_bias(cpu: Target) -> None:
    names = [output.get_names() for output in coarse(bias_less(), cpu).model.outputs]
    assert names == [{"y0"}, {"y1"}]


def test_an_existing_bias_is_changed_in_place(cpu: Target) -> None:
    result = coarse(models.conv_relu_conv(), cpu)
    types = [node.get_type_name() for node in result.model.get_ordered_ops()]
    assert types.count("Add") == 2
    shifts = {each.plan.name: each.bias_shift for each in result.operations}
    assert 0 < shifts["conv1"] < 1
    assert shifts["conv1/add"] is None


def test_an_exact_layer_has_no_shift(cpu: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of weights nor of inputs, which are whole numbers up to 127, anything is rounded."""
    monkeypatch.setattr(room, "ENOUGH", 1)
    x = models.parameter("x", 1, 2)
    weights = models.constant(np.eye(2, dtype=np.float32) * 127, "w")
    model = models.finish([models.named(opset.matmul(x, weights, False, True), "linear")], [x])
    given = [np.float32([[127, i]]) for i in range(-8, 8)]
    result = quant.quantize(model, given, target=cpu)
    shifts = {each.plan.name: each.bias_shift for each in result.operations}
    assert shifts["linear"] == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_what_rounding_moves_on_average_is_taken_back(preset: str, cpu: Target) -> None:
    """Most values of a Swish become zero where a few large ones set the range."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 4, 8, 8)
    weights = models.constant(rng.uniform(0.5, 1, (4, 4, 3, 3)).astype(np.float32), "w")
    layer = opset.convolution(opset.swish(x), weights, ONE, *SAME, ONE)
    model = models.finish([models.named(layer, "conv")], [x])
    given = [rng.normal(-4, 0.5, (1, 4, 8, 8)).astype(np.float32) for _ in range(32)]
    for each in given:
        each[0, 0, 0, 0] = 60
    steps = ["MinMaxQuantization", "FastBiasCorrection"]
    off = []
    for used in (steps[:1], steps):
        asked = [quant.Step(use=use) for use in used]
        asked[0] = quant.Step(use=steps[0], parameters={"preset": preset})
        plan = quant.resolve(quant.load_model(model), asked, cpu)
        result = quant.apply(plan, quant.collect(plan, given))
        before, after = (models.evaluate_all(each, given) for each in (model, result.model))
        off.append(np.mean([a[0] - b[0] for a, b in zip(after, before, strict=True)], (0, 1, 3, 4)))
    assert (np.abs(off[1]) < 0.1 * np.abs(off[0])).all()


def test_what_scatters_as_much_as_it_moves_is_left_alone(cpu: Target) -> None:
    """One sample tells no mean."""
    model = models.conv_relu_conv()
    plan = quant.resolve(quant.load_model(model), [quant.Step(use="DefaultQuantization")], cpu)
    (part,) = (step for step in plan.steps if isinstance(step, FastBiasPlan))
    assert [each.quantizer is not None for each in part.sites] == [True, True]
    given = models.samples(model)[:1]
    statistics = quant.collect(plan, given)
    work = Work(plan.model.clone())
    min_max.apply(work, next(s for s in plan.steps if isinstance(s, MinMaxPlan)), statistics)
    assert fast_bias.moved_means(work, part, part.sites[0], statistics) is None


def test_tensors_with_several_quantizers_are_not_examined(cpu: Target) -> None:
    """Two ranges above a Concat that only depthwise layers read; one range above a convolution."""
    found = {}
    for name, grouped in (("depthwise", True), ("convolution", False)):
        rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
        parts = [models.relu(models.conv(rng, x, (4, 3, 3, 3), n), f"{n}/relu") for n in "ab"]
        both = opset.concat(parts, 1)
        last = (
            models.group_conv(rng, both, (8, 1, 1, 3, 3), "last")
            if grouped
            else models.conv(rng, both, (4, 8, 3, 3), "last")
        )
        model = quant.load_model(models.finish([last], [x]))
        plan = quant.resolve(model, [quant.Step(use="DefaultQuantization")], cpu)
        (part,) = (step for step in plan.steps if isinstance(step, FastBiasPlan))
        found[name] = next(each.quantizer for each in part.sites if each.operation == "last")
    assert found == {"depthwise": None, "convolution": "a/relu/fq_output_0"}


def test_a_shift_above_the_threshold_is_left_out_with_a_note(cpu: Target) -> None:
    model = models.conv_relu_conv()
    result = coarse(model, cpu, threshold=1e-6)
    found = {each.plan.name: (each.bias_shift, each.note) for each in result.operations}
    assert found["conv1"] == (None, "bias not corrected: its shift exceeds 1e-06 times the bias")
    uncorrected = coarse(model, cpu, corrected=False)
    sample = models.samples(model, 1)[0]
    same = models.evaluate(result.model, sample)[0] == models.evaluate(uncorrected.model, sample)[0]
    assert same.all()


def test_a_shift_below_the_threshold_is_applied(cpu: Target) -> None:
    result = coarse(models.conv_relu_conv(), cpu, threshold=1e6)
    assert all(each.note == "" for each in result.operations)
