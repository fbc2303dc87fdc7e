"""What recipes may hold is what the code behind them takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from quant.steps import table
from runner.data.open import LOADERS as LOADER_TABLE
from runner.data.preprocessing import STEPS as PREPROCESSING_TABLE
from runner.metrics.make import METRICS as METRIC_TABLE
from runner.recipe.schemas.datasets import LOADERS
from runner.recipe.schemas.evaluate import METRICS
from runner.recipe.schemas.preprocessing import OPERATIONS
from runner.recipe.schemas.steps import PARAMETERS


def keywords(function: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def test_names_are_those_of_the_tables() -> None:
    assert set(PARAMETERS) == set(table.PARAMETERS)
    assert set(LOADERS) == set(LOADER_TABLE)
    assert set(OPERATIONS) == set(PREPROCESSING_TABLE)
    assert set(METRICS) == set(METRIC_TABLE)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_of_steps(name: str) -> None:
    assert set(PARAMETERS[name]) == {field.name for field in fields(table.PARAMETERS[name])}


@pytest.mark.parametrize("name", LOADERS)
def test_keys_of_loaders(name: str) -> None:
    assert set(LOADERS[name]) == keywords(LOADER_TABLE[name].open)


@pytest.mark.parametrize("name", OPERATIONS)
def test_keys_of_preprocessing(name: str) -> None:
    assert set(OPERATIONS[name]) == keywords(PREPROCESSING_TABLE[name])


@pytest.mark.parametrize("name", METRICS)
def test_keys_of_metrics(name: str) -> None:
    assert set(METRICS[name]) == keywords(METRIC_TABLE[name].make)
