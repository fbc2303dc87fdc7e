"""ActivationChannelAlignment: which pairs it takes, what it keeps, and the statistics after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import quant
from quant.entry import collect, resolve
from quant.graph import view
from quant.load import load_model
from quant.parameters import Aggregator
from quant.plan import AlignedPair, ChannelAlignmentPlan, MinMaxPlan, Subset, TensorRef
from quant.runtime import opset, ov
from quant.scheme import Granularity, Mode, Scheme
from quant.statistics.collect import collect_needs
from quant.statistics.need import Need, Reduction, Statistics
from quant.steps import channel_alignment, room
from quant.steps.alignment import NONE, Channels, best_alignment
from quant.steps.pairs import pairs
from quant.target import Target
from quant.work import Work
from tests import models
from tests.quant.results import sqnr_db

Array = NDArray[Any]

SPREAD = np.geomspace(0.05, 20, 8).astype(np.float32)
"""How much larger each of the eight channels between two layers is."""


def first(rng: np.random.Generator, x: Any, name: str = "first", *, bias: bool = True) -> ov.Node:
    """A 1x1 convolution to eight channels of very different size and place."""
    weights = models.normal(rng, 8, 4, 1, 1, fan_in=4) * SPREAD.reshape(8, 1, 1, 1)
    node = opset.convolution(
        x, models.constant(weights, f"{name}/weights"), [1, 1], [0, 0], [0, 0], [1, 1]
    )
    models.named(node, name)
    if not bias:
        return node
    values = (3 * SPREAD * rng.standard_normal(8)).astype(np.float32).reshape(1, 8, 1, 1)
    return models.named(opset.add(node, models.constant(values, f"{name}/bias")), f"{name}/add")


def second(
    rng: np.random.Generator, x: Any, name: str = "second", *, pad: int = 0, bias: bool = True
) -> ov.Node:
    """A 3x3 convolution from eight channels."""
    weights = models.constant(models.normal(rng, 6, 8, 3, 3, fan_in=72), f"{name}/weights")
    node = opset.convolution(x, weights, [1, 1], [pad, pad], [pad, pad], [1, 1])
    models.named(node, name)
    return models.add_bias(rng, node, 6, 2, name) if bias else node


def start() -> tuple[np.random.Generator, ov.Node]:
    return np.random.default_rng(0), models.parameter("x", 1, 4, 8, 8)


def pair(**options: Any) -> ov.Model:
    rng, x = start()
    return models.finish([second(rng, first(rng, x), **options)], [x])


def biased() -> ov.Model:
    return pair()


def without_biases() -> ov.Model:
    rng, x = start()
    return models.finish([second(rng, first(rng, x, bias=False), bias=False)], [x])


def padded() -> ov.Model:
    return pair(pad=1)


def grouped() -> ov.Model:
    """A grouped producer, without a bias of its own."""
    rng, x = start()
    weights = models.normal(rng, 2, 4, 2, 1, 1, fan_in=2) * SPREAD.reshape(2, 4, 1, 1, 1)
    constant = models.constant(weights, "first/weights")
    node = opset.group_convolution(x, constant, [1, 1], [0, 0], [0, 0], [1, 1])
    return models.finish([second(rng, models.named(node, "first"))], [x])


def strided() -> ov.Model:
    """A consumer with strides and dilations, which POT and NNCF leave out."""
    rng, x = start()
    weights = models.constant(models.normal(rng, 6, 8, 2, 2, fan_in=32), "second/weights")
    node = opset.convolution(first(rng, x), weights, [2, 2], [0, 0], [0, 0], [3, 3])
    return models.finish([models.named(node, "second")], [x])


def matmul(*, transposed: bool = False) -> ov.Model:
    """A MatMul whose weights stand first, so that their rows are the channels of axis 1."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 4, 16)
    weights = models.normal(rng, 8, 4, fan_in=4) * SPREAD[:, None]
    constant = models.constant(weights.T.copy() if transposed else weights, "first/weights")
    node = models.named(opset.matmul(constant, x, transposed, False), "first")
    values = models.constant(SPREAD.reshape(1, 8, 1), "first/bias")
    hidden = models.named(opset.add(node, values), "first/add")
    return models.finish([models.conv(rng, hidden, (6, 8, 1), "second")], [x])


def transposed_matmul() -> ov.Model:
    return matmul(transposed=True)


def chain() -> ov.Model:
    """Three layers: the middle one is a consumer and a producer."""
    rng, x = start()
    middle = models.conv(rng, first(rng, x), (8, 8, 1, 1), "middle")
    return models.finish([second(rng, middle)], [x])


ALIGNED = (biased, without_biases, padded, grouped, strided, matmul, transposed_matmul, chain)


def with_activation() -> ov.Model:
    rng, x = start()
    return models.finish([second(rng, models.relu(first(rng, x), "relu"))], [x])


def shared_weights() -> ov.Model:
    """Two consumers with one constant of weights, each behind a layer of its own."""
    rng, x = start()
    weights = models.constant(models.normal(rng, 6, 8, 1, 1, fan_in=8), "weights")
    ends = []
    for name in ("a", "b"):
        hidden = first(rng, x, f"first_{name}")
        node = opset.convolution(hidden, weights, [1, 1], [0, 0], [0, 0], [1, 1])
        ends.append(models.named(node, name))
    return models.finish(ends, [x])


def two_readers() -> ov.Model:
    rng, x = start()
    hidden = first(rng, x)
    return models.finish([second(rng, hidden), second(rng, hidden, "other")], [x])


def read_by_result() -> ov.Model:
    rng, x = start()
    hidden = first(rng, x)
    return models.finish([second(rng, hidden), hidden], [x])


def activations_last() -> ov.Model:
    """A MatMul whose weights stand last: its channels are not on axis 1."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 8, 8)
    hidden = models.linear(rng, x, (8, 8), "first")
    return models.finish([models.conv(rng, hidden, (6, 8, 1), "second")], [x])


def to_depthwise() -> ov.Model:
    rng, x = start()
    return models.finish([models.group_conv(rng, first(rng, x), (8, 1, 1, 3, 3), "second")], [x])


NOT_ALIGNED = (
    *(with_activation, shared_weights, two_readers, read_by_result, activations_last),
    to_depthwise,
)


def planned(model: ov.Model, target: Target, **parameters: Any) -> quant.QuantPlan:
    return resolve(
        load_model(model), [quant.Step(use="DefaultQuantization", parameters=parameters)], target
    )


def pairs_of(plan: quant.QuantPlan) -> tuple[AlignedPair, ...]:
    part = plan.steps[0]
    assert isinstance(part, ChannelAlignmentPlan)
    return part.pairs


def aligned(
    model: ov.Model, target: Target, **parameters: Any
) -> tuple[Work, quant.QuantPlan, Statistics]:
    """The model after alignment alone, its plan, and the statistics as later steps see them."""
    plan = planned(model, target, **parameters)
    statistics = collect(plan, models.samples(model))
    work, part = Work(plan.model.clone()), plan.steps[0]
    assert isinstance(part, ChannelAlignmentPlan)
    return work, plan, channel_alignment.apply(work, part, statistics)


@pytest.mark.parametrize("preset", ["performance", "mixed"])
@pytest.mark.parametrize("build", ALIGNED, ids=lambda build: build.__name__)
def test_alignment_keeps_the_outputs(
    build: Callable[[], ov.Model], preset: str, cpu: Target
) -> None:
    model = build()
    work, _, _ = aligned(model, cpu, preset=preset)
    assert work.outcomes
    assert NONE not in work.outcomes.values()
    sample = models.samples(model, 1, seed=5)[0]
    found, expected = models.evaluate(work.model, sample)[0], models.evaluate(model, sample)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("build", NOT_ALIGNED, ids=lambda build: build.__name__)
def test_no_pair(build: Callable[[], ov.Model], cpu: Target) -> None:
    assert pairs_of(planned(build(), cpu)) == ()


@pytest.mark.parametrize("name", ["first", "second"])
def test_ignored_operations_are_left_alone(name: str, cpu: Target) -> None:
    assert pairs_of(planned(biased(), cpu, ignored={"scope": [name]})) == ()


@pytest.mark.parametrize(
    "estimator",
    [{"preset": "quantile"}, {"max": {"clipping_value": 3.0}}],
    ids=["quantile", "clipping"],
)
def test_ranges_that_do_not_follow_from_extremes_are_left_alone(
    estimator: dict[str, Any], cpu: Target
) -> None:
    assert pairs_of(planned(biased(), cpu, activations={"range_estimator": estimator})) == ()


def test_padding_stands_in_the_way_of_the_shift_alone(cpu: Target) -> None:
    found = [pairs_of(planned(build(), cpu))[0] for build in (biased, padded)]
    assert [(each.is_shifted, each.is_scaled) for each in found] == [(True, True), (False, True)]


def test_scaling_needs_weights_with_a_range_for_each_channel(cpu: Target) -> None:
    plan = planned(biased(), cpu)
    whole = next(step for step in plan.steps if isinstance(step, MinMaxPlan))
    coarse = tuple(
        replace(each, scheme=replace(each.scheme, granularity=Granularity.PERTENSOR))
        for each in whole.weights
    )
    (found,) = pairs(view(plan.model), replace(whole, weights=coarse))
    assert (found.is_shifted, found.is_scaled) == (True, False)


def test_without_a_pair_nothing_more_is_collected(cpu: Target) -> None:
    model = with_activation()
    values = [
        set(collect(planned(model, cpu, **given), models.samples(model)).values)
        for given in ({}, {"use_channel_alignment": False})
    ]
    assert values[0] == values[1]


def test_it_can_be_left_out(cpu: Target) -> None:
    plan = planned(biased(), cpu, use_channel_alignment=False)
    assert "ActivationChannelAlignment" not in plan.step_names


@pytest.mark.parametrize("build", [biased, padded, chain], ids=lambda build: build.__name__)
@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_statistics_after_alignment_are_those_of_the_aligned_tensors(
    build: Callable[[], ov.Model], preset: str, cpu: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Extremes are those over all samples, whatever the aggregator that was asked for, where those
    are enough."""
    monkeypatch.setattr(room, "ENOUGH", 1)
    model = build()
    work, _, statistics = aligned(model, cpu, preset=preset)
    extremes = {
        Reduction.MIN: Aggregator.MIN,
        Reduction.MAX: Aggregator.MAX,
        Reduction.ABS_MAX: Aggregator.MAX,
    }
    asked = {
        (name, need): replace(need, aggregator=extremes.get(need.reduction, need.aggregator))
        for name, need in statistics.replaced
    }
    assert {need.reduction for need in asked.values()} >= {Reduction.MIN, Reduction.MEAN}
    again = collect_needs(work.model, list(asked.values()), models.samples(model))
    for key, need in asked.items():
        found, expected = statistics.of(key[1], key[0]), again.values[need]
        close = 1e-4 * max(1, np.abs(expected).max())
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=close, err_msg=str(key))


@pytest.mark.parametrize("preset", ["performance", "mixed"])
@pytest.mark.parametrize("build", [biased, padded, grouped, chain], ids=lambda b: b.__name__)
def test_uneven_channels_lose_less(build: Callable[[], ov.Model], preset: str, cpu: Target) -> None:
    model = build()
    given = models.samples(model, 16)
    expected = np.stack([out[0] for out in models.evaluate_all(model, given)])
    found = []
    for is_on in (False, True):
        result = quant.quantize(
            model,
            given,
            target=cpu,
            preset=preset,
            use_channel_alignment=is_on,
            use_smooth_quant=False,
        )
        outputs = np.stack([out[0] for out in models.evaluate_all(result.model, given)])
        found.append(sqnr_db(expected, outputs))
    assert found[1] > found[0] + 1


def test_smooth_quant_goes_on_from_the_aligned_channels(cpu: Target) -> None:
    model = biased()
    steps = [
        quant.Step(use=use)
        for use in (
            "ActivationChannelAlignment",
            "SmoothQuant",
            "MinMaxQuantization",
            "FastBiasCorrection",
        )
    ]
    plan = resolve(load_model(model), steps, cpu)
    given = models.samples(model)
    result = quant.apply(plan, collect(plan, given))
    expected = np.stack([out[0] for out in models.evaluate_all(model, given)])
    found = np.stack([out[0] for out in models.evaluate_all(result.model, given)])
    assert sqnr_db(expected, found) > 35
    assert [key for key in result.outcomes if key.startswith("align")] == ["align first -> second"]


@pytest.mark.parametrize("use_fast_bias", [True, False])
@pytest.mark.parametrize("build", [without_biases, chain], ids=lambda b: b.__name__)
def test_bias_correction_goes_on_from_the_aligned_biases(
    build: Callable[[], ov.Model], *, use_fast_bias: bool, cpu: Target
) -> None:
    """The means of the outputs are those of FP32, also where alignment has made a bias."""
    model = build()
    given = models.samples(model, 32)
    result = quant.quantize(model, given, target=cpu, use_fast_bias=use_fast_bias)
    expected = np.stack([out[0] for out in models.evaluate_all(model, given)])
    found = np.stack([out[0] for out in models.evaluate_all(result.model, given)])
    shift = (found - expected).mean(axis=(0, 1, 3, 4))
    assert np.abs(shift).max() < 0.01 * expected.std()


def test_it_has_to_come_before_the_quantization(cpu: Target) -> None:
    steps = [
        quant.Step(use="MinMaxQuantization"),
        quant.Step(use="ActivationChannelAlignment"),
    ]
    with pytest.raises(quant.ParameterError, match="ActivationChannelAlignment prepares for"):
        resolve(load_model(biased()), steps, cpu)


def test_it_has_to_come_before_smooth_quant(cpu: Target) -> None:
    uses = ("SmoothQuant", "ActivationChannelAlignment", "MinMaxQuantization")
    with pytest.raises(quant.ParameterError, match="has to come before SmoothQuant"):
        resolve(load_model(biased()), [quant.Step(use=use) for use in uses], cpu)


PAIR = AlignedPair(
    producer="first",
    consumer="second",
    tensor=TensorRef("first"),
    channels=4,
    is_open=True,
    is_shifted=True,
    is_scaled=True,
    activations=Scheme(mode=Mode.ASYMMETRIC),
    weights=Scheme(),
)


def channels(low: list[float], high: list[float]) -> Channels:
    """Channels whose values are spread evenly between their extremes."""
    least, most = np.array(low), np.array(high)
    mean = (least + most) / 2
    return Channels(low=least, high=most, mean=mean, mean_square=mean**2 + (most - least) ** 2 / 12)


def test_even_channels_stay_as_they_are() -> None:
    even = channels([-1.0] * 4, [1.0] * 4)
    found = best_alignment(PAIR, even, np.ones((3, 4, 1)))
    assert (found.name, found.shift.tolist(), found.factor.tolist()) == (NONE, [0.0] * 4, [1.0] * 4)


def test_a_shift_centres_every_channel() -> None:
    apart = channels([4.0, -6.0, -1.0, 9.0], [6.0, -4.0, 1.0, 11.0])
    found = best_alignment(PAIR, apart, np.ones((3, 4, 1)))
    assert found.name == "shift"
    assert found.shift.tolist() == [5.0, -5.0, 0.0, 10.0]


def test_dead_channels_keep_their_scale() -> None:
    uneven = channels([-8.0, -1.0, 0.0, -0.1], [8.0, 1.0, 0.0, 0.1])
    weights = np.array([1.0, 1.0, 1.0, 10.0]).reshape(1, 4, 1)
    found = best_alignment(PAIR, uneven, weights)
    assert found.name != NONE
    assert found.factor[2] == 1.0
    assert found.factor[0] > found.factor[1]


@pytest.mark.parametrize("width", [1e-8, 1e8])
def test_factors_are_bounded(width: float) -> None:
    uneven = channels([-width, -1.0, -1.0, -1.0], [width, 1.0, 1.0, 1.0])
    weights = np.array([1 / width, 1.0, 1.0, 1.0]).reshape(1, 4, 1)
    factor = best_alignment(PAIR, uneven, weights).factor
    assert factor.min() >= 0.01
    assert factor.max() <= 100


def test_all_channels_dead() -> None:
    found = best_alignment(PAIR, channels([0.0] * 4, [0.0] * 4), np.zeros((3, 4, 1)))
    assert found.name == NONE


@pytest.mark.parametrize("channel_axis", [None, 1])
@pytest.mark.parametrize("reduction", [r for r in Reduction if r is not Reduction.POINTS], ids=str)
def test_changed_channels_answer_every_need(reduction: Reduction, channel_axis: int | None) -> None:
    need = Need(
        tensor=TensorRef("x"),
        reduction=reduction,
        aggregator=Aggregator.MEAN,
        subset=Subset(),
        channel_axis=channel_axis,
        channels=1 if channel_axis is None else 4,
    )
    answer = channels([-1.0, -2.0, 0.0, 0.0], [1.0, 1.0, 3.0, 4.0]).answer(need)
    assert answer is not None
    assert answer.shape == (need.length,)


def test_result_names_the_decision(cpu: Target) -> None:
    model = biased()
    result = quant.quantize(model, models.samples(model), target=cpu)
    assert result.outcomes["align first -> second"].startswith("shift, alpha ")


def test_needs_share_what_others_ask(cpu: Target) -> None:
    """Every statistic of a pair is one per channel of its tensor, over the step's subset."""
    plan = planned(biased(), cpu, stat_subset_size=5)
    part = plan.steps[0]
    assert isinstance(part, ChannelAlignmentPlan)
    found = {(n.tensor.op, n.channels, n.subset) for n in channel_alignment.needs(part)}
    assert found == {("first/add", 8, Subset(size=5))}
