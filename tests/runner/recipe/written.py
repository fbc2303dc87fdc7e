"""Recipes on disk for the tests of reading them."""

from __future__ import annotations

from pathlib import Path

from runner.recipe.read import read
from runner.recipe.recipe import Recipe

FULL = """\
recipe: 1
name: full
metadata: {title: A film review, owner: nlp, tags: [nlp, small], license: Apache-2.0}
vars: {samples: 30, folder: files}
model:
  path: files/model.xml
  inputs: {input_ids: [1, 64]}
datasets:
  calibration: &texts
    loader: text
    path: "${folder}/texts.tsv"
    columns: {text: 0, label: label}
    tokenizer: files/tokenizer.json
    max_length: 64
    samples: "${samples}"
    shuffle: true
    seed: 7
  validation: {loader: npz, path: files/data.npz, inputs: {x: images}}
targets: [cpu, ./files/device.yaml]
steps:
  - id: quantize
    use: MinMaxQuantization
    with:
      preset: mixed
      ignored: {operations: [{type: Add, attributes: {axis: [0, 1]}}], patterns: ["conv.*"]}
      activations: {range_estimator: {max: {type: quantile, outlier_prob: 0.01}}}
  - use: FastBiasCorrection
    with: {threshold: 2}
evaluate:
  metrics:
    top1: {metric: accuracy, top_k: 1}
benchmark: {seconds: 2}
expect:
  - {id: drop, metric: top1, max_drop: 0.01, drop_type: relative}
  - {metric: throughput, min_speedup: 1.3}
  - {metric: throughput, min_speedup: 1}
outputs: {reports: [json]}
"""
SMALL = """\
recipe: 1
name: small
model: {path: files/model.xml}
datasets:
  calibration: {loader: npz, path: files/data.npz}
steps:
  - use: DefaultQuantization
"""
FILES = ("model.xml", "model.bin", "data.npz", "texts.tsv", "tokenizer.json", "device.yaml")


def write(folder: Path, text: str) -> Path:
    """The path of a recipe with that text; the files that it may name stand beside it."""
    (folder / "files").mkdir(exist_ok=True)
    for name in FILES:
        (folder / "files" / name).touch()
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def read_text(folder: Path, text: str) -> tuple[Recipe, ...]:
    return read(write(folder, text))
