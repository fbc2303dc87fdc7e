from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.data.open import open_dataset
from runner.data.sample import InputInfo
from runner.errors import DataError
from tests.runner.data.builders import model_input, save_npz, source

X = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
Y = np.array([3, 1, 2, 0])
TWO = (
    InputInfo(name="ids", shape=(1, None), dtype=np.dtype("int64")),
    InputInfo(name="mask", shape=(1, None), dtype=np.dtype("int64")),
)


def test_a_sample_has_a_batch_axis_the_inputs_type_and_its_label(tmp_path: Path) -> None:
    path = save_npz(tmp_path / "a.npz", x=X, y=Y)
    sample = open_dataset(source("npz", path=path), model_input(1, 2, 3))[1]
    np.testing.assert_array_equal(sample.inputs["images"], X[None, 1].astype(np.float32))
    assert sample.inputs["images"].dtype == np.float32
    assert (sample.id, sample.label, sample.meta) == ("1", 1, {})


def test_without_y_there_are_no_labels(tmp_path: Path) -> None:
    dataset = open_dataset(
        source("npz", path=save_npz(tmp_path / "a.npz", x=X)), model_input(None, 2, 3)
    )
    assert not dataset.has_labels
    assert dataset[0].label is None


def test_labels_that_are_columns_become_numbers(tmp_path: Path) -> None:
    path = save_npz(tmp_path / "a.npz", x=X, y=Y[:, None])
    assert open_dataset(source("npz", path=path), model_input(1, 2, 3))[0].label == 3


def test_arrays_are_named_for_several_inputs(tmp_path: Path) -> None:
    path = save_npz(tmp_path / "a.npz", a=np.eye(3), b=np.ones((3, 3)), target=[0, 1, 2])
    names = {"mask": "b", "ids": "a"}
    sample = open_dataset(source("npz", path=path, inputs=names, labels="target"), TWO)[2]
    assert list(sample.inputs) == ["ids", "mask"]
    assert sample.inputs["ids"].tolist() == [[0, 0, 1]]
    assert sample.label == 2


def test_a_picture_array_can_be_preprocessed(tmp_path: Path) -> None:
    path = save_npz(tmp_path / "a.npz", x=np.ones((2, 4, 4, 3), np.float32))
    steps = ({"use": "resize", "size": 2}, {"use": "normalize", "mean": [0, 1, 2]})
    sample = open_dataset(source("npz", steps, path=path), model_input(1, 3, 2, 2))[0]
    assert sample.inputs["images"][0, :, 0, 0].tolist() == [1, 0, -1]
    assert sample.meta["scale"] == (0.5, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    id: str
    message: str
    arrays: dict[str, Any]
    options: dict[str, Any]
    inputs: tuple[InputInfo, ...] = model_input(1, 2, 3)


BAD = (
    Bad(
        id="missing-array",
        arrays={"images": X},
        options={"inputs": "imges"},
        message="no array 'imges' in the file; it holds 'images' - did you mean 'images'?",
    ),
    Bad(
        id="missing-labels",
        arrays={"x": X},
        options={"labels": "target"},
        message="no array 'target'",
    ),
    Bad(
        id="lengths",
        arrays={"x": X, "y": Y[:2]},
        options={},
        message=r"arrays differ in the number of samples \('x': 4, 'y': 2\)",
    ),
    Bad(
        id="objects",
        arrays={"x": np.array([{}, {}], object)},
        options={},
        message="array 'x' can't be read as numbers",
    ),
    Bad(id="strings", arrays={"x": np.array(["a"])}, options={}, message="array 'x' has type <U1"),
    Bad(
        id="one-array-for-two-inputs",
        arrays={"x": X},
        options={},
        inputs=TWO,
        message="one array can't feed the model's 2 inputs 'ids' and 'mask'",
    ),
    Bad(
        id="unknown-input",
        arrays={"x": X},
        options={"inputs": {"idss": "x"}},
        inputs=TWO,
        message="no input 'idss'; it has 'ids' and 'mask' - did you mean 'ids'?",
    ),
    Bad(
        id="uncovered-input",
        arrays={"x": X},
        options={"inputs": {"ids": "x"}},
        inputs=TWO,
        message=r"no array is named for the model's input\(s\) 'mask'",
    ),
    Bad(id="empty", arrays={"x": X[:0]}, options={}, message="the dataset is empty"),
)


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.id)
def test_content_that_does_not_suit_is_refused(case: Bad, tmp_path: Path) -> None:
    path = save_npz(tmp_path / "a.npz", **case.arrays)
    with pytest.raises(DataError, match=case.message) as caught:
        open_dataset(source("npz", path=path, **case.options), case.inputs)
    assert caught.value.path == path


def test_a_shape_that_does_not_fit_names_both(tmp_path: Path) -> None:
    path = save_npz(tmp_path / "a.npz", x=X)
    dataset = open_dataset(source("npz", path=path), model_input(1, None, 5))
    with pytest.raises(DataError, match=r"shape \[1, 2, 3\] does not fit .*takes \[1, \?, 5\]"):
        dataset[0]


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_a_broken_file_is_refused(cut: int, tmp_path: Path) -> None:
    path = save_npz(tmp_path / "a.npz", x=X)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"can't be read as \.npz"):
        open_dataset(source("npz", path=path), model_input(1, 2, 3))


def test_a_bare_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X)
    with pytest.raises(DataError, match="one bare array"):
        open_dataset(source("npz", path=tmp_path / "a.npy"), model_input(1, 2, 3))


def test_the_first_samples_are_taken_in_file_order(tmp_path: Path) -> None:
    wanted = replace(source("npz", path=save_npz(tmp_path / "a.npz", x=X)), samples=2)
    dataset = open_dataset(wanted, model_input(1, 2, 3))
    assert [dataset[i].id for i in range(len(dataset))] == ["0", "1"]
    assert not dataset.is_short


def test_shuffled_samples_depend_on_the_seed_alone(tmp_path: Path) -> None:
    path = save_npz(tmp_path / "a.npz", x=X)
    wanted = replace(source("npz", path=path), samples=3, shuffle=True, seed=5)
    expected = np.random.default_rng(5).permutation(4)[:3].tolist()
    assert open_dataset(wanted, model_input(1, 2, 3)).indices == tuple(expected)


def test_fewer_samples_than_asked_for_is_visible(tmp_path: Path) -> None:
    wanted = replace(source("npz", path=save_npz(tmp_path / "a.npz", x=X)), samples=9)
    dataset = open_dataset(wanted, model_input(1, 2, 3))
    assert (len(dataset), dataset.requested, dataset.is_short) == (4, 9, True)
