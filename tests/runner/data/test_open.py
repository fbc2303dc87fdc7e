from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from runner.data import extras
from runner.data.open import LOADERS, missing_extra, open_dataset
from runner.errors import DataError, MissingExtra
from tests.runner.data.builders import model_input, save_npz, source

RESIZE = ({"use": "resize", "size": 2},)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without optional packages."""
    monkeypatch.setattr(extras, "find_spec", lambda name: None)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("loader", "extra"),
    [("npz", None), ("image_folder", "vision"), ("images", "vision"), ("text", "text")],
)
def test_every_loader_knows_its_extra(loader: str, extra: str | None) -> None:
    found = missing_extra(source(loader))
    assert (found.extra if found else None) == extra


@pytest.mark.usefixtures("bare")
def test_preprocessing_can_need_an_extra_too() -> None:
    found = missing_extra(source("npz", RESIZE))
    assert str(found).startswith("preprocessing for loader 'npz' needs the package 'pillow'")
    assert missing_extra(source("npz", ({"use": "normalize"},))) is None


@pytest.mark.usefixtures("bare")
def test_opening_without_the_extra_says_so(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match=r"recipe-runner\[vision\]"):
        open_dataset(source("images", path=tmp_path), model_input(1, 3, 2, 2))


def test_nothing_is_missing_here() -> None:
    assert [missing_extra(source(loader, RESIZE)) for loader in LOADERS] == [None] * len(LOADERS)


def test_an_unknown_loader_is_refused() -> None:
    with pytest.raises(DataError, match=r"unknown loader 'imges'; .*did you mean 'images'"):
        open_dataset(source("imges"), model_input(1, 3, 2, 2))


def test_preprocessing_needs_one_input(tmp_path: Path) -> None:
    path = save_npz(tmp_path / "a.npz", x=np.zeros((2, 4)))
    two = (*model_input(1, 4, name="a"), *model_input(1, 4, name="b"))
    options = {"path": path, "inputs": {"a": "x", "b": "x"}}
    with pytest.raises(DataError, match="works on one picture, and the model has 2 inputs"):
        open_dataset(source("npz", RESIZE, **options), two)


def test_a_step_that_fails_names_the_sample(tmp_path: Path) -> None:
    path = save_npz(tmp_path / "a.npz", x=np.zeros((2, 4, 4)))
    steps = ({"use": "center_crop", "size": 9},)
    dataset = open_dataset(source("npz", steps, path=path), model_input(1, 1, 9, 9))
    with pytest.raises(DataError, match="sample '1': center_crop to 9 x 9") as caught:
        dataset[1]
    assert caught.value.path == path


def test_importing_is_cheap() -> None:
    heavy = ["PIL", "tokenizers", "pycocotools", "openvino", "ruamel"]
    code = (
        "import sys, runner.data.open, runner.metrics.make; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", LOADERS)
def test_every_loader_is_documented(name: str) -> None:
    assert LOADERS[name].open.__doc__
