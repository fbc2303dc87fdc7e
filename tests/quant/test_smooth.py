"""SmoothQuant: what it keeps, when it does nothing, and the statistics after it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import quant
import runner
from quant.emulation import Stretch
from quant.entry import collect, resolve
from quant.load import load_model
from quant.parameters import JOINT, Aggregator, Estimator
from quant.plan import SmoothGroup, SmoothPart, SmoothPlan, SmoothReader, TensorRef
from quant.runtime import core, opset, ov
from quant.scheme import Scheme
from quant.statistics.collect import collect_needs
from quant.statistics.need import Need, Reduction, Statistics
from quant.steps import alphas, room, smooth
from quant.steps.alignment import Alignment, Channels
from quant.steps.alphas import ALPHAS, best_smoothing
from quant.target import Target
from quant.work import Work
from tests import models
from tests.quant.results import outputs_db, sqnr_db

Array = NDArray[Any]

Rng = np.random.Generator


def uneven(rng: Rng, x: Any, sizes: tuple[int, ...], name: str) -> ov.Node:
    """A pointwise convolution whose output channels are of very different size, and its Swish."""
    weights = models.normal(rng, *sizes, fan_in=sizes[1])
    spread = np.geomspace(0.1, 30, sizes[0]).astype(np.float32)[rng.permutation(sizes[0])]
    node = opset.convolution(
        x,
        models.constant(weights * spread.reshape(-1, 1, 1, 1), f"{name}/weights"),
        *([1, 1], [0, 0], [0, 0], [1, 1]),
    )
    return models.named(opset.swish(models.named(node, name)), f"{name}/swish")


def pooled(x: Any) -> ov.Output:
    node = opset.max_pool(x, [1, 1], [1, 1], [0, 0], [1, 1], [2, 2])
    return models.named(node, "pool").output(0)


def behind_pool() -> ov.Model:
    """Uneven channels, a MaxPool, and a convolution in front and one behind."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    hidden = uneven(rng, x, (8, 3, 1, 1), "a")
    small = models.conv(rng, pooled(hidden), (4, 8, 1, 1), "b")
    return models.finish([models.conv(rng, hidden, (4, 8, 1, 1), "c"), small], [x])


def behind_concat() -> ov.Model:
    """Uneven channels of two convolutions, joined, the first of them twice and read alone too."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    first, second = (uneven(rng, x, (n, 3, 1, 1), name) for n, name in ((8, "a"), (4, "b")))
    joined = models.named(opset.concat([first, second, pooled(first)], -3), "joined")
    both = models.conv(rng, joined, (4, 20, 1, 1), "c")
    return models.finish([both, models.conv(rng, first, (4, 8, 1, 1), "d")], [x])


def behind_resizing() -> ov.Model:
    """Uneven channels that are enlarged and joined with others, as a detector's neck has it."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    coarse = uneven(rng, models.parameter("y", 1, 3, 4, 4), (4, 3, 1, 1), "a")
    sizes, axes = np.array([8, 8], np.int64), np.array([2, 3], np.int64)
    larger = opset.interpolate(coarse, sizes, "nearest", "sizes", axes=axes)
    joined = opset.concat([models.named(larger, "larger"), uneven(rng, x, (6, 3, 1, 1), "b")], 1)
    source = coarse.input_value(0).get_node().input_value(0).get_node()
    layer = models.conv(rng, models.named(joined, "joined"), (4, 10, 3, 3), "c")
    return models.finish([layer], [x, source])


def beside_depthwise() -> ov.Model:
    """Uneven channels that a convolution and a depthwise one read."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    hidden = uneven(rng, x, (8, 3, 1, 1), "a")
    deep = models.group_conv(rng, hidden, (8, 1, 1, 1, 1), "b")
    return models.finish([models.conv(rng, hidden, (4, 8, 1, 1), "c"), deep], [x])


def beside_constant() -> ov.Model:
    """Uneven channels joined with constant ones."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    ones = models.constant(np.ones((1, 4, 8, 8), np.float32), "ones")
    joined = opset.concat([uneven(rng, x, (8, 3, 1, 1), "a"), ones], 1)
    return models.finish([models.conv(rng, joined, (4, 12, 1, 1), "c")], [x])


JOINED = (behind_pool, behind_concat, behind_resizing, beside_depthwise, beside_constant)
SMOOTHED = (models.encoder_sdpa, models.matmul, models.classifier)


def smoothed(
    model: ov.Model, target: Target, *, preset: str = "mixed", given: list[Any] | None = None
) -> tuple[Work, SmoothPlan, Statistics]:
    """The model after SmoothQuant alone, and the statistics as later steps see them.

    What the quantizer will do to channels stands as operations in front of the readers.
    """
    parameters = {
        "model_type": "transformer",
        "preset": preset,
        "use_channel_alignment": False,
    }
    step = quant.Step(use="DefaultQuantization", parameters=parameters)
    plan = resolve(load_model(model), [step], target)
    statistics = collect(plan, given or models.samples(model))
    work, part = Work(plan.model.clone()), plan.steps[0]
    assert isinstance(part, SmoothPlan)
    after = smooth.apply(work, part, statistics)
    for each in (each for group in part.groups for each in group.parts):
        if each.quantizer in work.stretches:
            _stretch(work, each, work.stretches[each.quantizer])
    return work, part, after


def _stretch(work: Work, part: SmoothPart, stretch: Stretch) -> None:
    source = work.nodes[part.tensor.op].output(part.tensor.port)
    readers = list(source.get_target_inputs())
    shift = opset.constant(np.asarray(-stretch.shift, np.float32))
    factor = opset.constant((1 / stretch.factor).astype(np.float32))
    node = opset.multiply(opset.add(source, shift), factor)
    models.named(node, f"{part.quantizer}/smooth")
    for reader in readers:
        kind, name = reader.get_node().get_type_name(), reader.get_node().get_friendly_name()
        if name in part.operations or kind in ("MaxPool", "Concat", "Interpolate"):
            reader.replace_source_output(node.output(0))


@pytest.mark.parametrize("build", [*SMOOTHED, *JOINED], ids=lambda build: build.__name__)
def test_smoothing_keeps_the_outputs(build: Callable[[], ov.Model], cpu: Target) -> None:
    model = build()
    work, _, _ = smoothed(model, cpu)
    assert work.stretches
    sample = models.samples(model, 1)[0]
    found, expected = models.evaluate(work.model, sample)[0], models.evaluate(model, sample)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_uneven_channels_are_smoothed(cpu: Target) -> None:
    work, _, _ = smoothed(models.encoder_sdpa(), cpu)
    assert "alpha 0." in work.outcomes["smooth q/fq_input_0"]
    scale = np.asarray(work.stretches["q/fq_input_0"].factor)
    assert scale.shape == (1, 1, 16)
    assert scale.argmax() == 0


def test_the_quantizer_divides_the_channels(cpu: Target) -> None:
    """Its input range is per channel, its output range one for the tensor."""
    model = models.encoder_sdpa()
    result = quant.quantize(model, models.samples(model), target=cpu, model_type="transformer")
    nodes = {node.get_friendly_name(): node for node in result.model.get_ordered_ops()}
    shapes = [list(nodes["q/fq_input_0"].input_value(i).get_shape()) for i in range(1, 5)]
    assert shapes == [[1, 1, 16], [1, 1, 16], [], []]


def test_even_channels_are_left_alone() -> None:
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.9, 1, (8, 6)) * rng.choice([-1, 1], (8, 6))
    found = smoothing(np.ones(6), weights)
    assert (found.name, found.factor.tolist()) == ("none", [1.0] * 6)


def smoothing(
    peak: Array, weights: Array, *, low: Array | None = None, varies: float = 1 / 36
) -> Alignment:
    """The choice for channels that reach from `low`, else from minus the peak, to the peak.

    `varies`: their variance over the square of their width.
    """
    low = -peak if low is None else low
    mean, spread = (low + peak) / 2, np.square(peak - low) * varies
    channels = Channels(low=low, high=peak, mean=mean, mean_square=spread + mean**2)
    part = SmoothPart(
        quantizer="q",
        tensor=TensorRef("x"),
        operations=("layer",),
        channel_axis=1,
        channels=len(peak),
        is_open=True,
    )
    reader = SmoothReader(
        operation="layer", tensor=part.tensor, channel_axis=1, places=((0, len(peak)),)
    )
    group = SmoothGroup(
        parts=(part,), readers=(reader,), scheme=Scheme(), is_stretched=True, is_shifted=True
    )
    return best_smoothing(group, channels, [weights[..., None]], ALPHAS)


def test_one_sided_channels_are_shifted_to_their_middle() -> None:
    """As behind a Swish; what is never below zero has levels for itself without a shift."""
    weights = np.random.default_rng(0).standard_normal((8, 4))
    found = smoothing(np.array([9.0, 8, 9, 8]), weights, low=np.full(4, -0.28))
    assert found.name.startswith("shift")
    np.testing.assert_allclose(found.shift, [4.36, 3.86, 4.36, 3.86])
    assert not smoothing(np.full(4, 9.0), weights, low=np.zeros(4)).name.startswith("shift")


@pytest.mark.parametrize("pad", [0, 1])
def test_padded_channels_are_not_shifted(
    pad: int, cpu: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Padding is zero before the quantizer, and would have to be shifted too."""
    monkeypatch.setattr(room, "ENOUGH", 1)
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 4, 8, 8)
    weights = models.constant(rng.standard_normal((8, 4, 3, 3)).astype(np.float32), "w")
    layer = opset.convolution(opset.swish(x), weights, [1, 1], [pad] * 2, [pad] * 2, [1, 1])
    model = models.finish([models.named(layer, "conv")], [x])
    given = [4 * each[0] for each in models.samples(model, 16)]
    (group,) = plan_of(quant.load_model(model), [], cpu).groups
    assert group.is_shifted == (pad == 0)
    result = quant.quantize(model, given, target=cpu)
    (chosen,) = (text for key, text in result.outcomes.items() if key.startswith("smooth"))
    assert chosen.startswith("shift") == (pad == 0)
    before, after = (models.evaluate_all(each, given) for each in (model, result.model))
    assert sqnr_db(np.stack([a[0] for a in before]), np.stack([a[0] for a in after])) > 35
    assert quant.diagnose(result, given).layers[0].own_sqnr_db > 35
    assert 0.2 < (quant.diagnose(result, given).layers[0].weights_share or 0) < 0.99


@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_what_matmuls_of_rank_four_compute_is_not_smoothed(preset: str, cpu: Target) -> None:
    """As in networks that keep channels last; a scale per channel would be an operation of its own
    there, computed by a reference."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 4, 5, 8)
    hidden = opset.gelu(models.linear(rng, opset.swish(x), (16, 8), "first"), "erf")
    model = models.finish([models.linear(rng, hidden, (8, 16), "second")], [x])
    asked = [quant.Step(use="DefaultQuantization", parameters={"preset": preset})]
    plan = plan_of(quant.load_model(model), asked, cpu)
    assert [group.parts[0].operations for group in plan.groups] == [("first",)]
    result = quant.quantize(model, models.samples(model, 16), target=cpu, preset=preset)
    compiled = core().compile_model(result.model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    kinds = [
        node.get_rt_info()["layerType"].astype(str)
        for node in compiled.get_runtime_model().get_ordered_ops()
    ]
    assert kinds.count("FullyConnected") == 2
    assert "Convert" not in kinds


def test_no_scale_is_recorded_as_none(cpu: Target) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 6, 16)
    weights = models.constant(rng.choice(np.float32([-1, 1]), (8, 16)), "weights")
    node = models.named(opset.matmul(x, weights, False, True), "linear")
    even = [np.repeat(np.float32([[[-1], [0.77]] * 3]), 16, axis=2) for _ in range(4)]
    work, _, statistics = smoothed(models.finish([node], [x]), cpu, given=even)
    assert work.outcomes == {"smooth linear/fq_input_0": "none"}
    assert statistics.replaced == {}
    assert work.stretches == {}


@pytest.mark.parametrize("preset", ["performance", "mixed"])
@pytest.mark.parametrize("scale", [1, 255], ids=["bytes", "shares"])
@pytest.mark.parametrize("is_joined", [False, True], ids=["plain", "joined"])
def test_pictures_keep_their_levels(is_joined: bool, scale: int, preset: str, cpu: Target) -> None:
    """However dark one of their colours is."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    source: Any = x
    if is_joined:  # every other column, as detectors take pictures apart
        ones, axis = opset.constant(np.array([2])), opset.constant(np.array([3]))
        end = opset.constant(np.array([8]))
        halves = [opset.slice(x, opset.constant(np.array([i])), end, ones, axis) for i in range(2)]
        source = models.named(opset.concat(halves, 1), "joined")
    layer = models.conv(rng, source, (4, 6 if is_joined else 3, 3, 3), "conv")
    bright = np.array([255, 255, 30]).reshape(1, 3, 1, 1)
    pictures = [rng.integers(0, bright + 1, (1, 3, 8, 8)) / np.float32(scale) for _ in range(16)]
    pictures[0][0, 0, 0, :2] = 255 / scale
    given = [[each.astype(np.float32)] for each in pictures]
    result = quant.quantize(models.finish([layer], [x]), given, target=cpu, preset=preset)
    (outcome,) = (text for key, text in result.outcomes.items() if key.startswith("smooth"))
    assert outcome == "none: its levels hold every value"
    quantizers = [node for node in result.model.get_ops() if node.get_type_name() == "FakeQuantize"]
    for node in quantizers:
        low, high = (node.input_value(port).get_node().data for port in (1, 2))
        np.testing.assert_allclose([low, high], [0, 255 / scale], rtol=1e-6)


def test_one_large_channel_is_divided_by_more_than_the_others() -> None:
    rng = np.random.default_rng(0)
    peak, weights = np.array([50.0, 1, 1, 1]), rng.standard_normal((8, 4))
    found = smoothing(peak, weights)
    assert found.name.startswith("alpha")
    assert (found.factor[0] > 3 * found.factor[1:]).all()


@pytest.mark.parametrize("dead", [np.array([0.0, 1, 1, 1]), np.zeros(4)], ids=["one", "all"])
def test_dead_channels_have_finite_scales(dead: Array) -> None:
    weights = np.random.default_rng(0).standard_normal((8, 4))
    found = smoothing(dead, weights)
    assert np.isfinite(found.factor).all()
    assert (found.factor > 0).all()


def test_a_given_alpha_is_the_only_candidate(cpu: Target) -> None:
    model = models.encoder_sdpa()
    steps = [
        quant.Step(use="SmoothQuant", parameters={"alpha": 0.5}),
        quant.Step(use="MinMaxQuantization", parameters={"model_type": "transformer"}),
    ]
    result = quant.apply(
        plan := quant.resolve(load_model(model), steps, cpu),
        quant.collect(plan, models.samples(model)),
    )
    chosen = {text for key, text in result.outcomes.items() if key.startswith("smooth")}
    assert chosen <= {"alpha 0.5", "shift, alpha 0.5", "shift", "none"}


@pytest.mark.parametrize("build", [models.encoder_sdpa, *JOINED], ids=lambda build: build.__name__)
@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_statistics_after_smoothing_are_those_of_the_smoothed_tensor(
    preset: str, build: Callable[[], ov.Model], cpu: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Extremes are those over all samples, whatever the aggregator that was asked for, where those
    are enough."""
    monkeypatch.setattr(room, "ENOUGH", 1)
    model = build()
    work, plan, statistics = smoothed(model, cpu, preset=preset)
    parts = [part for group in plan.groups for part in group.parts]
    quantizers = {(name, part.tensor): part.quantizer for part in parts for name in part.operations}
    renamed = {
        (name, need): _renamed(need, quantizers.get((name, need.tensor)))
        for name, need in statistics.replaced
    }
    assert {need.reduction for _, need in renamed} >= {Reduction.MIN, Reduction.MEAN}
    again = collect_needs(work.model, list(renamed.values()), models.samples(model))
    for key, need in renamed.items():
        found, expected = statistics.of(key[1], key[0]), again.values[need]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=str(key))


@pytest.mark.parametrize("kind", list(Estimator), ids=str)
def test_every_estimator_goes_with_smoothing(kind: Estimator, cpu: Target) -> None:
    """Smoothed apart from other readers, in a transformer, a tensor may have any estimator."""
    model = models.encoder_sdpa()
    side = "min" if kind is Estimator.MIN else "max"
    given = {"preset": kind} if kind in JOINT else {side: {"type": kind}}
    result = quant.quantize(
        model,
        models.samples(model),
        target=cpu,
        model_type="transformer",
        preset="mixed",
        activations={"range_estimator": given},
    )
    x = models.samples(model, 1, seed=1)[0]
    assert any("alpha" in text for text in result.outcomes.values())
    assert sqnr_db(models.evaluate(model, x)[0], models.evaluate(result.model, x)[0]) > 20


def _renamed(need: Need, quantizer: str | None) -> Need:
    """The need on the smoothed tensor, its extremes taken over all samples; what is joined of such
    keeps its name."""
    extremes = {
        Reduction.MIN: Aggregator.MIN,
        Reduction.MAX: Aggregator.MAX,
        Reduction.ABS_MAX: Aggregator.MAX,
    }
    return dataclasses.replace(
        need,
        tensor=TensorRef(f"{quantizer}/smooth") if quantizer else need.tensor,
        aggregator=extremes.get(need.reduction, need.aggregator),
    )


def uneven_layers(*shape: int) -> ov.Model:
    """Linear, Gelu, channels of very different size, linear."""
    rng = np.random.default_rng(0)
    x = opset.parameter(ov.PartialShape(list(shape)), np.float32, name="x")
    x.output(0).set_names({"x"})
    spread = models.constant(np.geomspace(0.1, 30, 16).astype(np.float32), "spread")
    hidden = opset.multiply(opset.gelu(models.linear(rng, x, (16, 16), "a"), "erf"), spread)
    return ov.Model([opset.result(models.linear(rng, hidden, (16, 16), "b"))], [x], "uneven")


@pytest.mark.parametrize("shape", [(1, 4, 16), (-1, 4, 16), (-1, -1, 16)], ids=str)
def test_smoothed_models_of_any_shape_run(shape: tuple[int, ...], cpu: Target) -> None:
    model = uneven_layers(*shape)
    size = [4 if d == -1 and i else abs(d) for i, d in enumerate(shape)]
    given = [[np.random.default_rng(i).standard_normal(size).astype(np.float32)] for i in range(8)]
    result = quant.quantize(model, given, target=cpu, preset="mixed", model_type="transformer")
    assert any(name.startswith("smooth") and "alpha" in v for name, v in result.outcomes.items())
    expected = np.stack([out[0] for out in models.evaluate_all(model, given)])
    found = np.stack([out[0] for out in models.evaluate_all(result.model, given)])
    assert np.square(found - expected).sum() < 1e-2 * np.square(expected).sum()


def test_an_explicit_step_smooths_without_a_model_type(cpu: Target) -> None:
    steps = [quant.Step(use="SmoothQuant"), quant.Step(use="MinMaxQuantization")]
    plan = quant.resolve(quant.load_model(uneven_layers(1, 4, 16)), steps, cpu)
    assert len(plan.steps[0].groups) == 2


def test_ranges_that_the_user_chose_are_kept(cpu: Target) -> None:
    """Of a scaled tensor only the extremes are known, so such a convolution is left alone."""
    model = quant.load_model(models.conv_relu_conv())
    chosen = {"range_estimator": {"preset": "quantile"}}
    steps = [quant.Step(use="DefaultQuantization", parameters={"activations": chosen})]
    assert [len(plan_of(model, each, cpu).groups) for each in ([], steps)] == [2, 0]


@pytest.mark.parametrize("function", [opset.relu, lambda x: opset.clamp(x, 0.0, 6.0)])
def test_bounded_channels_are_left_alone(function: Callable[..., ov.Node], cpu: Target) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    hidden = models.named(function(models.conv(rng, x, (8, 3, 3, 3), "conv1")), "between")
    model = models.finish([models.conv(rng, hidden, (4, 8, 3, 3), "conv2")], [x])
    found = {group.parts[0].tensor.op for group in plan_of(quant.load_model(model), [], cpu).groups}
    assert ("between" in found) == (function is opset.relu)


def plan_of(model: ov.Model, steps: list[quant.Step], cpu: Target) -> SmoothPlan:
    found = quant.resolve(model, steps or [quant.Step(use="DefaultQuantization")], cpu)
    return next(step for step in found.steps if isinstance(step, SmoothPlan))


@pytest.mark.parametrize("model_type", [None, "transformer"])
@pytest.mark.parametrize("middle", [None, opset.relu, opset.tanh])
def test_layers_on_matrices_stay_close(
    middle: Callable[..., ov.Node] | None, model_type: str | None, cpu: Target
) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 16)
    hidden = models.linear(rng, x, (32, 16), "first")
    hidden = hidden if middle is None else middle(hidden)
    model = models.finish([models.linear(rng, hidden, (8, 32), "second")], [x])
    given = models.samples(model)
    result = quant.quantize(model, given, target=cpu, model_type=model_type)
    expected, found = models.evaluate(model, given[0]), models.evaluate(result.model, given[0])
    assert sqnr_db(expected[0], found[0]) > 10


def test_some_output_channels_tell_the_noise_of_all() -> None:
    """Of a wide layer whose outputs repeat those of a narrow one, exactly."""
    rng = np.random.default_rng(5)
    narrow = rng.standard_normal((1, 12, 9)).astype(np.float32)
    reader = SmoothReader(
        operation="layer", tensor=TensorRef("x"), channel_axis=1, places=((0, 12),)
    )
    one, many = (alphas._Weights.of(np.repeat(narrow, n, axis=0), reader) for n in (1, 300))
    np.testing.assert_allclose(many.energy, 300 * one.energy, rtol=1e-5)
    np.testing.assert_allclose(many.widest, one.widest)
    assert many.share * len(many.largest) == 300
    assert len(many.largest) < 300


def test_how_channels_vary_decides_how_much_is_moved() -> None:
    """What varies little costs little where weights are coarse, so weights take more of it."""
    weights = np.random.default_rng(1).standard_normal((16, 4)) * [1, 1, 1, 8]
    high = np.array([1.0, 1, 1, 64])
    steady, lively = (smoothing(high, weights, varies=share).name for share in (1e-6, 0.2))
    assert float(steady.split()[-1]) > float(lively.split()[-1])


@pytest.mark.parametrize(
    ("build", "parts", "readers"),
    [
        (behind_pool, ["a/swish"], {"b": ((0, 8),), "c": ((0, 8),)}),
        (
            behind_concat,
            ["a/swish", "b/swish"],
            {"c": ((0, 8), (8, 12), (0, 8)), "d": ((0, 8),)},
        ),
        (behind_resizing, ["a/swish", "b/swish"], {"c": ((0, 4), (4, 10))}),
        (beside_depthwise, ["a/swish"], {"b": ((0, 8),), "c": ((0, 8),)}),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_layers_read_channels_through_what_keeps_them_apart(
    build: Callable[[], ov.Model],
    parts: list[str],
    readers: dict[str, tuple[tuple[int, int], ...]],
    cpu: Target,
) -> None:
    found = [
        group
        for group in plan_of(quant.load_model(build()), [], cpu).groups
        if group.parts[0].tensor.op not in ("x", "y")
    ]
    (group,) = found
    assert [part.tensor.op for part in group.parts] == parts
    assert {each.operation: each.places for each in group.readers} == readers


@pytest.mark.parametrize("build", JOINED, ids=lambda build: build.__name__)
@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_uneven_channels_are_smoothed_through_what_keeps_them_apart(
    preset: str, build: Callable[[], ov.Model], cpu: Target
) -> None:
    model = build()
    given = models.samples(model, 16)

    def noise(**parameters: Any) -> float:
        result = quant.quantize(model, given, target=cpu, preset=preset, **parameters)
        before, after = (models.evaluate_all(each, given) for each in (model, result.model))
        pairs = [
            pair for a, b in zip(before, after, strict=True) for pair in zip(a, b, strict=True)
        ]
        return min(sqnr_db(*pair) for pair in pairs)

    assert noise() > noise(use_smooth_quant=False) + 3


def blocked(kind: str) -> ov.Model:
    """Uneven channels that something reads which needs them as they are."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 4, 8, 8)
    hidden: Any = uneven(rng, x, (4, 4, 1, 1), "a")
    others: list[Any] = []
    match kind:
        case "sum":
            others.append(models.conv(rng, opset.add(hidden, x), (4, 4, 1, 1), "other"))
        case "rows":
            hidden = models.named(opset.concat([hidden, hidden], 2), "joined")
        case "places":
            pool = opset.max_pool(hidden, [1, 1], [1, 1], [0, 0], [0, 0], [2, 2])
            hidden = models.named(pool, "pool").output(0)
            others.append(pool.output(1))
        case "pool of means":
            hidden = models.named(opset.avg_pool(hidden, [1, 1], [0, 0], [0, 0], [2, 2], True), "p")
    channels = (
        hidden.get_node().get_output_partial_shape(0)
        if isinstance(hidden, ov.Output)
        else (hidden.get_output_partial_shape(0))
    )
    layer = models.conv(rng, hidden, (4, channels[1].get_length(), 1, 1), "b")
    return models.finish([layer, *others], [x])


@pytest.mark.parametrize("kind", ["sum", "rows", "places", "pool of means"])
def test_channels_that_something_else_reads_are_left_alone(kind: str, cpu: Target) -> None:
    found = plan_of(quant.load_model(blocked(kind)), [], cpu).groups
    assert "a/swish" not in {part.tensor.op for group in found for part in group.parts}


def rows_joined() -> ov.Model:
    """Uneven channels of two convolutions over time, joined."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 32)
    parts = []
    for n, name in ((8, "a"), (4, "b")):
        weights = models.normal(rng, n, 3, 1, fan_in=3)
        spread = np.geomspace(0.1, 30, n).astype(np.float32).reshape(-1, 1, 1)
        constant = models.constant(weights * spread, f"{name}/weights")
        node = models.named(opset.convolution(x, constant, [1], [0], [0], [1]), name)
        parts.append(opset.swish(node))
    return models.finish([models.conv(rng, opset.concat(parts, 1), (4, 12, 1), "c")], [x])


def padded() -> ov.Model:
    """Uneven channels that are enlarged, with zeros around them."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    sizes, axes = np.array([20, 20], np.int64), np.array([2, 3], np.int64)
    pads = {"pads_begin": [0, 0, 1, 1], "pads_end": [0, 0, 1, 1]}
    hidden = uneven(rng, x, (8, 3, 1, 1), "a")
    larger = opset.interpolate(hidden, sizes, "nearest", "sizes", axes=axes, **pads)
    return models.finish([models.conv(rng, larger, (4, 8, 1, 1), "c")], [x])


@pytest.mark.parametrize("preset", ["performance", "mixed"])
@pytest.mark.parametrize(
    ("build", "target"),
    [
        *((build, target) for build in JOINED for target in ("npu", "vpu", "gpu")),
        (rows_joined, "cpu"),
        (padded, "cpu"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_smoothing_costs_nothing_anywhere(
    build: Callable[[], ov.Model], target: str, preset: str
) -> None:
    """On targets that quantize a Concat's result too, over time, and around zeros."""
    model = build()
    given = models.samples(model, 16)

    def noise(**parameters: Any) -> float:
        result = quant.quantize(
            model, given, target=runner.load_target(target), preset=preset, **parameters
        )
        before, after = (models.evaluate_all(each, given) for each in (model, result.model))
        pairs = [
            pair for a, b in zip(before, after, strict=True) for pair in zip(a, b, strict=True)
        ]
        return min(sqnr_db(*pair) for pair in pairs)

    assert noise() > noise(use_smooth_quant=False) - 0.5


def test_weights_that_two_layers_share_are_left_alone(cpu: Target) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 4, 8, 8)
    hidden = uneven(rng, x, (4, 4, 1, 1), "a")
    weights = models.constant(models.normal(rng, 4, 4, 1, 1, fan_in=4), "shared")
    layers = [
        opset.convolution(source, weights, [1, 1], [0, 0], [0, 0], [1, 1])
        for source in (hidden, opset.relu(x))
    ]
    found = plan_of(quant.load_model(models.finish(layers, [x])), [], cpu).groups
    assert [part.tensor.op for group in found for part in group.parts] == ["x"]


def test_a_depthwise_layer_does_not_hold_a_factor_back() -> None:
    """What its weights lose beside them is the same whatever the factor."""
    peak, weights = np.array([1.0, 1, 1, 64]), np.ones((8, 4)) * [1, 1, 1, 4]
    part = SmoothPart(
        quantizer="q",
        tensor=TensorRef("x"),
        operations=("d",),
        channel_axis=1,
        channels=4,
        is_open=True,
    )
    channels = Channels(low=-peak, high=peak, mean=np.zeros(4), mean_square=peak**2 / 3)
    found = {}
    for is_depthwise in (False, True):
        reader = SmoothReader(
            operation="d",
            tensor=part.tensor,
            channel_axis=1,
            places=((0, 4),),
            is_depthwise=is_depthwise,
        )
        group = SmoothGroup(
            parts=(part,), readers=(reader,), scheme=Scheme(), is_stretched=True, is_shifted=False
        )
        rows = weights[:1] if is_depthwise else weights
        found[is_depthwise] = best_smoothing(group, channels, [rows[..., None]], ALPHAS)
    assert found[True].factor[3] / found[True].factor[0] > 1.5 * (
        found[False].factor[3] / found[False].factor[0]
    )


@pytest.mark.parametrize("build", JOINED, ids=lambda build: build.__name__)
def test_the_diagnosis_tells_a_shift_from_noise(build: Callable[[], ov.Model], cpu: Target) -> None:
    """Also where a Concat or a pool is between the quantizer that shifts and the layer."""
    model = build()
    given = models.samples(model, 16)
    shares = {}
    for is_smoothed in (False, True):
        result = quant.quantize(model, given, target=cpu, use_smooth_quant=is_smoothed)
        found = {each.name: each for each in quant.diagnose(result, given).layers}
        shares[is_smoothed] = found["c"].weights_share or 0
    assert shares[True] > shares[False] / 20


def test_what_reads_shapes_alone_stands_in_no_ones_way(cpu: Target) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, -1, 8)
    small = pooled(uneven(rng, x, (8, 3, 1, 1), "a"))
    layer = models.conv(rng, small, (4, 8, 1, 1), "b")
    found = plan_of(quant.load_model(models.finish([layer, opset.shape_of(small)], [x])), [], cpu)
    assert "a/swish" in {part.tensor.op for group in found.groups for part in group.parts}


def _joined(x: ov.Node, found: Any) -> Any:
    return opset.concat([opset.relu(x), found], 2)


def _turned(x: ov.Node, found: Any) -> Any:
    """As heads are put side by side where there is one position."""
    heads = models.reshape(found, [1, 1, 4, 4], "heads")
    turned = opset.transpose(heads, np.array([0, 2, 1, 3], np.int64))
    return models.reshape(turned, [1, 1, 16], "turned")


BEHIND = {
    "plain": lambda _, found: found,
    "relu": lambda _, found: models.relu(found, "relu"),
    "reshaped": lambda _, found: models.reshape(found, [1, -1, 16], "same"),
    "joined": _joined,
    "turned": _turned,
}


@pytest.mark.parametrize("readers", [1, 2])
@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("kind", ["sdpa", "matmuls", "einsum"])
def test_a_product_of_one_head_is_left_alone(
    kind: str, behind: str, readers: int, cpu: Target
) -> None:
    """OpenVINO's CPU plugin does not compile a quantizer with a scale per channel there."""
    rng = np.random.default_rng(0)
    x = models.parameter("x", 1, 1 if behind == "turned" else 12, 16)
    memory = models.parameter("memory", 1, 12, 16)
    q, k, v = (
        models.linear(rng, t, (16, 16), n) for t, n in ((x, "q"), (memory, "k"), (memory, "v"))
    )
    if kind == "sdpa":
        found: Any = opset.scaled_dot_product_attention(q, k, v)
    else:
        scores = opset.softmax(opset.multiply(opset.matmul(q, k, False, True), np.float32(0.25)), 2)
        found = opset.matmul(scores, v, False, False)
        if kind == "einsum":
            found = opset.einsum([scores, v], "btk,bkn->btn")
    found = BEHIND[behind](x, found)
    width = found.output(0).get_shape()[-1]
    ends = [models.linear(rng, found, (4 + i, width), f"end{i}") for i in range(readers)]
    model = models.finish(ends, [x, memory])
    samples = models.samples(model, 24)
    result = quant.quantize(model, samples, target=cpu, model_type="transformer")
    scaled = {name for name in result.outcomes if name.startswith("smooth ")}
    assert not [name for name in scaled if "end" in name]
    assert min(outputs_db(model, result.model, samples)) > 20


def test_constants_joined_to_a_tensor_are_scaled_with_it(cpu: Target) -> None:
    """As coordinates that a convolution reads beside the picture."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 1, 8, 8)
    places = np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 1, 8, 1).repeat(8, 3)
    joined = opset.concat([x, models.constant(places, "places")], 1)
    weights = models.normal(rng, 8, 2, 3, 3, fan_in=18) * np.float32([1, 8]).reshape(1, 2, 1, 1)
    layer = opset.convolution(joined, models.constant(weights, "w"), [1, 1], [1, 1], [1, 1], [1, 1])
    model = models.finish([models.relu(models.named(layer, "c"), "relu")], [x])
    samples = [[8 * sample[0]] for sample in models.samples(model, 16)]
    result = quant.quantize(model, samples, target=cpu)
    assert "alpha" in result.outcomes["smooth x/fq_output_0"]
    assert min(outputs_db(model, result.model, samples)) > 30


@pytest.mark.parametrize("size", [8, -1])
def test_what_has_a_single_axis_works(size: int, cpu: Target) -> None:
    """As a mean over all rows that a linear layer reads."""
    rng, x = np.random.default_rng(0), models.parameter("x", size, 8)
    hidden = models.relu(models.linear(rng, x, (8, 8), "a"), "a_relu")
    mean = opset.reduce_mean(hidden, np.array([0], np.int64), keep_dims=False)
    model = models.finish([models.linear(rng, mean, (4, 8), "b")], [x])
    samples = [[rng.standard_normal((8, 8)).astype(np.float32)] for _ in range(16)]
    result = quant.quantize(model, samples, target=cpu)
    assert min(outputs_db(model, result.model, samples)) > 25
