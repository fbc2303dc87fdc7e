from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from runner.errors import ModelError
from runner.metrics.decoders import Detections, decode_yolox, grid, iou, suppress

SIZE, STRIDES = (32, 64), (8, 16)
ANCHORS = 4 * 8 + 2 * 4


def raw_output(anchor: int, *values: float) -> np.ndarray:
    """A YOLOX output `[1, 40, 7]` of two classes, all zero but one anchor."""
    x = np.zeros((1, ANCHORS, 7), np.float32)
    x[0, anchor] = values
    return x


def test_the_grid_goes_stride_by_stride_and_row_by_row() -> None:
    cells, steps = grid(SIZE, STRIDES)
    assert cells[[0, 1, 8, 31, 32, 39]].tolist() == [[0, 0], [1, 0], [0, 1], [7, 3], [0, 0], [3, 1]]
    assert steps[[0, 31, 32, 39], 0].tolist() == [8, 8, 16, 16]


def test_one_box_by_hand() -> None:
    """Anchor 39 is cell (3, 1) of stride 16: center (3.5, 1.25) * 16, sides 16 and 32."""
    raw = raw_output(39, 0.5, 0.25, 0, np.log(2), 0.5, 0.2, 0.8)
    found = decode_yolox(raw, SIZE, STRIDES, 0.01)
    np.testing.assert_allclose(found.boxes, [[48, 4, 64, 36]], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [0.4], rtol=1e-6)
    assert found.classes.tolist() == [1]


def test_scores_below_the_threshold_are_dropped() -> None:
    raw = raw_output(0, 0, 0, 0, 0, 0.5, 0.2, 0.8)
    assert len(decode_yolox(raw, SIZE, STRIDES, 0.41).scores) == 0


@pytest.mark.parametrize("broken", [(0, 0, 1e4, 0, 1, 1, 0), (np.nan, 0, 0, 0, 1, 1, 0)])
def test_boxes_that_are_not_finite_are_dropped(broken: tuple[float, ...]) -> None:
    assert len(decode_yolox(raw_output(3, *broken), SIZE, STRIDES, 0.01).scores) == 0


@pytest.mark.parametrize("shape", [(1, ANCHORS - 1, 7), (2, ANCHORS, 7), (1, ANCHORS, 5)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"expected \[1, 40, 5 \+ classes\] for an input of 32"):
        decode_yolox(np.zeros(shape), SIZE, STRIDES, 0.01)


BOXES = hnp.arrays(float, st.tuples(st.integers(1, 12), st.just(4)), elements=st.floats(0, 50)).map(
    lambda x: np.concatenate([x[:, :2], x[:, :2] + x[:, 2:]], axis=1)
)


@given(BOXES, BOXES)
def test_iou_is_symmetric_and_from_0_to_1(a: np.ndarray, b: np.ndarray) -> None:
    found = iou(a, b)
    np.testing.assert_allclose(found, iou(b, a).T)
    assert ((found >= 0) & (found <= 1 + 1e-9)).all()


def detections(boxes: np.ndarray, seed: int) -> Detections:
    rng = np.random.default_rng(seed)
    return Detections(
        boxes=boxes, scores=rng.random(len(boxes)), classes=rng.integers(2, size=len(boxes))
    )


@given(BOXES, st.integers(0, 9))
def test_suppression_keeps_the_best_of_each_class(boxes: np.ndarray, seed: int) -> None:
    found = detections(boxes, seed)
    kept = suppress(found, 0.5)
    for category in np.unique(found.classes):
        best = found.scores[found.classes == category].max()
        assert kept.scores[kept.classes == category][0] == best


@given(BOXES, st.integers(0, 9))
def test_no_two_that_are_kept_overlap_within_a_class(boxes: np.ndarray, seed: int) -> None:
    kept = suppress(detections(boxes, seed), 0.5)
    overlaps = (iou(kept.boxes, kept.boxes) > 0.5) & (kept.classes[:, None] == kept.classes)
    assert not np.triu(overlaps, 1).any()


@given(BOXES, st.integers(0, 9))
def test_suppressing_twice_changes_nothing(boxes: np.ndarray, seed: int) -> None:
    once = suppress(detections(boxes, seed), 0.5)
    np.testing.assert_array_equal(suppress(once, 0.5).boxes, once.boxes)


def test_a_suppressed_box_suppresses_nothing() -> None:
    boxes = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], float)
    found = Detections(boxes=boxes, scores=np.array([0.9, 0.8, 0.7]), classes=np.zeros(3))
    assert suppress(found, 0.4).scores.tolist() == [0.9, 0.7]
