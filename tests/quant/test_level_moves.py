"""Levels of what depthwise layers read lie where rounding errs least."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import quant
from quant.digest import digest
from quant.emulation import taken_off
from quant.plan import MinMaxPlan
from quant.runtime import opset, ov
from quant.statistics.need import POINTS
from quant.steps import fast_bias, level_moves, min_max
from quant.steps.level_moves import best_moves
from quant.target import Target
from quant.work import Work
from tests import models
from tests.quant.results import sqnr_db

Array = NDArray[Any]
CHANNELS = 4
TOP = 100.0


def plateaus(count: int, seed: int = 0) -> list[list[Array]]:
    """Pictures whose channels have one value to the left and another to the right, which but for
    the last channel's the nearest levels are on both sides of; of some regions up to the top."""
    rng, found = np.random.default_rng(seed), []
    sides = np.array([[-0.6, -0.4], [0.35, 0.65], [1.45, 1.6], [0.0, 1.0]]) * TOP / 255
    for _ in range(count):
        x = np.repeat(sides[:, None], 16, axis=1).repeat(8, axis=2)
        x += rng.normal(0, 0.004, x.shape)
        x[:, 4:6, 4:6] = rng.uniform(0, TOP, (CHANNELS, 2, 2))
        x[:, 5, 5] = TOP
        found.append([x[None].astype(np.float32)])
    return found


def layer(x: ov.Node, name: str = "layer", *, pad: int = 1, has_bias: bool = True) -> ov.Node:
    rng, kind = np.random.default_rng(1), x.get_element_type().to_dtype()
    weights = models.constant(rng.uniform(0.2, 1, (CHANNELS, 1, 1, 3, 3)).astype(kind), f"{name}/w")
    node = opset.group_convolution(x, weights, [1, 1], [pad, pad], [pad, pad], [1, 1])
    models.named(node, name)
    if not has_bias:
        return node
    bias = models.constant(rng.standard_normal((1, CHANNELS, 1, 1)).astype(kind), f"{name}/bias")
    return models.named(opset.add(node, bias), f"{name}/add")


def depthwise(*, size: int = 16, kind: type = np.float32, **given: Any) -> ov.Model:
    """A depthwise layer on the input."""
    x = models.parameter("x", 1, CHANNELS, size, size, kind=kind)
    return models.finish([layer(x, **given)], [x])


def shared(other: str) -> ov.Model:
    """The same, and another operation that reads the input."""
    rng, x = np.random.default_rng(1), models.parameter("x", 1, CHANNELS, 16, 16)
    match other:
        case "depthwise":
            beside = layer(x, "other", pad=0)
        case "sum of channels":
            beside = models.conv(rng, x, (3, CHANNELS, 1, 1), "other")
        case _:
            factors = rng.uniform(1, 2, (1, CHANNELS, 1, 1)).astype(np.float32)
            factors = models.constant(factors, "factors")
            beside = models.named(opset.multiply(x, factors), "other")
    return models.finish([layer(x), beside], [x])


def run(model: ov.Model, target: Target, **given: Any) -> quant.Result:
    return quant.quantize(model, plateaus(40), target=target, preset="mixed", **given)


def moved_by(result: quant.Result, name: str = "x/fq_output_0") -> Array | None:
    nodes = {node.get_friendly_name(): node for node in result.model.get_ordered_ops()}
    return taken_off(nodes[name])


def errors(model: ov.Model, result: quant.Result) -> Array:
    """Of the first output, on pictures that calibration has not seen."""
    given = plateaus(4, seed=1)
    pairs = [models.evaluate_all(each, given) for each in (model, result.model)]
    return np.stack([b[0] - a[0] for a, b in zip(*pairs, strict=True)])


@pytest.mark.parametrize("given", [{}, {"use_fast_bias": False}], ids=["fast", "sequential"])
@pytest.mark.parametrize("has_bias", [True, False])
def test_moved_levels_leave_less_noise(given: dict[str, Any], has_bias: bool, cpu: Target) -> None:
    model = depthwise(has_bias=has_bias)
    result = run(model, cpu, **given)
    with patch.object(level_moves, "_MOVES", level_moves._MOVES[:1]):
        before = run(model, cpu, **given)
    assert moved_by(before) is None
    assert "levels moved" not in before.outcomes
    found = moved_by(result)
    assert found is not None
    step = TOP / 255
    assert (np.abs(found) < step).all()
    assert found[3] == pytest.approx(0, abs=1e-3 * step)  # both of its values lie on levels
    assert result.outcomes["levels moved"] == "3 of 4 channels"
    was, now = (np.square(errors(model, each)[..., 8:, :]).mean() for each in (before, result))
    assert now < 0.3 * was


def test_the_bias_makes_up_for_the_move(cpu: Target) -> None:
    """Borders included, where zeros lie off the levels, and with no correction behind it."""
    model, steps = depthwise(), [quant.Step(use="MinMaxQuantization", parameters={})]
    plan = quant.resolve(quant.load_model(model), steps, cpu)
    result = quant.apply(plan, quant.collect(plan, plateaus(40)))
    assert moved_by(result) is not None
    before, after = (models.evaluate_all(each, plateaus(8)) for each in (model, result.model))
    error = np.mean([b[0] - a[0] for a, b in zip(before, after, strict=True)], axis=(0, 1, 3, 4))
    assert np.abs(error).max() < 0.2 * TOP / 255


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (shared("sum of channels"), {}),
        (shared("scaling"), {}),
        (depthwise(size=-1), {}),
        (depthwise(), {"activations": {"granularity": "pertensor"}}),
        (depthwise(), {"ignored": {"scope": ["layer"]}}),
    ],
    ids=["sums", "scaling", "unknown borders", "one range", "not quantized"],
)
def test_others_stay(model: ov.Model, given: dict[str, Any], cpu: Target) -> None:
    result = run(model, cpu, **given)
    assert "levels moved" not in result.outcomes


def test_all_readers_make_up_for_it(cpu: Target) -> None:
    model = shared("depthwise")
    result = run(model, cpu)
    assert moved_by(result) is not None
    before, after = (models.evaluate_all(each, plateaus(8)) for each in (model, result.model))
    for i in range(2):
        error = np.mean(
            [b[i] - a[i] for a, b in zip(before, after, strict=True)], axis=(0, 1, 3, 4)
        )
        assert np.abs(error).max() < 0.2 * TOP / 255


def test_borders_weigh_against_a_move(cpu: Target) -> None:
    padded, whole = (moved_by(run(depthwise(pad=pad), cpu)) for pad in (1, 0))
    assert padded is not None
    assert whole is not None
    assert (np.abs(padded[:3]) < np.abs(whole[:3])).all()


def test_what_is_clipped_is_no_rounding(cpu: Target) -> None:
    """Values far above the range, and at a half of a step there, leave those within as they are."""
    rng, given = np.random.default_rng(0), []
    for _ in range(20):
        x = rng.integers(0, 3, (1, CHANNELS, 16, 16)) / 10
        x[rng.random(x.shape) < 0.6] = 300.05
        given.append([x.astype(np.float32)])
    clipped = {"max": {"clipping_value": 25.5}, "min": {"clipping_value": 0.0}}
    result = quant.quantize(
        depthwise(), given, target=cpu, activations={"range_estimator": clipped}
    )
    assert "levels moved" not in result.outcomes


def test_later_steps_see_the_moved_tensor(cpu: Target) -> None:
    steps = [quant.Step(use="MinMaxQuantization"), quant.Step(use="FastBiasCorrection")]
    plan = quant.resolve(quant.load_model(depthwise()), steps, cpu)
    statistics = quant.collect(plan, plateaus(40))
    work = Work(model=plan.model.clone())
    (quantization, correction) = plan.steps
    assert isinstance(quantization, MinMaxPlan)
    after = min_max.apply(work, quantization, statistics)
    shift = np.asarray(work.stretches["x/fq_output_0"].shift).reshape(-1)
    assert shift.any()
    for need in fast_bias.needs(correction):
        seen = statistics.of(need, "layer") - shift
        np.testing.assert_allclose(after.of(need, "layer"), seen, rtol=1e-6, atol=1e-6)


def test_a_threshold_does_not_take_the_move_for_a_bias(cpu: Target) -> None:
    result = run(depthwise(has_bias=False), cpu, threshold=0.1)
    (found,) = (each for each in result.operations if each.plan.name == "layer")
    assert found.bias_shift is not None


@pytest.mark.parametrize("has_bias", [True, False])
def test_two_runs_make_the_same_model(has_bias: bool, cpu: Target) -> None:
    first, second = (run(depthwise(has_bias=has_bias), cpu).model for _ in range(2))
    assert digest(first) == digest(second)


def test_half_precision_is_diagnosed_too(cpu: Target) -> None:
    model = depthwise(kind=np.float16)
    given = [[each[0].astype(np.float16)] for each in plateaus(32)]
    result = quant.quantize(model, given, target=cpu, preset="mixed")
    assert "levels moved" in result.outcomes
    (found,) = quant.diagnose(result, given).layers
    assert (found.own_sqnr_db or 0) > 30


def test_diagnosis_knows_of_the_move(cpu: Target) -> None:
    model = depthwise()
    result = run(model, cpu)
    diagnosis = quant.diagnose(result, plateaus(32, seed=1))
    (found,) = diagnosis.layers
    assert found.own_sqnr_db == pytest.approx(
        sqnr_db(
            np.stack([each[0] for each in models.evaluate_all(model, plateaus(32, seed=1))]),
            np.stack([each[0] for each in models.evaluate_all(result.model, plateaus(32, seed=1))]),
        ),
        abs=0.5,
    )


values = st.floats(-50, 300, width=32)


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 8).map(lambda n: n * POINTS), st.integers(1, 5)),
        elements=values,
    ),
    st.floats(0, 1),
)
def test_a_move_is_at_most_half_a_step_and_never_errs_more(points: Array, outside: float) -> None:
    found = best_moves(points, outside, np.ones(points.shape[1]))
    assert (np.abs(found) <= 0.5).all()
    before, after = (np.square(np.rint(x) - x).mean(axis=0) for x in (points, points - found))
    assert (after + outside * found**2 <= before * (1 + 1e-4) + 1e-6).all()


def test_what_is_spread_over_many_levels_stays() -> None:
    points = np.random.default_rng(0).normal(100, 20, (128, 400)).astype(np.float32)
    assert np.count_nonzero(best_moves(points, 0.0, np.ones(400))) == 0


def test_zeros_around_weigh_against_a_move() -> None:
    points = np.full((128, 1), 0.4, np.float32)
    few, some, all_ = (float(best_moves(points, share, np.ones(1))[0]) for share in (0.0, 0.2, 1.0))
    assert few > some > all_ > 0


def test_a_layer_that_hardly_gains_stays() -> None:
    """Behind a Relu, levels off zero cost time."""
    rng = np.random.default_rng(0)
    points = np.stack([rng.choice([0.4, 0.6], 128), rng.uniform(0, 200, 128)], axis=1)
    points = points.astype(np.float32)
    assert best_moves(points, 0.0, np.array([1.0, 1.0]))[0] != 0
    assert not best_moves(points, 0.0, np.array([0.01, 1.0])).any()
