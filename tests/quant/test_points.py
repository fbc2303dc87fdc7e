"""Points: whole columns of a tensor, spread over it, and cut from it by one operation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.errors import SamplesError
from quant.parameters import Aggregator
from quant.plan import Subset, TensorRef
from quant.runtime import opset, ov
from quant.statistics.calibration import calibration_model
from quant.statistics.collect import collect_needs
from quant.statistics.need import POINTS, Need, Reduction
from tests import models

Shape = tuple[int, ...]


def points_of(name: str, axis: int, channels: int) -> Need:
    return Need(
        tensor=TensorRef(name),
        reduction=Reduction.POINTS,
        aggregator=None,
        subset=Subset(),
        channel_axis=axis,
        channels=channels,
    )


MEAN = Need(
    tensor=TensorRef("t0"),
    reduction=Reduction.MEAN,
    aggregator=Aggregator.MEAN,
    subset=Subset(),
)


def model_of(shapes: list[Shape]) -> ov.Model:
    """An input for each shape, and a tensor of its values named t0, t1, ..."""
    inputs = [models.parameter(f"x{i}", *shape) for i, shape in enumerate(shapes)]
    zero = [models.constant(0, f"zero{i}") for i in range(len(shapes))]
    results = [models.named(opset.add(x, zero[i]), f"t{i}") for i, x in enumerate(inputs)]
    return models.finish(results, inputs)


def places(points: np.ndarray, tensor: np.ndarray, axis: int) -> set[Shape]:
    """The positions of points in a tensor of distinct values; each must be one and the same in
    every channel."""
    found = set()
    for point in points:
        where = {
            tuple(np.delete(np.argwhere(tensor == value)[0], axis).tolist()) for value in point
        }
        assert len(where) == 1
        found |= where
    return found


@st.composite
def tapped(draw: st.DrawFn) -> tuple[Shape, int]:
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=1, max_size=5)))
    return shape, draw(st.integers(0, len(shape) - 1))


@settings(max_examples=40, deadline=None)
@given(tensors=st.lists(tapped(), min_size=1, max_size=4))
def test_points_of_any_tensors_are_whole_columns(tensors: list[tuple[Shape, int]]) -> None:
    """Of several tensors at once, whatever their ranks; different ones where there are enough."""
    shapes = [shape for shape, _ in tensors]
    rng = np.random.default_rng(0)
    samples = [
        [rng.permutation(np.prod(s)).reshape(s).astype(np.float32) for s in shapes]
        for _ in range(2)
    ]
    needs = [points_of(f"t{i}", axis, shape[axis]) for i, (shape, axis) in enumerate(tensors)]
    found = collect_needs(model_of(shapes), needs, samples).values
    for i, (shape, axis) in enumerate(tensors):
        for sample, points in zip(samples, np.split(found[needs[i]], 2), strict=True):
            assert points.shape == (POINTS, shape[axis])
            spread = places(points, sample[i], axis)
            is_first = axis == 1 and len(shape) > 2
            positions = np.prod(shape) / shape[axis] / (shape[0] if is_first else 1)
            assert len(spread) == (POINTS if positions >= 2 * POINTS else len(spread))


def test_pictures_of_any_number_take_one_operation_each() -> None:
    """And a few for all of them; a tensor with a single position takes none."""
    shapes: list[Shape] = [(1, 3, 8, 8), (1, 5, 9, 4), (1, 2, 1, 1), (1, 4, 7, 6)]
    needs = [points_of(f"t{i}", 1, shape[1]) for i, shape in enumerate(shapes)]
    calibration, _ = calibration_model(model_of(shapes), needs)
    kinds = [node.get_type_name() for node in calibration.get_ops()]
    assert kinds.count("StridedSlice") == 3
    assert not {"Gather", "Transpose"} & set(kinds)
    assert kinds.count("Reshape") <= 3


def test_points_lie_all_over_a_picture() -> None:
    shape = (1, 1, 40, 60)
    sample = np.arange(2400, dtype=np.float32).reshape(shape)
    wanted = points_of("t0", 1, 1)
    found = collect_needs(model_of([shape]), [wanted], [[sample]]).values[wanted]
    assert places(found, sample, 1) == {(0, y, x) for y in (9, 29) for x in (14, 44)}


def test_the_first_item_of_a_batch_of_any_size() -> None:
    sample = np.random.default_rng(1).permutation(2 * 3 * 36).reshape(2, 3, 6, 6).astype(np.float32)
    wanted = points_of("t0", 1, 3)
    found = collect_needs(model_of([(-1, 3, 6, 6)]), [wanted], [[sample]]).values[wanted]
    assert {place[0] for place in places(found, sample, 1)} == {0}
    assert len(places(found, sample, 1)) == POINTS


def test_a_batch_without_items_has_zeros_and_moves_no_other_value() -> None:
    """As regions of a detector that found none; in front of what other samples are read of."""
    needs = [points_of("t0", 1, 3), dataclasses.replace(MEAN, tensor=TensorRef("t1"))]
    samples = [
        [np.full((count, 3, 6, 6), 5, np.float32), np.full((1, 2), i, np.float32)]
        for i, count in enumerate((2, 0, 1))
    ]
    found = collect_needs(model_of([(-1, 3, 6, 6), (1, 2)]), needs, samples).values
    assert found[needs[0]].reshape(3, -1).tolist() == [[5] * 12, [0] * 12, [5] * 12]
    assert found[needs[1]].tolist() == [1]


def test_tensors_of_whole_numbers_and_many_of_them() -> None:
    """More than are joined at once, beside reductions of the same tensors."""
    shapes: list[Shape] = [(1, 1 + i % 5, 6, 4 + i) for i in range(40)]
    inputs = [
        opset.parameter(shape, np.int32 if i % 3 else np.float32, name=f"x{i}")
        for i, shape in enumerate(shapes)
    ]
    results = [models.named(opset.add(x, x), f"t{i}") for i, x in enumerate(inputs)]
    rng = np.random.default_rng(3)
    sample = [rng.permutation(np.prod(s)).reshape(s).astype(np.float32) for s in shapes]
    points = [points_of(f"t{i}", 1, shape[1]) for i, shape in enumerate(shapes)]
    means = [dataclasses.replace(MEAN, tensor=each.tensor) for each in points]
    found = collect_needs(models.finish(results, inputs), [*points, *means], [sample]).values
    for values, point, mean in zip(sample, points, means, strict=True):
        assert len(places(found[point] / 2, values, 1)) == POINTS
        np.testing.assert_allclose(found[mean], 2 * values.mean(), rtol=1e-5)


def test_points_of_two_subsets_are_their_own() -> None:
    samples = [np.full((1, 2, 4, 4), i, np.float32) for i in range(50)]
    few, first = (
        dataclasses.replace(points_of("t0", 1, 2), subset=subset)
        for subset in (Subset(few=5), Subset(size=3))
    )
    found = collect_needs(model_of([(1, 2, 4, 4)]), [few, first], samples).values
    assert found[few][::POINTS, 0].tolist() == [0, 10, 20, 30, 40]
    assert found[first][::POINTS, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("subset", "count", "chosen"),
    [
        (Subset(few=4), 3, [0, 1, 2]),
        (Subset(size=8, few=4), 100, [0, 2, 4, 6]),
        (Subset(size=8, few=4), 5, [0, 1, 2, 3]),
    ],
)
def test_few_samples_come_from_all_over_the_subset(
    subset: Subset, count: int, chosen: list[int]
) -> None:
    samples = [np.full((1, 2), i, np.float32) for i in range(count)]
    wanted = dataclasses.replace(points_of("t0", 1, 2), subset=subset)
    found = collect_needs(model_of([(1, 2)]), [wanted], samples).values[wanted]
    assert found[::POINTS, 0].tolist() == chosen


def test_few_of_a_draw_are_drawn_and_few_of_an_iterator_are_the_first() -> None:
    samples = [np.full((1, 2), i, np.float32) for i in range(60)]
    drawn = np.sort(np.random.default_rng(7).permutation(60)[:20])[::4].tolist()
    shuffled = Subset(size=20, shuffle=True, seed=7, few=5)
    for subset, given_samples, chosen in (
        (shuffled, samples, drawn),
        (Subset(few=5), iter(samples), [0, 1, 2, 3, 4]),
    ):
        wanted = dataclasses.replace(points_of("t0", 1, 2), subset=subset)
        found = collect_needs(model_of([(1, 2)]), [wanted], given_samples).values[wanted]
        assert found[::POINTS, 0].tolist() == chosen


def test_points_that_are_not_finite_are_refused() -> None:
    """OpenVINO's extremes pass over NaN."""
    sample = np.ones((1, 2, 2, 2), np.float32)
    sample[0, 1] = np.nan
    extreme = dataclasses.replace(MEAN, reduction=Reduction.MAX)
    with pytest.raises(SamplesError, match="sample 0: the result of 't0' holds NaN"):
        collect_needs(model_of([(1, 2, 2, 2)]), [points_of("t0", 1, 2), extreme], [sample])


@pytest.mark.parametrize("shape", [(2, 64, 75, 64), (1, 4, 66000), (1, 8, 32, 33, 32)])
def test_means_of_large_pictures_come_from_some_positions(shape: Shape) -> None:
    """Evenly, of every item; patterns of two and three, as upsampling leaves, have their mean, and
    no extreme is missed."""
    rng = np.random.default_rng(2)
    sample = rng.standard_normal(shape).astype(np.float32)
    places = np.indices(shape)[2:]
    sample += np.where(places.sum(axis=0) % 2, 3, -1).astype(np.float32)
    sample += np.where((places % 3 == 1).all(axis=0), 9, 0).astype(np.float32)
    mean = dataclasses.replace(MEAN, channel_axis=1, channels=shape[1])
    high = dataclasses.replace(mean, reduction=Reduction.MAX)
    calibration, _ = calibration_model(model_of([shape]), [mean, high])
    assert [n.get_type_name() for n in calibration.get_ops()].count("StridedSlice") == 1
    found = collect_needs(model_of([shape]), [mean, high], [[sample]]).values
    axes = tuple(i for i in range(len(shape)) if i != 1)
    np.testing.assert_allclose(found[mean], sample.mean(axis=axes), atol=0.2)
    np.testing.assert_allclose(found[high], sample.max(axis=axes))
    some = sample[(slice(None), slice(None), *[slice(2, None, 5)] * (len(shape) - 2))]
    np.testing.assert_allclose(found[mean], some.mean(axis=axes), atol=1e-4)


def test_means_and_points_of_single_values_stand_side_by_side() -> None:
    """OpenVINO removes a reduction of one value, and the Reshape behind it too."""
    x = models.parameter("x", 1, 6, 8)
    pooled = models.named(opset.reduce_mean(x, np.array([1]), keep_dims=False), "t0")
    sample = np.random.default_rng(4).standard_normal((1, 6, 8)).astype(np.float32)
    whole = [dataclasses.replace(MEAN, reduction=each) for each in (Reduction.MIN, Reduction.MAX)]
    mean = dataclasses.replace(MEAN, channel_axis=1, channels=8)
    needs = [*whole, points_of("t0", 1, 8), mean]
    found = collect_needs(models.finish([pooled], [x]), needs, [sample]).values
    np.testing.assert_allclose(found[mean], sample.mean(axis=1)[0], atol=1e-6)
    np.testing.assert_allclose(found[needs[2]], np.tile(found[mean], (POINTS, 1)), atol=1e-6)


def test_a_sample_without_elements_tells_nothing() -> None:
    """As an expert that no token goes to. OpenVINO's extremes of it would be the largest numbers
    there are."""
    rows = [np.arange(3 * count, dtype=np.float32).reshape(count, 3) for count in (2, 0, 1, 0)]
    low = dataclasses.replace(MEAN, reduction=Reduction.MIN, channel_axis=1, channels=3)
    high = dataclasses.replace(low, reduction=Reduction.MAX)
    median, every = (dataclasses.replace(high, aggregator=a) for a in (Aggregator.MEDIAN, None))
    found = collect_needs(model_of([(-1, 3)]), [low, high, median, every], rows).values
    np.testing.assert_array_equal(found[low], [0, 1, 2])
    np.testing.assert_array_equal(found[high], [1.5, 2.5, 3.5])
    np.testing.assert_array_equal(found[median], [1.5, 2.5, 3.5])
    np.testing.assert_array_equal(found[every], [[3, 4, 5], [3, 4, 5], [0, 1, 2], [0, 1, 2]])


def test_without_elements_in_any_sample_there_is_no_range() -> None:
    needs = [
        dataclasses.replace(MEAN, reduction=each, channel_axis=1, channels=3)
        for each in (Reduction.MIN, Reduction.MAX)
    ]
    samples = [np.zeros((0, 3), np.float32)] * 2
    with pytest.raises(SamplesError, match="the result of 't0' has no elements in any sample"):
        collect_needs(model_of([(-1, 3)]), needs, samples)


def test_the_lowest_number_is_a_value_like_any() -> None:
    """Attention masks scores with it, and what it masks in every sample is a channel of it."""
    x = models.parameter("x", 1, 6, 4)
    is_masked = opset.constant(np.arange(4) == 3)
    lowest = opset.constant(np.finfo(np.float32).min)
    node = models.named(opset.select(is_masked, lowest, x), "t0")
    need = points_of("t0", 2, 4)
    found = collect_needs(models.finish([node], [x]), [need], [[np.ones((1, 6, 4), np.float32)]])
    assert found.values[need][0].tolist() == [1, 1, 1, float(np.finfo(np.float32).min)]
