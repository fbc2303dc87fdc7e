"""Rules about the datasets of a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.document.check import Checked
from runner.document.document import KeyPath, locate, locate_key, value_at
from runner.errors import Problem


def unused(checked: Checked) -> Iterator[Problem]:
    """Every dataset is used."""
    written = checked.written
    for role in value_at(checked.value, ("datasets",)) or ():
        is_measured = "evaluate" in written or "benchmark" in written
        if role == "ranking" or (role == "validation" and not is_measured):
            users = "step of this version" if role == "ranking" else "`evaluate` or `benchmark`"
            message = f"the dataset {role!r} is not used; no {users} reads it"
            yield Problem(locate_key(checked.document, ("datasets", role)), message, "remove it")


def columns(checked: Checked) -> Iterator[Problem]:
    """Columns have names only where the file has a line of them."""
    for at, dataset in _datasets(checked):
        for key, column in dataset.get("columns", {}).items():
            if isinstance(column, str) and dataset.get("header") is False:
                message = f"{column!r} is a name, but `header: false` says that columns have none"
                place = locate(checked.document, (*at, "columns", key))
                yield Problem(place, message, "write the number of the column, from 0")


def preprocessing(checked: Checked) -> Iterator[Problem]:
    """Preprocessing is for pictures and arrays, and each operation does something."""
    for at, dataset in _datasets(checked):
        if dataset.get("loader") == "text" and dataset.get("preprocessing"):
            message = "texts are not preprocessed; the tokenizer makes the model's inputs"
            yield Problem(locate_key(checked.document, (*at, "preprocessing")), message)
        for i, operation in enumerate(dataset.get("preprocessing", ())):
            written = value_at(checked.written, (*at, "preprocessing", i))
            if fault := _operation_fault(operation, is_bare=len(written) == 1):
                yield Problem(locate(checked.document, (*at, "preprocessing", i)), fault)


def _datasets(checked: Checked) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    for role, dataset in checked.value.get("datasets", {}).items():
        if "loader" in dataset:
            yield ("datasets", role), dataset


def _operation_fault(operation: dict[str, Any], *, is_bare: bool) -> str:
    if operation.get("use") != "normalize":
        return ""
    mean, std = operation.get("mean"), operation.get("std")
    if isinstance(mean, list) and isinstance(std, list) and len(mean) != len(std):
        return (
            f"'mean' has {len(mean)} values and 'std' {len(std)}; expected one per channel in both"
        )
    return "normalize needs 'mean', 'std' or 'scale'" if is_bare else ""
