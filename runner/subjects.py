"""A recipe's steps, datasets and metrics, opened for one model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from quant.runtime import ov
from quant.steps.table import Step
from runner.data.open import Selection, open_dataset
from runner.data.sample import Array
from runner.metrics.make import make_metric
from runner.metrics.metric import Metric
from runner.model_interface import model_inputs
from runner.packaged_steps import SHIPPED, STEPS
from runner.recipe.recipe import Recipe


def make_steps(recipe: Recipe) -> list[Step]:
    """The recipe's steps; what carries out those of installed packages comes along.

    Raises:
        PluginError: a package is broken.
    """
    return [
        Step(
            use=each.use,
            parameters=each.parameters,
            kind=None if each.use in SHIPPED else STEPS[each.use].kind,
        )
        for each in recipe.steps
    ]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A dataset as `quant.collect` takes it: indexable, each sample a list in the inputs' order."""

    dataset: Selection

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[list[Array]]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> list[Array]:
        sample = self.dataset[index]
        return [sample.inputs[each.name] for each in self.dataset.inputs]
