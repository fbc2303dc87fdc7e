from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.data.open import open_dataset
from runner.data.sample import InputInfo
from runner.errors import DataError
from tests.runner.data.builders import model_input, save_picture, source

INPUT = model_input(1, 3, 4, 6)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("dog/b.png", "dog/a.JPG", "cat/c.png", "cat/.hidden.png"):
        save_picture(tmp_path / name)
    (tmp_path / "dog/notes.txt").write_text("no picture")
    (tmp_path / "README.md").write_text("no class")
    return tmp_path


def samples(root: Path, **options: Any) -> list[tuple[str, int]]:
    dataset = open_dataset(source("image_folder", path=root, **options), INPUT)
    return [(sample.id, sample.label) for sample in map(dataset.__getitem__, range(len(dataset)))]


def test_sorted_folder_names_are_the_classes(root: Path) -> None:
    assert samples(root) == [("cat/c.png", 0), ("dog/a.JPG", 1), ("dog/b.png", 1)]


def test_classes_fix_the_order(root: Path) -> None:
    found = samples(root, classes=["dog", "fox", "cat"])
    assert found == [("dog/a.JPG", 0), ("dog/b.png", 0), ("cat/c.png", 2)]


def test_extensions_choose_the_files(root: Path) -> None:
    assert samples(root, extensions=["jpg"]) == [("dog/a.JPG", 1)]


def test_a_folder_that_is_no_class_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"folder 'cat' is no class; .*did you mean 'cats'"):
        samples(root, classes=["cats", "dog"])


def test_no_class_folders_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match="no class folders found"):
        samples(root / "dog")


def test_a_missing_folder_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match="can't be listed"):
        samples(root / "absent")


def test_a_picture_feeds_one_input_only(root: Path) -> None:
    inputs = (*INPUT, *model_input(1, 2, name="image_size"))
    with pytest.raises(DataError, match="the model has 'images' and 'image_size'"):
        open_dataset(source("image_folder", path=root), inputs)


def test_the_layout_is_the_models(root: Path) -> None:
    def shape(inputs: tuple[InputInfo, ...]) -> tuple[int, ...]:
        return open_dataset(source("image_folder", path=root), inputs)[0].inputs["images"].shape

    assert shape(model_input(1, 3, 4, 6)) == (1, 3, 4, 6)
    assert shape(model_input(None, 4, 6, 3)) == (1, 4, 6, 3)
    assert shape(model_input(None, None, None, None)) == (1, 3, 4, 6)


def test_a_size_that_does_not_fit_says_what_to_do(root: Path) -> None:
    dataset = open_dataset(source("image_folder", path=root), model_input(1, 3, 8, 8))
    message = r"sample 'cat/c.png': shape \[1, 3, 4, 6\] does not fit .*\[1, 3, 8, 8\].*'resize'"
    with pytest.raises(DataError, match=message):
        dataset[0]
