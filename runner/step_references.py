"""The models as earlier steps left them, for checks that compare with those."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quant.entry import Result, apply, collect, resolve
from quant.plan import Status
from runner.cache.kept import Kept
from runner.data.open import Selection
from runner.evaluate import evaluate
from runner.expect.quantity import Quantities, Reference
from runner.expect.subjects import step_of
from runner.foreign_errors import mapped_errors
from runner.measured import count, plain, size_quantities
from runner.metric_value import quantity
from runner.metrics.metric import Metric
from runner.model_size import saved_bytes
from runner.plan import Plan
from runner.progress import Progress
from runner.recipe.recipe import Recipe
from runner.subjects import Calibration, make_metrics, make_steps
from runner.targets import load_target


def wanted_steps(plan: Plan) -> dict[str, set[str]]:
    """What is compared with steps, by their ids: the subjects of checks whose conditions hold."""
    found: dict[str, set[str]] = {}
    for check in plan.checks:
        step = step_of(check.against)
        if step is not None and not check.unmet:
            found.setdefault(step, set()).add(check.metric)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What models of earlier steps are made of.

    `kept` holds the plan's statistics, so that nothing is collected again.
    """

    plan: Plan
    recipe: Recipe
    datasets: Mapping[str, Selection]
    kept: Kept
    progress: Progress


def step_references(making: Making) -> dict[str, Reference]:
    """What checks compare with, by the word of `against`.

    Raises:
        RunError: a model can't be made or inferred.
    """
    wanted = wanted_steps(making.plan).items()
    return {
        f"step:{step}": Reference(name=f"step {step}", quantities=_quantities(making, step, names))
        for step, names in wanted
    }


def _quantities(making: Making, step: str, subjects: set[str]) -> Quantities:
    result = _made(making, step)
    found = {"quantized_operations": plain("quantized_operations", count(result, Status.QUANTIZED))}
    if "model_bytes" in subjects:
        with tempfile.TemporaryDirectory() as folder, mapped_errors("save the model"):
            found |= size_quantities(saved_bytes(result.model, Path(folder) / "step.xml"))
    metrics = {name: m for name, m in make_metrics(making.recipe).items() if name in subjects}
    return {**found, **_evaluated(making, result, metrics)}


def _evaluated(making: Making, result: Result, metrics: Mapping[str, Metric]) -> Quantities:
    if not making.plan.metrics or not metrics:
        return {}
    outcomes = evaluate(
        making.plan.quantization.model,
        result.model,
        making.datasets["validation"],
        metrics,
        device=making.plan.device,
        baseline=making.kept.baseline,
        progress=making.progress,
    ).outcomes
    return {name: quantity(metric, outcomes[name].quantized) for name, metric in metrics.items()}


def _made(making: Making, step: str) -> Result:
    """The model after that step and those before it."""
    recipe, model = making.recipe, making.plan.quantization.model
    last = [each.id for each in recipe.steps].index(step)
    steps = make_steps(recipe)[: last + 1]
    samples = Calibration(dataset=making.datasets["calibration"])
    target = load_target(recipe.target.path or recipe.target.name)
    with mapped_errors(f"make the model of step {step!r}", samples.dataset.records.path):
        shorter = resolve(model, steps, target)
        statistics = collect(shorter, samples, store=making.kept.statistics)
        return apply(shorter, statistics, samples)
