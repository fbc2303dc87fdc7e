from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from runner.data.fit import choose_layout, fit_array, fit_picture, shown
from runner.data.picture import from_array
from runner.errors import DataError
from tests.runner.data.builders import model_input

PICTURE = from_array(np.zeros((4, 6, 3), np.uint8))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 3, 4, 6), "NCHW"),
        ((1, 4, 6, 3), "NHWC"),
        ((None, None, None, 3), "NHWC"),
        ((None, None, None, None), "NCHW"),
        ((1, 3, 4, 3), "NCHW"),
        ((1, 12), "NCHW"),
    ],
)
def test_the_layout_follows_the_input(shape: tuple[int | None, ...], expected: str) -> None:
    assert choose_layout(3, shape) == expected


def test_a_layout_that_was_asked_for_wins() -> None:
    (item,) = model_input(1, None, None, None)
    assert fit_picture(replace(PICTURE, layout="NHWC"), item).shape == (1, 4, 6, 3)


def test_arrays_are_cast_and_contiguous() -> None:
    (item,) = model_input(1, 3, 4, 6, dtype="float16")
    x = fit_picture(PICTURE, item)
    assert x.dtype == np.float16
    assert x.flags.c_contiguous


@pytest.mark.parametrize("shape", [(1, 3), (2, 3, 4), (1, 4, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    (item,) = model_input(*shape)
    with pytest.raises(DataError, match=r"shape \[1, 3, 4\] does not fit"):
        fit_array(np.zeros((3, 4)), item)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), ()),
        ((2, 1, 64), (2, 1, 64)),
        ((2, 1, 64), (2, None, 64)),
        ((2, 1, 64), (2, 1, None)),
    ],
)
def test_numbers_and_states_get_no_batch_axis(
    given: tuple[int, ...], expected: tuple[int | None, ...]
) -> None:
    (item,) = model_input(*expected)
    assert fit_array(np.zeros(given), item).shape == given


def test_what_looks_like_a_state_gets_a_batch_axis_where_the_input_has_one() -> None:
    (item,) = model_input(1, None, None, 64)
    assert fit_array(np.zeros((2, 1, 64)), item).shape == (1, 2, 1, 64)


@pytest.mark.parametrize(
    ("given", "expected"), [((8, 3, 4), (8, 3, 4)), ((8, 1, 64), (None, 1, 64))]
)
def test_a_batch_of_several_samples_is_refused(
    given: tuple[int, ...], expected: tuple[int | None, ...]
) -> None:
    (item,) = model_input(*expected)
    with pytest.raises(DataError, match=r"shape \[1, 8, .* does not fit"):
        fit_array(np.zeros(given), item)


def test_dynamic_dimensions_are_shown_as_such() -> None:
    assert shown((None, 3)) == "[?, 3]"
