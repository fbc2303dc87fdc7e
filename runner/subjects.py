"""A recipe's datasets and metrics, opened for one model."""

from __future__ import annotations

from quant.runtime import ov
from runner.data.open import Selection, open_dataset
from runner.metrics.make import make_metric
from runner.metrics.metric import Metric
from runner.model_interface import model_inputs
from runner.recipe.recipe import Recipe


def open_datasets(recipe: Recipe, model: ov.Model) -> dict[str, Selection]:
    """The recipe's datasets by role.

    Raises:
        DataError: one can't be read or does not suit the model.
        ModelError: an input of the model has no fixed number of dimensions.
    """
    inputs = model_inputs(model)
    return {role: open_dataset(source, inputs) for role, source in recipe.datasets.items()}


def make_metrics(recipe: Recipe) -> dict[str, Metric]:
    """The recipe's metrics by name."""
    return {source.name: make_metric(source) for source in recipe.metrics}
