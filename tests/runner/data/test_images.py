from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.data.open import Selection, open_dataset
from runner.data.yolo_labels import read_yolo_labels
from runner.errors import DataError
from tests.runner.data.builders import model_input, save_picture, source


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("b.png", "a.jpg", "below/c.png"):
        save_picture(tmp_path / "images" / name)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/b.txt").write_text("2 0.5 0.5 0.25 1\n\n0 0.1 0.2 0.3 0.4\n")
    return tmp_path


def open_images(path: Path, **options: Any) -> Selection:
    return open_dataset(source("images", path=path, **options), model_input(1, 3, None, None))


def ids(dataset: Selection) -> list[str]:
    return [dataset[i].id for i in range(len(dataset))]


def test_a_folder_is_read_by_name_and_not_below(root: Path) -> None:
    assert ids(open_images(root / "images")) == ["a.jpg", "b.png"]


def test_a_glob_chooses_files(root: Path) -> None:
    assert ids(open_images(root / "images/*.png")) == ["b.png"]
    assert ids(open_images(root / "images/*/*.png")) == ["c.png"]


def test_a_glob_that_matches_nothing_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match="the dataset is empty"):
        open_images(root / "images/*.bmp")


def test_pictures_carry_boxes_or_none(root: Path) -> None:
    dataset = open_images(root / "images", labels=root / "labels")
    assert dataset[0].label.shape == (0, 5)
    expected = np.array([[2, 0.5, 0.5, 0.25, 1], [0, 0.1, 0.2, 0.3, 0.4]], np.float32)
    np.testing.assert_array_equal(dataset[1].label, expected)
    assert dataset[1].label.dtype == np.float32


def test_without_labels_the_label_is_none(root: Path) -> None:
    dataset = open_images(root / "images")
    assert dataset[0].label is None
    assert not dataset.has_labels


def test_a_labels_folder_of_other_pictures_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"no label file for any of the 2 pictures.*'a\.txt'"):
        open_images(root / "images", labels=root)


def test_a_missing_labels_folder_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match="no such folder; 'labels' expects"):
        open_images(root / "images", labels=root / "absent")


@pytest.mark.parametrize(
    "line",
    [
        "1 0.5 0.5 0.5",
        "1 0.5 0.5 0.5 0.5 0.5",
        "1.5 0.5 0.5 0.5 0.5",
        "-1 0.5 0.5 0.5 0.5",
        "1 320 240 50 60",
        "1 0.5 0.5 nan 0.5",
        "cat 0.5 0.5 0.5 0.5",
    ],
)
def test_a_malformed_line_names_file_and_line(line: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"0 0.5 0.5 0.5 0.5\n{line}\n")
    with pytest.raises(DataError, match="expected 'class x y w h'") as caught:
        read_yolo_labels(path)
    assert (caught.value.path, caught.value.line) == (path, 2)


def test_labels_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="the labels can't be read"):
        read_yolo_labels(tmp_path / "a.txt")
