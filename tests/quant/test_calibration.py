"""The calibration model: what it computes, in which order, and what it need not compute."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.entry import resolve
from quant.load import load_model
from quant.parameters import Aggregator
from quant.plan import QuantPlan, Subset, TensorRef
from quant.runtime import F32, core, opset, ov
from quant.statistics.calibration import calibration_model
from quant.statistics.collect import collect_needs
from quant.statistics.need import Need, Reduction
from quant.steps.table import STEPS, OnStatistics, Step
from quant.target import Target
from tests import models, networks

KINDS = (Reduction.MIN, Reduction.MAX, Reduction.ABS_MAX, Reduction.MEAN, Reduction.MEAN_SQUARE)

MOST_STEPS_BEHIND = 32
"""A tensor has at most a dozen taps, and they stand right behind it, with the grids of a few
tensors above it."""


def need(name: str, kind: Reduction, axis: int | None, channels: int) -> Need:
    return Need(
        tensor=TensorRef(name),
        reduction=kind,
        aggregator=Aggregator.MEAN,
        subset=Subset(),
        channel_axis=axis,
        channels=channels,
    )


def nodes_of(model: ov.Model, kind: str) -> list[ov.Node]:
    return [node for node in model.get_ordered_ops() if node.get_type_name() == kind]


def needs_of(plan: QuantPlan) -> list[Need]:
    return [
        each
        for name, step in zip(plan.step_names, plan.steps, strict=True)
        if isinstance(kind := STEPS[name], OnStatistics)
        for each in kind.needs(step)
    ]


@st.composite
def tapped_shapes(draw: st.DrawFn) -> tuple[int, ...]:
    return tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=5)))


@settings(max_examples=25, deadline=None)
@given(shapes=st.lists(tapped_shapes(), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_tensors_of_any_ranks_share_one_vector(shapes: list[tuple[int, ...]], seed: int) -> None:
    """Every reduction, of the tensor and of each axis, is numpy's."""
    inputs = [models.parameter(f"x{i}", *shape) for i, shape in enumerate(shapes)]
    results = [
        models.named(opset.add(x, models.constant(0, f"zero{i}")), f"t{i}")
        for i, x in enumerate(inputs)
    ]
    rng = np.random.default_rng(seed)
    sample = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    needs = [
        need(f"t{i}", kind, axis, 1 if axis is None else shape[axis])
        for i, shape in enumerate(shapes)
        for kind in KINDS
        for axis in (None, *range(len(shape)))
    ]
    rng.shuffle(needs)
    found = collect_needs(models.finish(results, inputs), needs, [sample]).values
    for each in needs:
        tensor = sample[int(each.tensor.op[1:])].astype(np.float64)
        axis = each.channel_axis
        rows = tensor.reshape(1, -1) if axis is None else np.moveaxis(tensor, axis, 0)
        np.testing.assert_allclose(
            found[each],
            expected(rows.reshape(each.channels, -1), each.reduction),
            rtol=1e-5,
            atol=1e-6,
        )


def expected(rows: np.ndarray, kind: Reduction) -> np.ndarray:
    magnitude = np.abs(rows)
    values: Iterable[float] = {
        Reduction.MIN: rows.min(axis=1),
        Reduction.MAX: rows.max(axis=1),
        Reduction.ABS_MAX: magnitude.max(axis=1),
        Reduction.MEAN: rows.mean(axis=1),
        Reduction.MEAN_SQUARE: np.square(rows).mean(axis=1),
    }[kind]
    return np.asarray(values)


@pytest.mark.parametrize("count", [15, 16, 17, 40])
def test_samples_of_several_chunks_reach_their_subsets(count: int) -> None:
    x = models.parameter("x", 1, 3)
    model = models.finish([models.named(opset.add(x, models.constant(0, "zero")), "t0")], [x])
    samples = [np.full((1, 3), i, np.float32) * np.float32([1, -1, 2]) for i in range(count)]
    some = Subset(size=7, shuffle=True, seed=3)
    drawn = np.sort(np.random.default_rng(3).permutation(count)[:7])
    for subset, indices in ((Subset(), np.arange(count)), (some, drawn)):
        for aggregator in (Aggregator.MEAN, Aggregator.MAX, Aggregator.MEDIAN, None):
            wanted = Need(
                tensor=TensorRef("t0"),
                reduction=Reduction.MAX,
                aggregator=aggregator,
                subset=subset,
                channel_axis=1,
                channels=3,
            )
            other = need("t0", Reduction.MEAN, None, 1)
            found = collect_needs(model, [other, wanted], samples).values[wanted]
            rows = indices[:, None] * np.array([1, -1, 2])
            reduce = {"mean": np.mean, "max": np.max, "median": np.median}
            right = rows if aggregator is None else reduce[aggregator.value](rows, axis=0)
            np.testing.assert_allclose(found, right, rtol=1e-6)


def test_a_minimum_that_pooling_and_reshaping_keep_above_zero_is_not_computed() -> None:
    x = models.parameter("x", 1, 2, 4, 4)
    positive = models.named(opset.relu(x), "relu")
    pooled = opset.max_pool(positive, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
    flat = models.named(opset.reshape(pooled, np.array([1, -1]), special_zero=False), "flat")
    joined = models.named(opset.concat([flat, flat], 1), "joined")
    mixed = models.named(opset.concat([joined, opset.reshape(x, [1, -1], False)], 1), "mixed")
    model = models.finish([mixed], [x])
    taps = [need(name, Reduction.MIN, None, 1) for name in ("flat", "joined")]
    assert not nodes_of(calibration_model(model, taps)[0], "ReduceMin")
    also_negative = need("mixed", Reduction.MIN, None, 1)
    assert nodes_of(calibration_model(model, [also_negative])[0], "ReduceMin")
    sample = np.full((1, 2, 4, 4), -3, np.float32)
    found = collect_needs(model, [*taps, also_negative], [sample]).values
    assert [float(found[each][0]) for each in (*taps, also_negative)] == [0, 0, -3]


def test_the_mean_square_of_nothing_is_zero() -> None:
    x = models.parameter("x", 1, -1)
    model = models.finish([models.named(opset.add(x, models.constant(0, "zero")), "t0")], [x])
    wanted = need("t0", Reduction.MEAN_SQUARE, None, 1)
    samples = [np.zeros((1, 0), np.float32), np.full((1, 2), 2, np.float32)]
    found = collect_needs(model, [wanted], samples).values[wanted]
    np.testing.assert_allclose(found, [2], rtol=1e-6)


def test_reductions_need_no_reshape_each() -> None:
    """Of channels on one axis of tensors of one rank: one for the vector, whatever their number."""
    model = models.conv_relu_conv()
    reshapes = len(nodes_of(model, "Reshape"))
    needs = [need(n, k, 1, 8) for n in ("relu1", "conv1") for k in (Reduction.MAX, Reduction.MEAN)]
    needs += [need("conv1", Reduction.MIN, None, 1)]
    calibration, _ = calibration_model(model, needs)
    assert len(nodes_of(calibration, "Reshape")) <= reshapes + 1


def test_no_operation_joins_or_serves_many_reductions(cpu: Target) -> None:
    """OpenVINO compiles such nodes in a time that grows with the square of the reductions."""
    model = load_model(networks.residual_blocks(300))
    plan = resolve(model, [Step(use="DefaultQuantization")], cpu)
    calibration, columns = calibration_model(model, needs_of(plan))
    taps = sum(len(nodes_of(calibration, each)) for each in ("ReduceMax", "ReduceMean", "ReduceL2"))
    assert len(columns.columns) > taps > 200
    widest = max(len(node.input_values()) for node in nodes_of(calibration, "Concat"))
    readers = max(
        len(node.output(0).get_target_inputs()) for node in nodes_of(calibration, "Constant")
    )
    assert max(widest, readers) <= 64


def test_reductions_run_right_behind_their_tensors(cpu: Target) -> None:
    """Else tensors leave the cache, and all of them are kept in memory until the end."""
    model = load_model(networks.mobilenet_v2(side=32))
    plan = resolve(model, [Step(use="DefaultQuantization")], cpu)
    calibration, _ = calibration_model(model, needs_of(plan))
    compiled = core().compile_model(calibration, "CPU", F32)
    places = {}
    for node in compiled.get_runtime_model().get_ordered_ops():
        places[node.get_friendly_name()] = int(node.get_rt_info()["execOrder"].astype(str))
    behind = [
        places[node.get_friendly_name()]
        - places[node.input_value(0).get_node().get_friendly_name()]
        for node in compiled.get_runtime_model().get_ordered_ops()
        if node.get_rt_info()["layerType"].astype(str).startswith("Reduce")
    ]
    assert len(behind) > 100
    assert max(behind) <= MOST_STEPS_BEHIND


@pytest.mark.parametrize("sizes", [(7, 7), (1, 7), (7, 1), (7,), (1, 1, 7)])
def test_a_single_channel_that_a_convolution_is_added_to(sizes: tuple[int, ...]) -> None:
    """OpenVINO's CPU plugin (2026.4.1) compiles no reduction of such a channel."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 2, *sizes)
    kernel = tuple(3 if size > 1 else 1 for size in sizes)
    seen = models.conv(rng, x, (1, 2, *kernel), "seen")
    rows = models.reshape(seen, [1, int(np.prod(sizes)), 1], "rows")
    even = opset.mvn(rows, np.array([2]), True, 1e-6, "inside_sqrt")
    place = models.reshape(even, [1, 1, *sizes], "place")
    total = models.named(opset.add(seen, models.conv(rng, place, (1, 1, *kernel), "near")), "total")
    needs = [
        Need(
            tensor=TensorRef(tensor.get_friendly_name()),
            reduction=reduction,
            aggregator=Aggregator.MEAN,
            subset=Subset(),
            channel_axis=axis,
        )
        for tensor in (seen, total)
        for reduction in (Reduction.MIN, Reduction.MAX, Reduction.MEAN)
        for axis in (None, 1)
    ]
    model = models.finish([total], [x])
    samples = models.samples(model, 1)
    found = collect_needs(model, needs, samples).values
    values = [models.evaluate_all(ov.Model([each], [x]), samples)[0][0] for each in (seen, total)]
    wanted = [take(each) for each in values for take in (np.min, np.max, np.mean) for _ in "12"]
    assert [float(found[need][0]) for need in needs] == pytest.approx(wanted, rel=1e-4)
