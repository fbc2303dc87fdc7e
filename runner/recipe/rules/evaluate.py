"""Rules about metrics: their names, and the data and labels that they need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.document.check import Checked
from runner.document.document import KeyPath, locate, locate_key, value_at
from runner.errors import Problem
from runner.expect.subjects import MEASURED

AGREEMENT = "without labels use the metric `agreement`, which compares with the FP32 model"


def names(checked: Checked) -> Iterator[Problem]:
    """A metric does not take the name of a quantity that is measured anyway."""
    for name in value_at(checked.value, ("evaluate", "metrics")) or ():
        if name in MEASURED:
            message = f"the name {name!r} stands for a measured quantity; give the metric another"
            yield Problem(locate_key(checked.document, ("evaluate", "metrics", name)), message)


def validation(checked: Checked) -> Iterator[Problem]:
    """Metrics have a dataset to be computed on."""
    if "evaluate" in checked.written and not value_at(checked.written, ("datasets", "validation")):
        message = "metrics need validation data; add datasets: {validation: ...}"
        yield Problem(locate_key(checked.document, ("evaluate",)), message)


def labels(checked: Checked) -> Iterator[Problem]:
    """Metrics that compare with labels have labels of their kind."""
    dataset = value_at(checked.value, ("datasets", "validation")) or {}
    for at, metric in _metrics(checked):
        if fault := _labels_fault(metric, dataset):
            place = locate(checked.document, (*at, "metric"))
            yield Problem(place, f"{metric} {fault}", AGREEMENT)


def _metrics(checked: Checked) -> Iterator[tuple[KeyPath, str]]:
    for name, metric in (value_at(checked.value, ("evaluate", "metrics")) or {}).items():
        if "metric" in metric:
            yield ("evaluate", "metrics", name), metric["metric"]


def _labels_fault(metric: str, dataset: dict[str, Any]) -> str:
    loader = dataset.get("loader")
    if metric == "agreement" or loader is None:
        return ""
    if metric == "mean_average_precision" and loader != "images":
        return f"needs boxes, which the loader {loader!r} does not read; use the loader 'images'"
    if loader == "images" and "labels" not in dataset:
        return "needs labels; add `labels` to datasets.validation"
    if metric == "accuracy" and loader == "images":
        return "needs classes, but the loader 'images' reads boxes; use the loader 'image_folder'"
    if loader == "text" and "label" not in dataset.get("columns", {"label": 0}):
        return "needs labels; add `label` to the columns of datasets.validation"
    return ""
