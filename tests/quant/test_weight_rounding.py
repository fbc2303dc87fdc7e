"""WeightRounding: its arithmetic, which layers it takes, and what it does to a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import quant
from quant.fold import unfolded
from quant.plan import WeightRoundingPlan
from quant.runtime import opset, ov
from quant.steps.nearest_plane import Covariances, closest, covariances
from quant.target import Target
from tests import models
from tests.quant.results import WIDE, nodes_of

Array = NDArray[Any]
Build = Callable[[ov.Node, Array], ov.Node]

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 20))


def matrix(inputs: Covariances) -> Array:
    """The covariances `[G, D, D]` in full."""
    rows = inputs.rows.astype(np.float64)
    return np.asarray(rows.swapaxes(1, 2) @ rows + inputs.own[..., None] * np.eye(rows.shape[2]))


def noise(real: Array, integers: Array, gram: Array) -> Array:
    """Of each output, with f64's exactness."""
    error = (real - integers).astype(np.float64)
    return np.asarray((gram @ error * error).sum(axis=1))


def bounds(groups: int, low: int = -8, high: int = 7) -> tuple[Array, Array]:
    low_end, high_end = (np.full((groups, 1, 1), end, np.float32) for end in (low, high))
    return low_end, high_end


def drawn(rng: np.random.Generator, samples: int, width: int, rank: int = 3) -> Array:
    """Rows `[samples, width]` that mostly follow from `rank` numbers."""
    mixed = rng.standard_normal((samples, rank)) @ rng.standard_normal((rank, width))
    return np.asarray(mixed + 0.1 * rng.standard_normal((samples, width)), np.float32)


@given(
    SEEDS,
    SIZES,
    st.integers(1, 12),
    st.sampled_from(["plain", "dead", "constant", "wide", "infinite"]),
)
def test_the_noise_has_its_bound(
    seed: int, sizes: tuple[int, int, int], samples: int, kind: str
) -> None:
    """Half a step at every input, Babai's, beyond what f32 can tell, where no integer is bound."""
    (groups, width, outputs), rng = sizes, np.random.default_rng(seed)
    points = rng.standard_normal((groups, samples, 4, width)).astype(np.float32)
    points += rng.standard_normal((groups, samples, 1, 1)).astype(np.float32)
    if kind == "dead":
        points[..., ::2] = 0
    elif kind == "constant":
        points[...] = 3
    elif kind == "wide":
        points *= np.float32(10.0) ** rng.integers(-30, 25, width)
    elif kind == "infinite":
        points[0, 0, 0, 0], points[0, 0, 1, -1] = np.inf, np.nan
    inputs = covariances(points)
    real = rng.uniform(-9, 9, (groups, width, outputs)).astype(np.float32)
    found = closest(real, inputs, *bounds(groups))
    assert np.array_equal(found, np.rint(found))
    assert found.min() >= -8
    assert found.max() <= 7
    unbound, gram = closest(real, inputs, *bounds(groups, -1000, 1000)), matrix(inputs)
    most = np.einsum("gdd->g", gram)[:, None] / 4
    assert (noise(real, unbound, gram) <= most * (1 + 1e-4)).all()


@given(SEEDS, SIZES)
def test_inputs_that_are_not_correlated_leave_the_nearest_integers(
    seed: int, sizes: tuple[int, int, int]
) -> None:
    (groups, width, outputs), rng = sizes, np.random.default_rng(seed)
    powers = rng.uniform(0, 2, (groups, width)).astype(np.float32)
    powers[rng.random(powers.shape) < 0.2] = 0
    real = rng.uniform(-9, 9, (groups, width, outputs)).astype(np.float32)
    nothing = np.zeros((groups, 4, width), np.float32)
    found = closest(real, Covariances(nothing, powers), *bounds(groups))
    assert np.array_equal(found, np.clip(np.rint(real), -8, 7))


@given(SEEDS, st.integers(1, 40), st.integers(1, 6))
def test_each_integer_makes_up_for_those_behind_it(seed: int, width: int, samples: int) -> None:
    """As Babai's algorithm says, from the factor of the whole matrix in f64."""
    rng = np.random.default_rng(seed)
    inputs = covariances(drawn(rng, 4 * samples, width).reshape(1, samples, 4, width))
    gram = matrix(inputs)[0]
    order = np.argsort(np.diag(gram), kind="stable")
    upper = np.linalg.cholesky(gram[np.ix_(order, order)]).T
    real = rng.uniform(-7, 7, (width, 3))
    expected, rest = np.empty_like(real), np.zeros_like(real)
    for i in reversed(range(width)):
        wanted = real[order[i]] + upper[i, i + 1 :] @ rest[i + 1 :] / upper[i, i]
        expected[order[i]] = np.rint(wanted)
        rest[i] = real[order[i]] - expected[order[i]]
        if np.abs(wanted - np.trunc(wanted) - 0.5 * np.sign(wanted)).min() < 1e-3:
            return  # f32 may take the other one, and all others follow
    found = closest(real[None].astype(np.float32), inputs, *bounds(1, -1000, 1000))[0]
    assert np.array_equal(found, expected)


@given(SEEDS)
def test_groups_are_rounded_as_each_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    both = covariances(np.stack([drawn(rng, 24, 20).reshape(6, 4, 20) for _ in range(2)]))
    real = rng.uniform(-7, 7, (2, 20, 9)).astype(np.float32)
    each = [Covariances(both.rows[i : i + 1], both.own[i : i + 1]) for i in range(2)]
    alone = [closest(real[i : i + 1], each[i], *bounds(1)) for i in range(2)]
    assert np.array_equal(closest(real, both, *bounds(2)), np.concatenate(alone))


@pytest.mark.parametrize("width", [16, 70, 200])
def test_the_noise_falls_on_data_that_was_not_seen(width: int) -> None:
    rng = np.random.default_rng(0)
    rows = drawn(rng, 128 + 1000, width)
    real = rng.uniform(-7, 7, (1, width, 600)).astype(np.float32)
    found = closest(real, covariances(rows[:128].reshape(1, 32, 4, width)), *bounds(1))
    fresh = np.cov(rows[128:].T)[None]
    assert noise(real, found, fresh).mean() < 0.3 * noise(real, np.rint(real), fresh).mean()


@pytest.mark.parametrize("samples", [1, 32])
def test_correlations_by_chance_are_not_believed(samples: int) -> None:
    """Of a single sample none are: how samples differ is not known."""
    points = np.random.default_rng(0).standard_normal((1, samples, 4, 200)).astype(np.float32)
    found = matrix(covariances(points))[0]
    width = np.sqrt(np.diag(found))
    rest = found / np.outer(width, width) - np.eye(200)
    assert np.abs(rest).max() < (0.1 if samples > 1 else 1e-6)


def test_inputs_that_hardly_move_do_not_make_up_for_others() -> None:
    """Elsewhere, as at the borders of pictures, they may move as much as those."""
    rng = np.random.default_rng(0)
    points = rng.standard_normal((1, 32, 4, 1)).astype(np.float32) * np.full(20, 1, np.float32)
    points[..., 10:] *= 0.01
    real = rng.uniform(-100, 100, (1, 20, 50)).astype(np.float32)
    wide = np.float32([[[-128]]]), np.float32([[[127]]])
    found = closest(real, covariances(points), *wide)
    assert np.abs(found - real)[:, 10:].max() < 1


def test_covariances_of_many_samples_are_theirs() -> None:
    """In units of the largest variance, and three tenths of the mean one on the diagonal."""
    rows = drawn(np.random.default_rng(0), 4000, 10)
    found = matrix(covariances(rows.reshape(1, 1000, 4, 10)))[0]
    expected = np.cov(rows.T, bias=True)
    found -= 0.3 * np.diag(expected).mean() / expected.max() * np.eye(10)
    np.testing.assert_allclose(found, expected / expected.max(), rtol=0.01, atol=0.01)


@given(SEEDS, st.integers(1, 8), st.integers(1, 30))
def test_variances_are_theirs_whatever_is_believed_of_correlations(
    seed: int, samples: int, width: int
) -> None:
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((1, samples, 4, width)) * rng.uniform(0.1, 3, width)
    expected = points.reshape(-1, width).var(axis=0)
    expected = expected / expected.max()
    found = np.diag(matrix(covariances(points))[0])
    np.testing.assert_allclose(found, expected + 0.3 * expected.mean(), rtol=1e-4)


LAYERS: dict[str, tuple[tuple[int, ...], tuple[int, ...], Build]] = {
    "matmul": ((8, 24), (24, 12), lambda x, w: opset.matmul(x, w, False, False)),
    "transposed": ((8, 24), (12, 24), lambda x, w: opset.matmul(x, w, False, True)),
    "convolution": ((24, 2, 4), (12, 24, 1, 1), lambda x, w: _convolution(x, w)),
    "groups": ((24, 2, 4), (2, 6, 12, 1, 1), lambda x, w: _groups(x, w)),
}


def _convolution(x: ov.Node, w: Array) -> ov.Node:
    return opset.convolution(x, w, [1, 1], [0, 0], [0, 0], [1, 1])


def _groups(x: ov.Node, w: Array) -> ov.Node:
    return opset.group_convolution(x, w, [1, 1], [0, 0], [0, 0], [1, 1])


def layer(name: str) -> tuple[ov.Model, list[Array]]:
    """A model of one layer, and 200 samples of channels that go together."""
    shape, sizes, build = LAYERS[name]
    rng, x = np.random.default_rng(0), models.parameter("x", 1, *shape)
    node = models.named(build(x, rng.standard_normal(sizes).astype(np.float32)), "layer")
    rows = drawn(rng, 200 * 8, 24).reshape(200, 8, 24)
    if shape[0] == 24:
        rows = rows.swapaxes(1, 2).reshape(200, 24, 2, 4)
    return models.finish([node], [x]), list(rows[:, None])


def remaining(model: ov.Model, result: quant.Result, samples: list[Array]) -> float:
    """The mean square of what quantization does to the output."""
    pairs = zip(
        *(models.evaluate_all(each, samples) for each in (model, result.model)), strict=True
    )
    return float(np.mean([np.square(a[0] - b[0]).mean() for a, b in pairs]))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("has_activations", [False, True], ids=["weights", "both"])
def test_outputs_are_closer_on_fresh_samples(name: str, has_activations: bool, cpu: Target) -> None:
    """By much where weights alone are integers, else beside the noise of the activations."""
    model, samples = layer(name)
    given = {"ignored": {} if has_activations else {"activations": ["layer"]}, **WIDE}
    results = [
        quant.quantize(model, samples[:32], target=cpu, use_weight_rounding=is_on, **given)
        for is_on in (True, False)
    ]
    with_it, without = (remaining(model, each, samples[100:]) for each in results)
    assert with_it < (1.0 if has_activations else 0.4) * without


def test_the_mean_is_taken_back(cpu: Target) -> None:
    """The shift is against the weights as they were before they were rounded."""
    model, samples = layer("matmul")
    samples = [each + 3 for each in samples]
    result = quant.quantize(model, samples, target=cpu, ignored={"activations": ["layer"]})
    before, after = (
        np.concatenate([out[0] for out in models.evaluate_all(each, samples)])
        for each in (model, result.model)
    )
    assert np.abs((after - before).mean(axis=(0, 1))).max() < 1e-2 * (after - before).std()


def test_scales_stay_and_every_weight_lies_near_its_own(cpu: Target) -> None:
    model, samples = layer("convolution")
    parts = {"use_smooth_quant": False, "use_channel_alignment": False}
    results = [
        quant.quantize(model, samples, target=cpu, use_weight_rounding=is_on, **parts)
        for is_on in (True, False)
    ]
    folded = [nodes_of(each.model)["layer/fq_weights_1"] for each in results]
    scales = [each.input_value(1).get_node().data for each in folded]
    np.testing.assert_array_equal(*scales)
    values = [each.data for each in map(unfolded, folded) if each is not None]
    assert (values[0] != values[1]).any()
    assert np.abs((values[0] - values[1]) / scales[0]).max() < 6


def test_a_step_of_its_own(cpu: Target) -> None:
    model, samples = layer("matmul")
    given = {"ignored": {"activations": ["layer"]}}
    noises = []
    for uses in (("WeightRounding", "FastBiasCorrection"), ("FastBiasCorrection",)):
        steps = [
            quant.Step(use="MinMaxQuantization", parameters=given),
            *(quant.Step(use=use) for use in uses),
        ]
        plan = quant.resolve(quant.load_model(model), steps, cpu)
        result = quant.apply(plan, quant.collect(plan, samples[:32]))
        noises.append(remaining(model, result, samples))
    assert noises[0] < 0.4 * noises[1]


def rounded(model: ov.Model, target: Target) -> list[str]:
    """The layers that would be rounded by their inputs' covariances."""
    step = quant.Step(use="DefaultQuantization")
    plan = quant.resolve(quant.load_model(model), [step], target)
    (found,) = (each for each in plan.steps if isinstance(each, WeightRoundingPlan))
    return [site.operation for site in found.sites]


@pytest.mark.parametrize(
    ("sizes", "kernel", "is_rounded"),
    [((8, 128), 1, True), ((8, 129), 1, False), ((8, 1), 1, False), ((8, 4), 3, False)],
    ids=str,
)
def test_layers_of_one_tap_and_few_inputs(
    sizes: tuple[int, int], kernel: int, is_rounded: bool, cpu: Target
) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, sizes[1], 4, 4)
    node = models.conv(rng, x, (*sizes, kernel, kernel), "conv")
    assert rounded(models.finish([node], [x]), cpu) == ["conv"] * is_rounded


@pytest.mark.parametrize(("width", "is_rounded"), [(128, True), (129, False)])
def test_groups_of_few_inputs(width: int, is_rounded: bool, cpu: Target) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 2 * width, 4, 4)
    node = models.group_conv(rng, x, (2, 4, width, 1, 1), "conv")
    assert rounded(models.finish([node], [x]), cpu) == ["conv"] * is_rounded


@pytest.mark.parametrize(
    ("outputs", "width", "is_rounded"),
    [(600, 512, True), (600, 513, False), (64, 4096, True), (64, 4097, False)],
)
def test_matmuls_of_more_inputs(outputs: int, width: int, is_rounded: bool, cpu: Target) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, width)
    weights = models.constant(rng.standard_normal((outputs, width)).astype(np.float32), "weights")
    node = models.named(opset.matmul(x, weights, False, True), "matmul")
    assert rounded(models.finish([node], [x]), cpu) == ["matmul"] * is_rounded


def test_shared_weights_are_left_alone(cpu: Target) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 4, 8)
    weights = models.constant(rng.standard_normal((8, 8)).astype(np.float32), "weights")
    first = models.named(opset.matmul(x, weights, False, True), "first")
    second = models.named(opset.matmul(models.relu(first, "relu"), weights, False, True), "second")
    assert rounded(models.finish([second], [x]), cpu) == []


@pytest.mark.parametrize("count", [1, 2])
def test_few_samples_are_enough(count: int, cpu: Target) -> None:
    model, samples = layer("groups")
    result = quant.quantize(model, samples[:count], target=cpu)
    assert np.isfinite(remaining(model, result, samples))


def test_layerwise_tuning_starts_from_the_rounded_weights(cpu: Target) -> None:
    model, samples = layer("matmul")

    def before(*, use_weight_rounding: bool) -> float:
        outcomes = quant.quantize(
            model,
            samples,
            target=cpu,
            use_layerwise_tuning=True,
            use_weight_rounding=use_weight_rounding,
        ).outcomes
        (found,) = (text for name, text in outcomes.items() if name.startswith("tune "))
        return float(found.split()[1])

    assert before(use_weight_rounding=True) < 0.9 * before(use_weight_rounding=False)


def test_a_sequential_correction_sees_the_rounded_weights(cpu: Target) -> None:
    """On the sample that it has seen no output's mean is off."""
    model, samples = layer("matmul")
    one = samples[:1] * 5
    result = quant.quantize(model, one, target=cpu, use_fast_bias=False)
    before, after = (models.evaluate_all(each, one[:1])[0][0] for each in (model, result.model))
    assert np.abs((after - before).mean(axis=(0, 1))).max() < 1e-5 * np.abs(before).max()
