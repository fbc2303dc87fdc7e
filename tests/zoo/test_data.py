"""What the zoo's FP32 models score through our loaders and metrics."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.data.open import open_dataset
from runner.data.sample import InputInfo
from runner.metrics.make import make_metric
from runner.recipe.recipe import DatasetSource, MetricSource

ROOT = os.environ.get("RECIPE_ROOT_ZOO")
ZOO = Path(ROOT or ".").resolve()

pytestmark = [
    pytest.mark.zoo,
    pytest.mark.skipif(ROOT is None, reason="RECIPE_ROOT_ZOO is not set"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model with its data, and the range that its FP32 value lies in."""

    id: str
    model: str
    inputs: Mapping[str, tuple[int, ...]]
    data: DatasetSource
    metric: str
    low: float
    high: float


CASES = (
    Case(
        id="resnet8",
        model="resnet8_cifar10/resnet8.tflite",
        inputs={"input_1": (1, 32, 32, 3)},
        data=DatasetSource(loader="npz", options={"path": ZOO / "resnet8_cifar10/val.npz"}),
        metric="accuracy",
        low=0.7695,
        high=0.7695,
    ),
    Case(
        id="yolox_nano",
        model="yolox_nano_coco128/yolox_nano.onnx",
        inputs={"images": (1, 3, 416, 416)},
        data=DatasetSource(
            loader="images",
            options={
                "path": ZOO / "yolox_nano_coco128/images/val",
                "labels": ZOO / "yolox_nano_coco128/labels/val",
            },
            preprocessing=(
                {"use": "letterbox", "size": 416, "fill": 114, "align": "top_left"},
                {"use": "color_order", "order": "BGR"},
                {"use": "layout", "order": "NCHW"},
            ),
        ),
        metric="mean_average_precision",
        low=0.337,
        high=0.341,
    ),
    Case(
        id="minilm",
        model="minilm_sst2/minilm_sst2.xml",
        inputs=dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), (1, 64)),
        data=DatasetSource(
            loader="text",
            options={
                "path": ZOO / "minilm_sst2/dev.tsv",
                "columns": {"text": 0, "label": 1},
                "tokenizer": ZOO / "minilm_sst2/tokenizer.json",
                "max_length": 64,
            },
        ),
        metric="accuracy",
        low=0.8796,
        high=0.8796,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_fp32_scores_what_it_should(case: Case) -> None:
    compiled = compile_model(case)
    infos = tuple(
        InputInfo(
            name=name, shape=shape, dtype=np.dtype(compiled.input(name).element_type.to_dtype())
        )
        for name, shape in case.inputs.items()
    )
    dataset = open_dataset(case.data, infos)
    metric = make_metric(MetricSource(name=case.metric, metric=case.metric))
    outcomes = []
    for sample in map(dataset.__getitem__, range(len(dataset))):
        outputs = {"output": compiled(dict(sample.inputs))[0]}
        outcomes.append(metric.answer(outputs, sample))
    value = metric.value(outcomes)
    assert value is not None
    assert case.low <= round(value, 4) <= case.high


def compile_model(case: Case) -> Any:
    """The model with static shapes, compiled for inference in f32."""
    import openvino as ov

    core = ov.Core()
    model = core.read_model(ZOO / case.model)
    model.reshape({name: list(shape) for name, shape in case.inputs.items()})
    return core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
