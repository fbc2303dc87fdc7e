"""What compares a tensor with a statistic of itself, or takes its magnitude, stays in floating
point; and what no product in integers is near."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import quant
import runner
from quant.graph import view
from quant.placement.normalizing import functions_of_one
from quant.plan import OperationPlan, Status
from quant.runtime import opset, ov
from quant.target import Target
from tests import models
from tests.models import constant, conv, finish, linear, named, parameter, relu
from tests.quant.results import sqnr_db


def layer_norm() -> ov.Model:
    """LayerNorm as JAX writes it, with the variance as a difference of two means."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, 16)
    hidden = linear(rng, x, (16, 16), "linear1")
    axis = np.array([2])
    mean = named(opset.reduce_mean(hidden, axis, True), "mean")
    squares = named(opset.multiply(hidden, hidden), "squares")
    power = named(opset.reduce_mean(squares, axis, True), "power")
    variance = opset.subtract(power, named(opset.multiply(mean, mean), "square"))
    variance = named(variance, "variance")
    scale = named(opset.divide(constant(1, "one"), opset.sqrt(variance)), "scale")
    normed = opset.multiply(named(opset.subtract(hidden, mean), "centred"), scale)
    return finish([linear(rng, named(normed, "normed"), (4, 16), "linear2")], [x])


def spectrum() -> ov.Model:
    """The magnitude of two convolutions' results, which a third one reads."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 4, 24)
    parts = [conv(rng, x, (8, 4, 3), name) for name in ("real", "imaginary")]
    squares = [opset.multiply(part, part) for part in parts]
    power = named(opset.add(*squares), "power")
    root = named(opset.sqrt(named(opset.multiply(power, power), "twice")), "root")
    return finish([conv(rng, root, (4, 8, 3), "conv")], [x])


def bands() -> ov.Model:
    """Logarithms of a spectrum's bands, the spectrum being sums of the squares of two halves."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 4, 24)
    halves = opset.split(conv(rng, x, (16, 4, 3), "parts"), opset.constant(np.int64(1)), 2)
    squares = [
        opset.power(half, constant(2.0, f"two{i}")) for i, half in enumerate(halves.outputs())
    ]
    power = opset.transpose(named(opset.add(*squares), "power"), np.array([0, 2, 1]))
    band = opset.maximum(linear(rng, power, (4, 8), "bands"), constant(1e-5, "least"))
    return finish([linear(rng, named(opset.log(band), "log"), (4, 4), "linear")], [x])


def pairs() -> ov.Model:
    """The magnitude of complex numbers, each the last two values of a tensor."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 4, 24)
    parts = models.reshape(conv(rng, x, (8, 4, 3), "conv1"), [1, 4, 2, -1], "parts")
    squares = opset.reduce_sum(opset.power(parts, constant(2.0, "two")), np.array([2]), False)
    return finish([conv(rng, named(opset.sqrt(squares), "root"), (4, 4, 3), "conv2")], [x])


def generalized_mean() -> ov.Model:
    """The cubic root of the mean of cubes over a picture, and a root of what is read elsewhere."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 4, 8, 8)
    hidden = opset.clamp(conv(rng, x, (8, 4, 3, 3), "conv1"), 1e-6, 1e9)
    cubes = opset.power(hidden, constant(3.0, "three"))
    mean = opset.reduce_mean(cubes, np.array([2, 3]), False)
    pooled = named(opset.power(mean, constant(1 / 3, "third")), "pooled")
    read = linear(rng, pooled, (4, 8), "read")
    return finish([named(opset.sqrt(relu(read, "relu")), "root"), read], [x])


def log_of_probabilities() -> ov.Model:
    """The logarithm of a Sigmoid, which follows its argument where that is small."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 16)
    hidden = linear(rng, relu(linear(rng, x, (16, 16), "linear1"), "relu"), (4, 16), "linear2")
    return finish([named(opset.log(opset.sigmoid(hidden)), "log")], [x])


def root_of_sum() -> ov.Model:
    """The root of a sum of two tensors, which a linear layer reads."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, 16)
    parts = [relu(linear(rng, x, (16, 16), name), f"{name}/relu") for name in ("left", "right")]
    total = named(opset.add(*parts), "total")
    root = named(opset.power(total, constant(0.5, "half")), "root")
    return finish([linear(rng, root, (4, 16), "last")], [x])


def ratio() -> ov.Model:
    """A quotient of two sums, whose denominator serves nothing else."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, 16)
    a, b, c, d = (relu(linear(rng, x, (16, 16), name), f"{name}/relu") for name in "abcd")
    low = opset.add(c, d)
    quotient = opset.divide(opset.add(a, b), opset.add(named(low, "low"), constant(1, "one")))
    return finish([linear(rng, named(quotient, "ratio"), (4, 16), "last")], [x])


def any_power() -> ov.Model:
    """A power whose exponent is computed, too."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, 16)
    base, exponent = (relu(linear(rng, x, (16, 16), name), f"{name}/relu") for name in "ab")
    grown = named(opset.power(base, exponent), "power")
    return finish([linear(rng, grown, (4, 16), "last")], [x])


def norm() -> ov.Model:
    """A vector divided by its length, at a model's end."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 16)
    hidden = relu(linear(rng, x, (16, 16), "linear"), "relu")
    length = named(opset.reduce_l2(hidden, np.array([1]), True), "length")
    return finish([named(opset.divide(hidden, length), "normed")], [x])


def scale() -> ov.Model:
    """A tensor times a number that is computed from another one."""
    rng, x = np.random.default_rng(0), parameter("x", -1, 4, 8, 8)
    hidden = relu(conv(rng, x, (8, 4, 3, 3), "conv1"), "relu")
    pooled = opset.reduce_max(conv(rng, x, (8, 4, 3, 3), "conv2"), np.array([1, 2, 3]), True)
    scaled = named(opset.multiply(hidden, pooled), "scaled")
    return finish([conv(rng, scaled, (4, 8, 3, 3), "conv3")], [x])


def gated_half() -> ov.Model:
    """A GLU: one half of a convolution's channels gates the other."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 4, 8, 8)
    halves = opset.split(conv(rng, x, (8, 4, 3, 3), "conv1"), opset.constant(np.int64(1)), 2)
    gate = opset.sigmoid(halves.output(1))
    glu = named(opset.multiply(halves.output(0), gate), "glu")
    return finish([conv(rng, glu, (4, 4, 3, 3), "conv2")], [x])


def residual() -> ov.Model:
    """A sum of a tensor and a convolution of it: weights are between."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 4, 8, 8)
    hidden = relu(conv(rng, x, (8, 4, 3, 3), "conv1"), "relu")
    total = named(opset.add(hidden, conv(rng, hidden, (8, 8, 3, 3), "conv2")), "total")
    square = named(opset.power(total, constant(2.0, "two")), "square")
    return finish([conv(rng, square, (4, 8, 3, 3), "conv3")], [x])


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    build: Callable[[], ov.Model]
    kept: dict[str, str] = field(default_factory=dict)
    quantized: tuple[str, ...] = ()


ALONE, ONLY = "is computed from '{}' alone", "serves {} only"
CASES = [
    Case(
        build=layer_norm,
        kept=dict.fromkeys(
            ("mean", "squares", "power", "variance", "centred", "normed"),
            ALONE.format("linear1/add"),
        )
        | {"square": ALONE.format("mean")},
        quantized=("linear1", "linear2"),
    ),
    Case(
        build=spectrum,
        kept=dict.fromkeys(("power", "real", "imaginary"), ONLY.format("Sqrt 'root'"))
        | {"root": "small values count"},
        quantized=("conv",),
    ),
    Case(
        build=bands,
        kept=dict.fromkeys(("power", "bands"), ONLY.format("Log 'log'")),
        quantized=("parts", "linear"),
    ),
    Case(build=pairs, kept={"conv1": ONLY.format("Sqrt 'root'")}, quantized=("conv2",)),
    Case(build=generalized_mean, quantized=("conv1", "read")),
    Case(build=log_of_probabilities, quantized=("linear1", "linear2")),
    Case(
        build=root_of_sum,
        kept=dict.fromkeys(("total", "left", "right"), ONLY.format("Power 'root'")),
        quantized=("last",),
    ),
    Case(
        build=ratio,
        kept={"low": ONLY.format("Divide 'ratio'"), "ratio": "small values count"},
        quantized=("a", "b", "c", "d", "last"),
    ),
    Case(build=any_power, kept={"power": "small values count"}, quantized=("a", "b", "last")),
    Case(build=norm, kept={"length": ALONE.format("relu"), "normed": ALONE.format("relu")}),
    Case(build=scale, kept={"scaled": "a single number"}, quantized=("conv1", "conv2", "conv3")),
    Case(build=gated_half, quantized=("conv1", "glu", "conv2")),
    Case(build=residual, quantized=("conv1", "total", "conv2", "conv3")),
]


def plans(model: ov.Model, target: Target) -> dict[str, OperationPlan]:
    asked = [quant.Step(use="DefaultQuantization", parameters={"preset": "mixed"})]
    return {
        each.name: each for each in quant.resolve(quant.load_model(model), asked, target).operations
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.build.__name__)
def test_what_stays_in_floating_point_and_what_does_not(case: Case, cpu: Target) -> None:
    found = plans(case.build(), cpu)
    for name, reason in case.kept.items():
        assert found[name].status is Status.FLOAT
        assert reason in found[name].reason
    assert all(found[name].status is Status.QUANTIZED for name in case.quantized)


def test_rows_of_unlike_size_are_normalized_as_exactly(cpu: Target) -> None:
    """What JAX's LayerNorm makes of rows of which some are a hundred times smaller."""
    model, rng = layer_norm(), np.random.default_rng(0)
    sizes = np.array([1, 1, 0.1, 0.1, 0.01, 0.01]).reshape(1, 6, 1)
    given = [[(rng.standard_normal((1, 6, 16)) * sizes).astype(np.float32)] for _ in range(32)]
    result = quant.quantize(model, given, target=cpu, ignored={"scope": ["linear1"]})
    before, after = (
        np.concatenate([each[0] for each in models.evaluate_all(each, given)])
        for each in (model, result.model)
    )
    assert sqnr_db(before, after) > 43


def test_quiet_bands_are_as_exact_as_loud_ones(cpu: Target) -> None:
    """A tone and noise a hundred times as quiet, on the way to the logarithm of each band."""
    x, rng = parameter("x", 1, 1, 2048), np.random.default_rng(0)
    turns = np.outer(np.arange(33), np.arange(64)) * 2 * np.pi / 64
    waves = np.concatenate([np.cos(turns), np.sin(turns)]) * np.hanning(64)
    spectrum = opset.convolution(
        x, constant(waves[:, None].astype(np.float32), "waves"), [32], [0], [0], [1]
    )
    halves = opset.split(named(spectrum, "spectrum"), opset.constant(np.int64(1)), 2)
    power = opset.add(*(opset.multiply(half, half) for half in halves.outputs()))
    model = finish([opset.log(opset.maximum(power, constant(1e-8, "least")))], [x])
    loud = np.sin(np.arange(2048) * 0.2)
    given = [[(loud + rng.normal(0, 0.01, 2048))[None, None].astype(np.float32)] for _ in range(16)]
    result = quant.quantize(model, given, target=cpu)
    before, after = (
        np.concatenate([each[0] for each in models.evaluate_all(each, given)])
        for each in (model, result.model)
    )
    assert sqnr_db(before, after) > 100


def dynamically_quantized() -> ov.Model:
    """Two sums between layers whose weights are integers already."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, 16)

    def layer(source: Any, name: str) -> ov.Node:
        weights = rng.integers(-127, 128, (16, 16)).astype(np.int8)
        floats = opset.multiply(opset.convert(opset.constant(weights), "f32"), np.float32(0.01))
        return named(opset.matmul(source, floats, False, True), name)

    first = relu(layer(x, "layer1"), "relu")
    total = named(opset.add(first, layer(first, "layer2")), "total")
    return finish([opset.softmax(layer(named(total, "sum"), "layer3"), -1)], [x])


def test_sums_among_floating_point_layers_stay_so_too(cpu: Target) -> None:
    found = plans(dynamically_quantized(), cpu)
    assert "gives it its inputs or reads its result" in found["sum"].reason
    assert {each.status for each in found.values()}.isdisjoint({Status.QUANTIZED})


def exponential() -> ov.Model:
    rng, x = np.random.default_rng(0), parameter("x", 1, 4, 8, 8)
    grown = named(opset.exp(conv(rng, x, (4, 4, 3, 3), "conv1")), "exp")
    return finish([conv(rng, grown, (4, 4, 3, 3), "conv2")], [x])


@pytest.mark.parametrize("target", ["gna", "gna3"])
def test_targets_of_integers_alone_keep_them(target: str) -> None:
    """At 16 and 32 bits one step holds small values as well."""
    assert plans(exponential(), runner.load_target(target))["exp"].status is Status.QUANTIZED


def test_biases_are_fused_as_ever(cpu: Target) -> None:
    rng, x = np.random.default_rng(0), parameter("x", 1, 16)
    found = plans(finish([linear(rng, x, (1, 16), "linear")], [x]), cpu)
    assert found["linear/add"].status is Status.FUSED
    assert plans(exponential(), cpu)["conv1/add"].status is Status.FUSED


def test_long_chains_take_no_time(cpu: Target) -> None:
    """Every tensor of a chain is computed from its first one: each is looked at once."""
    x = parameter("x", 1, 4)
    node, step = opset.relu(x), opset.tanh(x)
    for _ in range(3000):
        node = opset.add(node, step)
    graph = view(finish([node], [x]))
    tracemalloc.start()
    found = list(functions_of_one(graph))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 3000
    assert peak < 20_000_000


def test_a_layer_that_alone_loses_its_neighbours_may_still_be_asked(cpu: Target) -> None:
    """As accuracy control reverts one operation after the other."""
    layers = [{"names": ["total"], "mode": "symmetric"}]
    parameters = {
        "activations": {"layers": layers},
        "ignored": {"scope": ["conv1", "conv2", "conv3"]},
    }
    asked = [quant.Step(use="DefaultQuantization", parameters=parameters)]
    plan = quant.resolve(quant.load_model(residual()), asked, cpu)
    assert {each.name: each.status for each in plan.operations}["total"] is Status.FLOAT
