"""Every base that ships makes a small model's recipe short, and such a recipe runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quant.runtime import opset, ov
from runner.apply import apply_recipe
from runner.recipe.bases import builtin_names
from runner.recipe.read import read
from runner.requirements import Parts
from tests.models import conv, linear, parameter, relu, reshape
from tests.runner.data.builders import save_picture
from tests.runner.data.test_text import VOCABULARY
from tests.runner.tiny import write_tiny

NPZ = """\
model: {path: tiny.xml}
datasets: {calibration: {loader: npz, path: data.npz}, validation: {loader: npz, path: data.npz}}
"""
PICTURES = """\
model: {path: net.xml}
datasets: {calibration: {path: pictures}, validation: {path: pictures}}
"""
BOXES = """\
model: {path: net.xml}
vars: {size: 64, samples: 2}
datasets: {calibration: {path: pictures}, validation: {path: pictures, labels: labels}}
"""
TEXTS = """\
model: {path: net.xml}
vars: {max_length: 6}
datasets:
  calibration: {path: a.tsv, tokenizer: tokenizer.json}
  validation: {path: a.tsv, tokenizer: tokenizer.json}
"""


def write_pictures(folder: Path) -> None:
    """Four pictures of two classes, and a net of one convolution."""
    for i in range(4):
        save_picture(folder / "pictures" / f"class{i % 2}" / f"{i}.png", 30 + i, 40)
    rng, x = np.random.default_rng(0), parameter("image", 1, 3, 224, 224)
    hidden = relu(conv(rng, x, (4, 3, 3, 3), "conv"), "relu")
    flat = opset.reduce_mean(hidden, np.array([2, 3]), keep_dims=False)
    logits = linear(rng, flat, (2, 4), "head")
    save(ov.Model([opset.result(logits)], [x], "net"), folder)


def write_boxes(folder: Path) -> None:
    """Two pictures with a box each, and a net whose output has YOLOX' shape [1, 84, 85]."""
    (folder / "labels").mkdir()
    for i in range(2):
        save_picture(folder / "pictures" / f"{i}.png", 40, 60)
        (folder / "labels" / f"{i}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    rng, x = np.random.default_rng(0), parameter("images", 1, 3, 64, 64)
    heads = []
    for stride, cells in ((8, 64), (16, 16), (32, 4)):
        weights = rng.standard_normal((85, 3, 3, 3)).astype(np.float32)
        ones = [1, 1]
        head = opset.convolution(x, weights, [stride, stride], ones, ones, ones)
        heads.append(reshape(head, [1, 85, cells], f"cells_{stride}"))
    joined = opset.transpose(opset.concat(heads, 2), np.array([0, 2, 1]))
    save(ov.Model([opset.result(opset.sigmoid(joined))], [x], "net"), folder)


def write_texts(folder: Path) -> None:
    """Two texts, and a net that looks tokens up."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "a.tsv").write_text("good film\t1\nbad film\t0\n")
    rng, tokens = np.random.default_rng(0), parameter("input_ids", 1, 6, kind=np.int64)
    table = opset.constant(rng.standard_normal((len(VOCABULARY), 8)).astype(np.float32))
    rows = opset.gather(table, tokens, np.array(0))
    logits = linear(rng, opset.reduce_mean(rows, np.array([1])), (2, 8), "head")
    save(ov.Model([opset.result(logits)], [tokens], "net"), folder)


def save(model: ov.Model, folder: Path) -> None:
    ov.save_model(model, folder / "net.xml", compress_to_fp16=False)


CASES: dict[str, tuple[str, str, Callable[[Path], Any]]] = {
    "accuracy_aware": ("[builtin:base/cnn, builtin:base/accuracy_aware]", NPZ, write_tiny),
    "cnn": ("builtin:base/cnn", NPZ, write_tiny),
    "detection": ("builtin:base/detection", BOXES, write_boxes),
    "gna": ("[builtin:base/cnn, builtin:base/gna]", NPZ, write_tiny),
    "imagenet": ("[builtin:base/cnn, builtin:base/imagenet]", PICTURES, write_pictures),
    "npu": ("[builtin:base/cnn, builtin:base/npu]", NPZ, write_tiny),
    "transformer": ("builtin:base/transformer", TEXTS, write_texts),
}


def test_every_base_has_a_case() -> None:
    bases = {name.removeprefix("base/") for name in builtin_names() if name.startswith("base/")}
    assert bases == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_recipe_of_ten_lines_runs(tmp_path: Path, name: str) -> None:
    bases, own, write_files = CASES[name]
    write_files(tmp_path)
    text = f"recipe: 1\nname: mine\nextends: {bases}\n{own}"
    assert len(text.splitlines()) <= 10
    path = tmp_path / "mine.yaml"
    path.write_text(f"{text}outputs: {{dir: '{tmp_path}/out', reports: [json]}}\n")
    (recipe,) = read(path, profile="smoke")
    report = apply_recipe(recipe, parts=Parts(benchmark=False))
    assert report.quantization.fake_quantize > 0
    assert [check.id for check in report.checks][-1] == "drop"


@pytest.mark.parametrize("name", CASES)
def test_a_base_alone_is_a_fragment(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    text = f"recipe: 1\nname: a\nabstract: true\nextends: builtin:base/{name}\n"
    path.write_text(text, encoding="utf-8")
    assert all(each.abstract for each in read(path))
