"""A tiny convolutional net with data on disk, and recipes about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from quant.runtime import opset, ov
from tests.models import conv, evaluate, linear, parameter, relu

CLASSES = 3
SAMPLES = 24

RECIPE = """\
recipe: 1
name: tiny
metadata: {{title: A tiny net, tags: [test]}}
model: {{path: {model}}}
datasets:
  calibration: {{loader: npz, path: data.npz}}
  validation: {{loader: npz, path: data.npz}}
targets: [{targets}]
steps:
  - use: DefaultQuantization
    with: {{{parameters}}}
evaluate:
  metrics:
    accuracy: {{metric: accuracy}}
    sqnr: {{metric: agreement, compare: sqnr}}
{benchmark}expect:
{checks}
outputs: {{dir: "{out}", reports: [{reports}]}}
"""
DROP = "  - {id: drop, metric: accuracy, max_drop: 0.5}"
SPEED = "  - {id: speed, metric: throughput, min_speedup: 0.01}"
IMPOSSIBLE = "  - {id: floor, metric: accuracy, min: 2}"


def tiny_model() -> ov.Model:
    """Two convolutions and a linear layer: `x` f32 [1, 1, 8, 8] -> `logits` [1, 3]."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 1, 8, 8)
    hidden = relu(conv(rng, x, (8, 1, 3, 3), "conv_0"), "relu_0")
    hidden = relu(conv(rng, hidden, (8, 8, 3, 3), "conv_1"), "relu_1")
    flat = opset.reduce_mean(hidden, np.array([2, 3]), keep_dims=False)
    logits = linear(rng, flat, (CLASSES, 8), "head")
    logits.output(0).set_names({"logits"})
    return ov.Model([opset.result(logits)], [x], "tiny")


def write_tiny(folder: Path) -> Path:
    """Saves the net as tiny.xml and samples with FP32's own classes as labels as data.npz."""
    model = tiny_model()
    ov.save_model(model, folder / "tiny.xml", compress_to_fp16=False)
    x = np.random.default_rng(1).standard_normal((SAMPLES, 1, 8, 8)).astype(np.float32)
    y = np.array([int(np.argmax(evaluate(model, [each[None]])[0])) for each in x])
    np.savez(folder / "data.npz", x=x, y=y)
    return folder


def write_recipe(folder: Path, name: str = "tiny.yaml", **changes: Any) -> Path:
    """A recipe beside the net; `out` is below the folder unless it is given."""
    words = {
        "model": "tiny.xml",
        "targets": "cpu",
        "parameters": "preset: mixed",
        "benchmark": "",
        "checks": DROP,
        "out": str(folder / "out" / "${target}"),
        "reports": "json",
    }
    path = folder / name
    path.write_text(RECIPE.format(**{**words, **changes}), encoding="utf-8")
    return path
