"""The digest of selected samples: any byte that they come from counts, nothing else does."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recipes
from runner.data.digest import data_digest
from runner.data.open import open_dataset
from runner.recipe.recipe import DatasetSource
from tests.runner.data.builders import model_input, save_npz, save_picture, source

DEMO = Path(recipes.__file__).parent / "demo"
PICTURE, TOKENS = model_input(1, 3, 4, 6), model_input(1, 8, name="input_ids", dtype="int64")


def npz(folder: Path) -> DatasetSource:
    path = save_npz(folder / "data.npz", x=np.arange(72 * 3.0).reshape(3, 3, 4, 6), y=[0, 1, 0])
    return source("npz", path=path)


def images(folder: Path) -> DatasetSource:
    for i in range(3):
        save_picture(folder / "pictures" / f"{i}.png")
    (folder / "labels").mkdir()
    (folder / "labels" / "0.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    return source("images", path=folder / "pictures", labels=folder / "labels")


def image_folder(folder: Path) -> DatasetSource:
    for name in ("cat", "dog"):
        save_picture(folder / "pictures" / name / "0.png")
    return source("image_folder", path=folder / "pictures")


def text(folder: Path) -> DatasetSource:
    for name in ("names_test.tsv", "tokenizer.json"):
        shutil.copy(DEMO / name, folder)
    columns = {"text": 0, "label": 1}
    path, tokenizer = folder / "names_test.tsv", folder / "tokenizer.json"
    return source("text", path=path, columns=columns, tokenizer=tokenizer, max_length=8)


BUILDERS: dict[str, Callable[[Path], DatasetSource]] = {
    each.__name__: each for each in (npz, images, image_folder, text)
}


def digest(of: DatasetSource) -> str:
    inputs = TOKENS if of.loader == "text" else PICTURE
    return data_digest(of, open_dataset(of, inputs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change of a file that samples come from; of text files one character."""

    loader: str
    file: str
    change: Callable[[Path], Any]


def flip(path: Path) -> None:
    """Another pixel, in a picture or an array."""
    if path.suffix == ".npz":
        with np.load(path) as file:
            arrays = dict(file)
        arrays["x"][-1, -1, -1, -1] += 1
        save_npz(path, **arrays)
        return
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


EDITS = (
    Edit(loader="npz", file="data.npz", change=flip),
    Edit(loader="images", file="pictures/2.png", change=flip),
    Edit(loader="images", file="labels/0.txt", change=lambda p: p.write_text("0 0.5 0.5 0.1 0.2")),
    Edit(loader="images", file="labels/1.txt", change=lambda p: p.write_text("")),
    Edit(loader="image_folder", file="pictures/dog/0.png", change=flip),
    Edit(loader="image_folder", file="pictures/bird", change=Path.mkdir),
    Edit(loader="text", file="names_test.tsv", change=lambda p: edit_text(p, "\t", "a\t")),
    Edit(loader="text", file="tokenizer.json", change=lambda p: edit_text(p, "{", "{ ")),
)


def edit_text(path: Path, before: str, after: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(before, after, 1), encoding="utf-8")


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.file)
def test_any_byte_counts(tmp_path: Path, edit: Edit) -> None:
    of = BUILDERS[edit.loader](tmp_path)
    before = digest(of)
    edit.change(tmp_path / edit.file)
    assert digest(of) != before


@pytest.mark.parametrize("loader", sorted(BUILDERS))
def test_a_place_does_not_count(tmp_path: Path, loader: str) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    one, two = (digest(BUILDERS[loader](folder)) for folder in folders)
    assert one == two


def test_pictures_that_are_not_selected_do_not_count(tmp_path: Path) -> None:
    first = dataclasses.replace(images(tmp_path), samples=2)
    before = digest(first)
    flip(tmp_path / "pictures" / "2.png")
    assert digest(first) == before
    assert digest(dataclasses.replace(first, samples=1)) != before


def test_the_order_of_samples_counts(tmp_path: Path) -> None:
    plain = npz(tmp_path)
    shuffled = [dataclasses.replace(plain, shuffle=True, seed=seed) for seed in range(6)]
    assert 1 < len({digest(each) for each in shuffled}) <= 6


@pytest.mark.parametrize(
    "changes",
    [
        {"preprocessing": ({"use": "color_order", "order": "BGR"},)},
        {"options": {"inputs": "z"}},
    ],
    ids=["preprocessing", "options"],
)
def test_what_is_made_of_the_files_counts(tmp_path: Path, changes: dict[str, Any]) -> None:
    plain = npz(tmp_path)
    with np.load(tmp_path / "data.npz") as file:
        save_npz(tmp_path / "data.npz", **file, z=file["x"])
    options = {**plain.options, **changes.pop("options", {})}
    assert digest(dataclasses.replace(plain, options=options, **changes)) != digest(plain)
