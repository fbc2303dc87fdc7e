"""The models and samples that are measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.folder import Samples
from quant.runtime import ov
from runner.data.open import open_dataset
from runner.model_interface import model_inputs
from runner.recipe.read import read
from runner.recipe.recipe import Recipe
from runner.recipe.roots import root_variable
from runner.run import Calibration
from tests import models, networks

RECIPES = Path(__file__).parent.parent / "tests" / "zoo" / "recipes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model as OpenVINO converts it, not normalized by us, and its calibration samples."""

    model: ov.Model
    samples: Samples
    model_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A topology of OpenVINO operations with seeded random weights and biases."""

    build: Callable[[], ov.Model]
    sample_count: int
    model_type: str | None = None

    def open(self, sample_count: int | None) -> Case:
        """With as many samples as asked for; None: as many as are usual for the network."""
        model = self.build()
        samples = models.samples(model, sample_count or self.sample_count)
        return Case(model=model, samples=samples, model_type=self.model_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Zoo:
    """The model and the calibration data of a recipe in tests/zoo/recipes."""

    recipe: str

    def open(self, sample_count: int | None) -> Case:
        """With at most as many samples as asked for; None: all that the recipe takes."""
        (recipe,) = read(RECIPES / f"{self.recipe}.yaml")
        model = _converted(recipe)
        dataset = open_dataset(recipe.datasets["calibration"], model_inputs(model))
        samples = Calibration(dataset=dataset)
        return Case(
            model=model,
            samples=[samples[i] for i in range(min(len(samples), sample_count or len(samples)))],
            model_type=recipe.steps[0].parameters.get("model_type"),
        )


CASES: Mapping[str, Network | Zoo] = {
    "resnet_50": Network(
        build=partial(networks.resnet_50, width=64, side=224, classes=1000), sample_count=300
    ),
    "bert_base": Network(
        build=partial(networks.bert_base, width=768, heads=12, length=128, words=30522),
        sample_count=100,
        model_type="transformer",
    ),
    "mobilenet_v2": Network(
        build=partial(networks.mobilenet_v2, width=32, side=224, classes=1000), sample_count=300
    ),
    "yolox_nano": Zoo(recipe="yolox_nano"),
    "minilm": Zoo(recipe="minilm"),
    "resnet8": Zoo(recipe="resnet8"),
    "fsdd_tdnn": Zoo(recipe="fsdd_tdnn"),
    "fsdd_lstm": Zoo(recipe="fsdd_lstm"),
}
"""Every case by its name."""


def available() -> tuple[str, ...]:
    """The names of the cases that can be opened: those of the zoo need its root."""
    has_zoo = root_variable("zoo") in os.environ
    return tuple(name for name, case in CASES.items() if has_zoo or isinstance(case, Network))


def _converted(recipe: Recipe) -> ov.Model:
    path = recipe.model.path
    model = ov.Core().read_model(path) if path.suffix == ".xml" else ov.convert_model(path)
    model.reshape({name: list(shape) for name, shape in recipe.model.inputs.items()})
    return model
