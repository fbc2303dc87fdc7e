"""BiasCorrection: the quantized model's means per channel are FP32's, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import quant
from quant.errors import SamplesError
from quant.plan import BiasPlan, BiasSite, Subset, TensorRef
from quant.runtime import opset, ov
from quant.statistics.collect import collect_needs
from quant.statistics.need import Aggregator, Need, Reduction
from quant.target import Target
from tests import models
from tests.quant.results import content, nodes_of, sqnr_db

Build = Callable[[], ov.Model]
COARSE = {"weights": {"level_low": -7, "level_high": 7}}
COUNT = 10
MEASURED = 2  # a fifth of them
TOLERANCE = 1e-3  # five times one level (0.03) times one weight (0.3) over 64 positions


def corrected(model: ov.Model, target: Target, **more: Any) -> tuple[BiasPlan, quant.Result]:
    """The model with weights of few levels, and BiasCorrection behind them."""
    given = more.pop("quantization", {})
    steps = [
        quant.Step(use="MinMaxQuantization", parameters={**COARSE, **given}),
        quant.Step(use="BiasCorrection", parameters=more),
    ]
    plan = quant.resolve(quant.load_model(model), steps, target)
    samples = calibration(model)
    result = quant.apply(plan, quant.collect(plan, samples), samples)
    found = plan.steps[1]
    assert isinstance(found, BiasPlan)
    return found, result


def calibration(model: ov.Model) -> list[list[NDArray[Any]]]:
    """Samples with a mean other than zero, as pictures have."""
    return [[np.abs(array) for array in sample] for sample in models.samples(model, COUNT)]


def means(model: ov.Model, site: BiasSite, tensor: str) -> NDArray[np.float64]:
    need = Need(
        tensor=TensorRef(tensor),
        reduction=Reduction.MEAN,
        aggregator=Aggregator.MEAN,
        subset=Subset(size=MEASURED),
        channel_axis=site.channel_axis,
        channels=site.channels,
    )
    return collect_needs(model, [need], calibration(model)).values[need]


def branches() -> ov.Model:
    """Two branches of different depth that meet, with layers below; one layer has no bias."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    stem = models.relu(models.conv(rng, x, (8, 3, 3, 3), "stem"), "stem_relu")
    left = models.relu(models.conv(rng, stem, (8, 8, 3, 3), "left", bias=False), "left_relu")
    left = models.relu(models.group_conv(rng, left, (8, 1, 1, 3, 3), "deep"), "deep_relu")
    right = models.relu(models.conv(rng, stem, (8, 8, 1, 1), "right"), "right_relu")
    both = models.named(opset.add(left, right), "sum")
    return models.finish([models.conv(rng, both, (4, 8, 3, 3), "last")], [x])


@pytest.mark.parametrize(
    "build",
    [
        *(branches, models.residual, models.depthwise, models.transposed_conv, models.matmul),
        *(models.classifier, models.conv_1d, models.conv_3d, models.grouped),
        models.encoder_softmax,
    ],
    ids=lambda build: build.__name__,
)
def test_the_means_are_those_of_fp32(build: Build, cpu: Target) -> None:
    """Within what single activations make that another compilation rounds to the next level."""
    model = quant.load_model(build())
    plan, result = corrected(build(), cpu)
    nodes = nodes_of(result.model)
    assert plan.stages
    for site in (site for stage in plan.stages for site in stage):
        made = f"{site.operation}/corrected_bias"
        found = means(result.model, site, made if made in nodes else site.tensor.op)
        np.testing.assert_allclose(found, means(model, site, site.tensor.op), atol=TOLERANCE)


def test_layers_of_equal_depth_share_a_piece(cpu: Target) -> None:
    plan, _ = corrected(branches(), cpu)
    names = [[site.operation for site in stage] for stage in plan.stages]
    assert [sorted(stage) for stage in names] == [["stem"], ["left", "right"], ["deep"], ["last"]]


def deep() -> ov.Model:
    """Twenty convolutions, one below the other."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    found = x
    for i in range(20):
        found = models.relu(models.conv(rng, found, (3, 3, 3, 3), f"conv{i}"), f"relu{i}")
    return models.finish([found], [x])


def test_deep_layers_are_measured_on_corrected_inputs(cpu: Target) -> None:
    plan, result = corrected(deep(), cpu)
    assert len(plan.stages) == 20
    model = quant.load_model(deep())
    for site in (site for stage in plan.stages for site in stage):
        found, expected = (means(each, site, site.tensor.op) for each in (result.model, model))
        np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_a_model_with_a_state_is_corrected_from_its_start(cpu: Target) -> None:
    plan, result = corrected(models.stateful(), cpu)
    assert [len(stage) for stage in plan.stages] == [1, 1]
    assert result.model.get_sinks()
    shifts = {each.plan.name: each.bias_shift for each in result.operations}
    assert all(shifts[stage[0].operation] for stage in plan.stages)


@pytest.mark.parametrize("kind", [dict, tuple, None], ids=str)
def test_samples_may_have_any_form(cpu: Target, kind: type | None) -> None:
    """Mappings by input name, and bare arrays, get the corrections beside them too."""
    plain = corrected(branches(), cpu)[1]
    step = quant.Step(use="MinMaxQuantization", parameters=COARSE)
    plan = quant.resolve(
        quant.load_model(branches()), [step, quant.Step(use="BiasCorrection")], cpu
    )
    given: list[Any] = [
        {"x": x} if kind is dict else (x,) if kind is tuple else x
        for (x,) in calibration(branches())
    ]
    result = quant.apply(plan, quant.collect(plan, given), given)
    assert content(result.model) == content(plain.model)


def test_the_shifts_are_told(cpu: Target) -> None:
    _, result = corrected(branches(), cpu)
    shifts = {each.plan.name: each.bias_shift for each in result.operations}
    assert all(shifts[name] for name in ("stem", "left", "right", "deep", "last"))
    assert shifts["stem/add"] is None


def test_layers_in_floating_point_are_corrected_on_request(cpu: Target) -> None:
    ignored = {"ignored": {"scope": ["last"]}}
    plan, _ = corrected(branches(), cpu, quantization=ignored)
    assert "last" not in [site.operation for stage in plan.stages for site in stage]
    model = quant.load_model(branches())
    plan, result = corrected(branches(), cpu, quantization=ignored, apply_for_all_nodes=True)
    (site,) = plan.stages[-1]
    found, expected = (means(each, site, "last/add") for each in (result.model, model))
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_a_recurrent_layer_is_left_alone_with_a_note(cpu: Target) -> None:
    _, result = corrected(models.lstm(), cpu)
    notes = {each.plan.type: each.note for each in result.operations}
    assert notes["LSTMSequence"] == "bias not corrected: not a layer with one bias"


def test_a_shift_above_the_threshold_is_left_out_with_a_note(cpu: Target) -> None:
    _, result = corrected(models.conv_relu_conv(), cpu, threshold=1e-6)
    notes = {each.plan.name: each.note for each in result.operations}
    assert notes["conv1"] == "bias not corrected: its shift exceeds 1e-06 times the bias"


def test_the_same_input_gives_the_same_model(cpu: Target) -> None:
    first, second = (corrected(branches(), cpu)[1] for _ in range(2))
    assert content(first.model) == content(second.model)


def test_quantize_hands_the_samples_on(cpu: Target) -> None:
    model = branches()
    result = quant.quantize(model, calibration(model), target=cpu, use_fast_bias=False)
    assert "BiasCorrection_s" in result.timings


def test_an_iterator_is_refused_before_anything_is_read(cpu: Target) -> None:
    samples = iter(calibration(branches()))
    with pytest.raises(SamplesError, match="BiasCorrection reads the samples again; hand in a li"):
        quant.quantize(branches(), samples, target=cpu, use_fast_bias=False)
    assert len(list(samples)) == COUNT


def test_apply_needs_the_samples(cpu: Target) -> None:
    model = branches()
    step = quant.Step(use="DefaultQuantization", parameters={"use_fast_bias": False})
    plan = quant.resolve(quant.load_model(model), [step], cpu)
    statistics = quant.collect(plan, calibration(model))
    with pytest.raises(SamplesError, match="reads the samples again; hand them to `apply`"):
        quant.apply(plan, statistics)


def test_what_smoothing_divides_by_is_no_error(cpu: Target) -> None:
    """SmoothQuant's divisors act in the quantizers alone, so means are compared with FP32's."""
    model = models.matmul()
    samples = [[x * np.float32([30, *[1] * (x.shape[-1] - 1)])] for (x,) in calibration(model)]
    names = ("SmoothQuant", "MinMaxQuantization", "BiasCorrection")
    steps = [quant.Step(use=name) for name in names]
    plan = quant.resolve(quant.load_model(model), steps, cpu)
    result = quant.apply(plan, quant.collect(plan, samples), samples)
    assert any("alpha" in text for text in result.outcomes.values())
    found, expected = (models.evaluate(each, samples[0])[0] for each in (result.model, model))
    assert sqnr_db(expected, found) > 20
