"""LayerwiseTuning: least squares against brute force, and what it does to a model."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import quant
import runner
from quant.errors import ParameterError, SamplesError
from quant.plan import TuningPlan, TuningSite
from quant.runtime import opset, ov
from quant.steps.moments import moments_of
from quant.steps.rounding import Moments, Weights, squared_error, tuned, with_best_bias
from quant.target import Target
from tests import models
from tests.quant.results import content, integers, sqnr_db

Array = NDArray[Any]
COARSE = {"weights": {"level_low": -7, "level_high": 7}}


def moments(x: Array, y: Array) -> Moments:
    """Of inputs `[N, D]` and outputs `[N, O]` of one group."""
    full = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    return Moments(
        inputs=(full.T @ full)[None], cross=(y.T @ full)[None], outputs=(y**2).sum(axis=0)[None]
    )


def problem(width: int = 3) -> tuple[Array, Array, Array, Weights]:
    """Correlated inputs, outputs of weights in floating point, and those weights rounded."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, width)) @ rng.standard_normal((width, width)) + 1
    original = rng.standard_normal((2, width))
    y = x @ original.T + 0.5
    start = Weights(
        integers=np.clip(np.rint(original / 0.5), -3, 3)[None],
        scale=np.full((1, 2), 0.5),
        zero=np.zeros((1, 2)),
        bias=np.zeros((1, 2)),
    )
    return x, y, original, start


def test_the_error_is_that_of_the_samples() -> None:
    x, y, _, start = problem()
    expected = np.square(x @ start.values[0].T + start.bias[0] - y).mean(axis=0)
    found = squared_error(moments(x, y), start.values, start.bias)
    np.testing.assert_allclose(found[0], expected)


def test_the_best_bias_keeps_the_means() -> None:
    x, y, _, start = problem()
    found = with_best_bias(moments(x, y), start)
    outputs = x @ found.values[0].T + found.bias[0]
    np.testing.assert_allclose(outputs.mean(axis=0), y.mean(axis=0))


def test_no_single_integer_can_be_better() -> None:
    """Coordinate descent ends where no change of one weight lowers the error."""
    x, y, original, start = problem(70)  # more than one block of columns
    seen = moments(x, y)
    found = tuned(seen, original[None], start, sweeps=50, decay=0, rescales=False)
    least = squared_error(seen, found.values, found.bias)
    bounds = start.integers.min(), start.integers.max()
    for j, step in itertools.product(range(70), (-1, 1)):
        moved = found.integers.copy()
        moved[..., j] = np.clip(moved[..., j] + step, *bounds)
        other = with_best_bias(seen, replace(found, integers=moved))
        assert (squared_error(seen, other.values, other.bias) >= least - 1e-9).all()


def test_the_error_falls_below_that_of_rounding() -> None:
    x, y, original, start = problem()
    seen = moments(x, y)
    rounded = with_best_bias(seen, start)
    found = tuned(seen, original[None], start, sweeps=5, decay=0, rescales=False)
    before = squared_error(seen, rounded.values, rounded.bias)
    assert (squared_error(seen, found.values, found.bias) <= before).all()


def test_integers_stay_within_those_in_use() -> None:
    x, y, original, start = problem()
    found = tuned(moments(x, y * 5), original[None], start, sweeps=5, decay=0, rescales=True)
    assert found.integers.min() >= start.integers.min()
    assert found.integers.max() <= start.integers.max()


def test_a_strong_pull_leaves_rounded_weights() -> None:
    x, y, original, start = problem()
    found = tuned(moments(x, y * 5), original[None], start, sweeps=5, decay=1e9, rescales=False)
    np.testing.assert_array_equal(found.integers, start.integers)


@pytest.mark.parametrize(
    ("shape", "weights", "more"),
    [
        ((2, 3, 6, 7), (4, 3, 3, 2), ([2, 1], [1, 0], [0, 1], [1, 2])),
        ((1, 3, 9), (4, 3, 3), ([2], [1], [1], [1])),
        ((1, 4, 6, 7), (4, 1, 1, 3, 3), ([1, 2], [1, 1], [1, 1], [1, 1])),
        ((1, 4, 6, 7), (2, 3, 2, 3, 3), ([1, 1], [1, 1], [1, 1], [1, 1])),
    ],
    ids=["conv", "conv_1d", "depthwise", "groups"],
)
def test_moments_of_a_convolution(
    shape: tuple[int, ...], weights: tuple[int, ...], more: tuple[list[int], ...]
) -> None:
    """Its own weights explain its own outputs without an error."""
    rng, x = np.random.default_rng(0), models.parameter("x", *shape)
    w = rng.standard_normal(weights).astype(np.float32)
    is_grouped = len(weights) == len(shape) + 1
    make = opset.group_convolution if is_grouped else opset.convolution
    node = make(x, models.constant(w, "w"), *more)
    groups = weights[0] if is_grouped else 1
    channels = weights[1] if is_grouped else weights[0]
    site = TuningSite(
        operation="layer",
        quantizer="",
        groups=groups,
        channels=channels,
        width=int(np.prod(weights)) // (groups * channels),
    )
    model = models.finish(moments_of(x.output(0), node.output(0), node, site, 1000), [x])
    products, squares = models.evaluate(model, [rng.standard_normal(shape).astype(np.float32)])
    seen = Moments(
        inputs=products[..., : site.width + 1],
        cross=products[..., site.width + 1 :].swapaxes(1, 2),
        outputs=squares,
    )
    taps = int(np.prod(weights[-(len(shape) - 2) :]))
    rows = w.reshape(groups, channels, -1, taps).swapaxes(2, 3).reshape(groups, channels, -1)
    error = squared_error(seen, rows, np.zeros((groups, channels)))
    assert error.max() < 1e-4 * (squares / seen.inputs[:, -1:, -1]).max()


@pytest.mark.parametrize(
    ("shape", "weights", "more"),
    [
        ((1, 3, 16, 17), (4, 3, 3, 2), ([2, 1], [1, 0], [0, 1], [1, 2])),
        ((2, 4, 15, 16), (4, 1, 1, 3, 3), ([1, 2], [1, 1], [1, 1], [1, 1])),
        ((1, 60, 5), (4, 5), ()),
    ],
    ids=["conv", "depthwise", "matmul"],
)
def test_moments_of_some_positions(
    shape: tuple[int, ...], weights: tuple[int, ...], more: tuple[list[int], ...]
) -> None:
    """The same layer explains them, and they are as many as asked for, from all over."""
    rng, x = np.random.default_rng(0), models.parameter("x", *shape)
    w = rng.standard_normal(weights).astype(np.float32)
    is_grouped, is_matmul = len(weights) == 5, not more
    if is_matmul:
        node = opset.matmul(x, models.constant(w, "w"), False, True)
    else:
        make = opset.group_convolution if is_grouped else opset.convolution
        node = make(x, models.constant(w, "w"), *more)
    groups = weights[0] if is_grouped else 1
    channels = weights[1] if is_grouped else weights[0]
    width = int(np.prod(weights)) // (groups * channels)
    site = TuningSite(
        operation="layer", quantizer="", groups=groups, channels=channels, width=width
    )
    found = moments_of(x.output(0), node.output(0), node, site, 20)
    model = models.finish(found, [x])
    sample = rng.standard_normal(shape).astype(np.float32)
    products, squares = models.evaluate(model, [sample])
    seen = Moments(
        inputs=products[..., : width + 1],
        cross=products[..., width + 1 :].swapaxes(1, 2),
        outputs=squares,
    )
    assert seen.count == 20 * (1 if is_matmul else shape[0])
    taps = 1 if is_matmul else int(np.prod(weights[-(len(shape) - 2) :]))
    rows = w.reshape(groups, channels, -1, taps).swapaxes(2, 3).reshape(groups, channels, -1)
    error = squared_error(seen, rows, np.zeros((groups, channels)))
    assert error.max() < 1e-4 * (squares / seen.inputs[:, -1:, -1]).max()
    whole = moments_of(x.output(0), node.output(0), node, site, 10**6)
    every, _ = models.evaluate(models.finish(whole, [x]), [sample])
    power = np.diagonal(products, axis1=1, axis2=2)[:, :width].mean() / seen.count
    assert power == pytest.approx(
        np.diagonal(every, axis1=1, axis2=2)[:, :width].mean() / every[0, width, width], rel=0.4
    )


def test_zeros_around_a_picture_are_zeros_in_moments() -> None:
    """Also where what is padded is quantized: OpenVINO pads integers with the integer 0, which
    stands for half of the range after it has made them signed."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 4, 1)
    low, high = models.constant(0, "low"), models.constant(2, "high")
    quantized = opset.fake_quantize(opset.relu(x), low, high, low, high, 256)
    w = rng.standard_normal((8, 4, 3)).astype(np.float32)
    node = opset.convolution(quantized, models.constant(w, "w"), [1], [1], [1], [1])
    site = TuningSite(operation="layer", quantizer="", groups=1, channels=8, width=12)
    found = moments_of(quantized.output(0), node.output(0), node, site, 1000)
    products, _ = models.evaluate(models.finish(found, [x]), [np.ones((1, 4, 1), np.float32)])
    np.testing.assert_allclose(np.diag(products[0])[:12], [0] * 4 + [1] * 4 + [0] * 4, atol=0.02)


def tune(model: ov.Model, target: Target, **more: Any) -> tuple[TuningPlan, quant.Result]:
    """The model with weights of few levels, tuned."""
    steps = [
        quant.Step(use="MinMaxQuantization", parameters=COARSE),
        quant.Step(use="LayerwiseTuning", parameters=more),
    ]
    plan = quant.resolve(quant.load_model(model), steps, target)
    samples = models.samples(model, 20)
    found = plan.steps[1]
    assert isinstance(found, TuningPlan)
    return found, quant.apply(plan, quant.collect(plan, samples), samples)


def untuned(model: ov.Model, target: Target) -> quant.Result:
    step = quant.Step(use="MinMaxQuantization", parameters=COARSE)
    plan = quant.resolve(quant.load_model(model), [step], target)
    return quant.apply(plan, quant.collect(plan, models.samples(model, 20)))


def noise_db(model: ov.Model, result: quant.Result) -> float:
    """Of the first output over samples that nothing was tuned on."""
    given = models.samples(model, 10, seed=7)
    pairs = zip(
        models.evaluate_all(model, given), models.evaluate_all(result.model, given), strict=True
    )
    expected, found = zip(*((a[0].ravel(), b[0].ravel()) for a, b in pairs), strict=True)
    return sqnr_db(np.concatenate(expected), np.concatenate(found))


@pytest.mark.parametrize(
    "build",
    [
        *(models.conv_relu_conv, models.residual, models.depthwise, models.grouped, models.matmul),
        *(models.classifier, models.conv_1d, models.conv_3d),
    ],
    ids=lambda build: build.__name__,
)
def test_outputs_come_closer(build: Callable[[], ov.Model], cpu: Target) -> None:
    _, result = tune(build(), cpu)
    assert noise_db(build(), result) > noise_db(build(), untuned(build(), cpu)) + 1


def errors(result: quant.Result, kind: str) -> list[tuple[float, float]]:
    """Per layer, the squared error on held-out samples before and after."""
    told = [text for name, text in result.outcomes.items() if name.startswith(kind)]
    pairs = [text.removeprefix("mse ").split(" -> ") for text in told]
    return [(float(before), float(after)) for before, after in pairs]


def test_no_layer_gets_worse_on_held_out_samples(cpu: Target) -> None:
    found = errors(tune(models.residual(), cpu)[1], "tune ")
    assert len(found) == 3
    assert all(after <= before for before, after in found)
    assert any(after < 0.9 * before for before, after in found)


def test_weights_stay_on_their_grid(cpu: Target) -> None:
    _, result = tune(models.conv_relu_conv(), cpu)
    assert all(integers(result, name).max() <= 7 for name in ("conv1", "conv2"))


def test_what_is_not_tuned_has_a_note(cpu: Target) -> None:
    found = {}
    for build in (models.lstm, models.transposed_conv, models.shared_weights):
        found |= {each.plan.name: each.note for each in tune(build(), cpu)[1].operations}
    notes = {note for note in found.values() if note}
    assert "not tuned: ConvolutionBackpropData is not tuned" in notes
    assert "not tuned: LSTMSequence is not tuned" in notes
    assert "not tuned: shared weights are not tuned" in notes


def test_a_model_with_a_state_is_left_alone(cpu: Target) -> None:
    _, result = tune(models.stateful(), cpu)
    assert result.outcomes["LayerwiseTuning"].startswith("nothing: the model keeps a state")


def test_the_same_input_gives_the_same_model(cpu: Target) -> None:
    first, second = (tune(models.residual(), cpu)[1] for _ in range(2))
    assert content(first.model) == content(second.model)


def test_it_is_the_last_part_of_default_quantization(cpu: Target) -> None:
    model = models.encoder_softmax()
    samples = models.samples(model)
    options = {"model_type": "transformer", "use_layerwise_tuning": True}
    result = quant.quantize(model, samples, target=cpu, **options)
    assert list(result.timings)[-2:] == ["LayerwiseTuning_s", "fold_s"]


def test_an_iterator_is_refused(cpu: Target) -> None:
    samples = iter(models.samples(models.residual()))
    with pytest.raises(SamplesError, match="LayerwiseTuning reads the samples again"):
        quant.quantize(models.residual(), samples, target=cpu, use_layerwise_tuning=True)


def test_parameters_of_gradients_say_what_to_use_instead(cpu: Target) -> None:
    with pytest.raises(ParameterError, match="without gradients; use tuning_iterations and weight"):
        tune(models.residual(), cpu, optimizer="Adam")


@pytest.mark.parametrize("target", ["gna", "gna3"])
def test_fine_grids_are_tuned_by_weights_alone(target: str) -> None:
    model = models.conv_relu_conv()
    samples = models.samples(model, 20)
    found = quant.quantize(
        model, samples, target=runner.load_target(target), use_layerwise_tuning=True
    )
    assert "LayerwiseTuning_s" in found.timings
    assert not [name for name in found.outcomes if name.startswith("range ")]


def test_levels_that_were_asked_for_stay(cpu: Target) -> None:
    model = models.conv_relu_conv()
    asked = {"level_low": -50, "level_high": 50}
    samples = models.samples(model, 20)
    found = quant.quantize(model, samples, target=cpu, activations=asked, use_layerwise_tuning=True)
    plain = quant.quantize(model, samples, target=cpu, activations=asked)
    assert [each.ranges for each in found.operations] == [each.ranges for each in plain.operations]
