"""The recipe's first metric with one operation at a time quantized, or reverted to floating
point."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from quant.control.parameters import Unit
from quant.entry import apply, collect, resolve
from quant.runtime import ov
from quant.statistics.need import Need
from quant.steps.table import Step
from runner.data.open import Selection
from runner.data.sample import Array
from runner.evaluate import evaluate
from runner.expect.quantity import Quantity
from runner.foreign_errors import mapped_errors
from runner.metric_value import drop_of, quantity
from runner.metrics.metric import Packed
from runner.plan import Plan
from runner.progress import Progress, silent
from runner.recipe.ignore import ignored_names, ignoring_step
from runner.recipe.recipe import Recipe
from runner.run import Datasets
from runner.subjects import Calibration, make_metrics, make_steps
from runner.targets import load_target


class One(StrEnum):
    """What happens to one operation at a time."""

    REVERTED = "reverted"
    QUANTIZED = "quantized"


@dataclass(frozen=True, slots=True, kw_only=True)
class ByMetric:
    """What is asked for; `unit`: what one is; `samples`: how many validation samples (None:
    all)."""

    one: One = One.REVERTED
    unit: Unit = Unit.OPERATION
    samples: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDrops:
    """By operation, the metric's drop with it alone quantized, or what reverting it alone gains."""

    metric: str
    samples: int
    drops: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class _Statistics:
    """What one candidate collects for the next."""

    answers: dict[Need, Array] = field(default_factory=dict)

    def known(self) -> Mapping[Need, Array]:
        return self.answers

    def keep(self, answers: Mapping[Need, Array]) -> None:
        self.answers.update(answers)


@dataclass(frozen=True, slots=True)
class _Baseline:
    """FP32's answers."""

    answers: dict[str, Sequence[Packed]] = field(default_factory=dict)

    def known(self) -> Mapping[str, Sequence[Packed]]:
        return self.answers

    def keep(self, name: str, answers: Sequence[Packed]) -> None:
        self.answers[name] = answers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trials:
    """What all candidates share."""

    plan: Plan
    recipe: Recipe
    calibration: Calibration
    validation: Selection
    statistics: _Statistics = field(default_factory=_Statistics)
    baseline: _Baseline = field(default_factory=_Baseline)


def metric_drops(
    plan: Plan,
    recipe: Recipe,
    datasets: Datasets,
    groups: Mapping[str, tuple[str, ...]],
    asked: ByMetric,
    progress: Progress,
) -> MetricDrops:
    """One evaluation of the first metric for each group of operations; FP32 is inferred once.

    Raises:
        RecipeError: no step takes `ignored`.
        RunError: a candidate can't be made, or a sample fails.
    """
    whole = datasets["validation"]
    validation = dataclasses.replace(whole, indices=whole.indices[: asked.samples])
    trials = _Trials(
        plan=plan,
        recipe=recipe,
        calibration=Calibration(dataset=datasets["calibration"]),
        validation=validation,
    )
    is_reverted = asked.one is One.REVERTED
    before = _measured(trials, ())[1] if is_reverted else None
    drops: dict[str, float | None] = {}
    for done, names in enumerate(groups.values()):
        progress("evaluate", done, len(groups))
        others = [each for group in groups.values() if group != names for each in group]
        fp32, found = _measured(trials, names if is_reverted else others)
        drop = drop_of(fp32, found) if before is None else drop_of(found, before)
        drops |= dict.fromkeys(names, drop)
    return MetricDrops(metric=recipe.metrics[0].name, samples=len(validation), drops=drops)


def _measured(trials: _Trials, ignored: Iterable[str]) -> tuple[Quantity, Quantity]:
    """The metric of FP32, and of the model in which so many more operations are ignored."""
    source, plan = trials.recipe.metrics[0], trials.plan
    metric = make_metrics(trials.recipe)[source.name]
    found = evaluate(
        plan.quantization.model,
        _candidate(trials, ignored),
        trials.validation,
        {source.name: metric},
        device=plan.device,
        baseline=trials.baseline,
        progress=silent,
    )
    both = found.outcomes[source.name]
    return quantity(metric, both.fp32), quantity(metric, both.quantized)


def _candidate(trials: _Trials, ignored: Iterable[str]) -> ov.Model:
    """The model that the recipe would make if it ignored more operations."""
    recipe = trials.recipe
    target = load_target(recipe.target.path or recipe.target.name)
    with mapped_errors("quantize the model", trials.calibration.dataset.records.path):
        candidate = resolve(trials.plan.quantization.model, _steps(recipe, ignored), target)
        statistics = collect(candidate, trials.calibration, store=trials.statistics)
        return apply(candidate, statistics, trials.calibration).model


def _steps(recipe: Recipe, ignored: Iterable[str]) -> list[Step]:
    """The recipe's steps, the first of which that can ignores these operations as well."""
    number = ignoring_step(recipe)
    steps = make_steps(recipe)
    written = steps[number].parameters
    scope = tuple(dict.fromkeys((*ignored_names(recipe), *ignored)))
    more = {**written.get("ignored", {}), "scope": scope}
    parameters = {**written, "ignored": more} if scope else written
    steps[number] = dataclasses.replace(steps[number], parameters=parameters)
    return steps
