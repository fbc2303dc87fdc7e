"""What exists is documented, and what the documents name exists."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path

import pytest

import quant.errors
import runner.errors
from quant.steps.table import PARAMETERS
from runner.data.open import LOADERS
from runner.data.preprocessing import STEPS as PREPROCESSING
from runner.metrics.make import METRICS

DOCS = Path(__file__).resolve().parent.parent / "docs"


def exceptions(module: object) -> list[str]:
    found = inspect.getmembers(module, inspect.isclass)
    return [
        name for name, kind in found if issubclass(kind, Exception) and not kind.__subclasses__()
    ]


@pytest.mark.parametrize("step", sorted(PARAMETERS))
def test_every_step_and_parameter_is_documented(step: str) -> None:
    text = (DOCS / "recipes.md").read_text(encoding="utf-8")
    names = [field.name for field in dataclasses.fields(PARAMETERS[step])]
    assert [name for name in (*names, step) if name not in text] == []


def test_every_loader_metric_and_preprocessing_step_is_documented() -> None:
    text = (DOCS / "recipes.md").read_text(encoding="utf-8")
    names = [*LOADERS, *METRICS, *PREPROCESSING]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_error_is_documented() -> None:
    text = (DOCS / "recipes.md").read_text(encoding="utf-8")
    names = [*exceptions(quant.errors), *exceptions(runner.errors)]
    assert [name for name in names if name not in text] == []
