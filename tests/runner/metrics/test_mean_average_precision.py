from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.data.geometry import letterbox
from runner.data.picture import from_array
from runner.data.sample import Sample
from runner.errors import DataError, ModelError
from runner.metrics.interval import drop_interval
from runner.metrics.mean_average_precision import input_size
from tests.runner.metrics.builders import metric, outputs, sample

STRIDES = (8,)
SIDES = st.integers(8, 90)


def raw_for(box: tuple[float, float, float, float], category: int, score: float) -> np.ndarray:
    """A YOLOX output for a 64 x 64 input that holds one box (center x, center y, w, h)."""
    x = np.zeros((1, 64, 7), np.float32)
    x[0, 0, :4] = box[0] / 8, box[1] / 8, np.log(box[2] / 8), np.log(box[3] / 8)
    x[0, 0, 4], x[0, 0, 5 + category] = score, 1
    return x


def outcome(raw: np.ndarray, of: Sample) -> Any:
    return metric("mean_average_precision", strides=[8]).answer(outputs(y=raw), of)


def labels(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 5)


RIGHT = outcome(
    raw_for((32, 32, 16, 8), 1, 0.9), sample(labels((1, 0.5, 0.5, 0.25, 0.125)), size=(64, 64))
)
WRONG = outcome(
    raw_for((32, 32, 16, 8), 0, 0.9), sample(labels((1, 0.5, 0.5, 0.25, 0.125)), size=(64, 64))
)


@given(SIDES, SIDES, st.sampled_from(["top_left", "center"]))
def test_a_box_on_the_letterboxed_picture_maps_back(height: int, width: int, align: str) -> None:
    """The label, moved into the canvas by the meta, comes back as the box of the label."""
    picture = letterbox(from_array(np.zeros((height, width, 3))), size=64, align=align)
    label = labels((0, 0.5, 0.4, 0.3, 0.6))
    y, x = np.array([0.4 * height, 0.5 * width]) * picture.scale + picture.offset
    h, w = np.array([0.6 * height, 0.3 * width]) * picture.scale
    found = outcome(raw_for((x, y, w, h), 0, 0.9), sample(label, **picture.meta))
    # The raw output is float32 and holds centers in cells of 8 pixels.
    np.testing.assert_allclose(found.found, found.truth, atol=1e-4 * max(height, width))
    expected = [[0.35 * width, 0.1 * height, 0.3 * width, 0.6 * height]]
    np.testing.assert_allclose(found.truth, expected, rtol=1e-5)


def test_the_value_is_1_when_all_is_found() -> None:
    mean_average_precision = metric("mean_average_precision")
    assert mean_average_precision.value([RIGHT, RIGHT]) == pytest.approx(1.0)
    assert mean_average_precision.value([WRONG, WRONG]) == 0.0


def test_without_objects_there_is_no_value() -> None:
    empty = outcome(raw_for((32, 32, 16, 8), 1, 0.9), sample(labels(), size=(64, 64)))
    assert metric("mean_average_precision").value([empty]) is None


def test_the_interval_contains_the_drop() -> None:
    mean_average_precision = metric("mean_average_precision")
    fp32, quantized = [RIGHT] * 20, [WRONG] * 4 + [RIGHT] * 16
    drop = (mean_average_precision.value(fp32) or 0) - (
        mean_average_precision.value(quantized) or 0
    )
    parts = [mean_average_precision.contributions(each) for each in (fp32, quantized)]
    low, high = drop_interval(*parts, drop=drop) or (0, 0)
    assert 0 <= low < drop < high < 1


def test_pictures_without_objects_add_nothing() -> None:
    empty = outcome(raw_for((32, 32, 16, 8), 1, 0.9), sample(labels(), size=(64, 64)))
    assert metric("mean_average_precision").contributions([empty]) == ()


@pytest.mark.parametrize("label", [None, 3, np.zeros((2, 4))])
def test_a_sample_without_boxes_is_named(label: Any) -> None:
    with pytest.raises(DataError, match=r"sample 's' has no boxes; .* labels \[n, 5\]"):
        outcome(raw_for((32, 32, 16, 8), 0, 0.9), sample(label))


@pytest.mark.parametrize("shape", [(1, 3, 32, 64), (1, 32, 64, 3)])
def test_the_input_size_is_known_in_either_layout(shape: tuple[int, ...]) -> None:
    image = Sample(id="s", inputs={"x": np.zeros(shape), "scale": np.zeros((1, 2))})
    assert input_size(image) == (32, 64)


def test_a_model_without_a_picture_is_refused() -> None:
    with pytest.raises(ModelError, match=r"found inputs of \[1, 5\]"):
        input_size(Sample(id="s", inputs={"x": np.zeros((1, 5))}))


def test_an_answer_can_be_kept() -> None:
    found = metric("mean_average_precision", strides=[8])
    kept = found.unpack(found.pack(RIGHT))
    for name, value in found.pack(RIGHT).items():
        np.testing.assert_array_equal(getattr(kept, name), value)
