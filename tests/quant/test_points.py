"""Points: whole columns of a tensor, spread over it, and cut from it by one operation."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

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
        where = {tuple(np.delete(np.argwhere(tensor == value)[0], axis)) for value in point}
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
    assert places(found, sample, 1) == {(0, y, x) for y in (10, 30) for x in (15, 45)}


def test_the_first_item_of_a_batch_of_any_size() -> None:
    sample = np.random.default_rng(1).permutation(2 * 3 * 36).reshape(2, 3, 6, 6).astype(np.float32)
    wanted = points_of("t0", 1, 3)
    found = collect_needs(model_of([(-1, 3, 6, 6)]), [wanted], [[sample]]).values[wanted]
    assert {place[0] for place in places(found, sample, 1)} == {0}
    assert len(places(found, sample, 1)) == POINTS
