"""How much each quantized operation harms a recipe's model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quant.control.candidate import blocks
from quant.control.parameters import Unit
from quant.diagnosis.diagnose import Diagnosis
from runner.cache.cache import Cache
from runner.cache.kept import open_kept
from runner.errors import Problem, RecipeError
from runner.metric_sensitivity import ByMetric, metric_drops
from runner.plan import Plan, make_plan
from runner.progress import Progress, silent
from runner.recipe.recipe import Recipe
from runner.report.numbers import finite
from runner.requirements import Parts
from runner.run import diagnose_run, quantize
from runner.subjects import open_datasets

SHARE, TIMES = 0.1, 2
"""An operation stands out that makes this share of the noise, and so many times the even one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationHarm:
    """A quantized operation, its noise as `quant.LayerDiagnosis` has it; what has no finite value
    is None.

    Attributes:
        block: the first of the operations that share ranges of activations with it.
        block_noise_share: of all of these together.
        drop: of the metric; with the operation, or its block, alone quantized, or what is gained
            where that alone is not.
    """

    name: str
    type: str
    block: str
    noise_share: float | None
    block_noise_share: float | None
    sqnr_db: float | None
    own_sqnr_db: float | None
    weights_share: float | None
    drop: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """All quantized operations of a recipe's model, the most harmful first.

    `samples`: how many calibration samples the noise was measured on, and how many validation
    samples the metric.
    """

    recipe: str
    target: str
    operations: tuple[OperationHarm, ...]
    samples: int
    metric: str | None = None
    metric_samples: int = 0

    def worst(self, top: int | None) -> tuple[OperationHarm, ...]:
        """The first `top` operations; where that is None, those that stand out."""
        if top is not None:
            return self.operations[:top]
        least = max(SHARE, TIMES / max(1, len(self.operations)))
        return tuple(each for each in self.operations if (each.noise_share or 0) >= least)


def measure_sensitivity(
    recipe: Recipe,
    *,
    by_metric: ByMetric | None = None,
    cache: Cache | None = None,
    progress: Progress = silent,
) -> Sensitivity:
    """The harm of every quantized operation, from one pass over 32 calibration samples; by metric,
    from one evaluation for each operation.

    Raises:
        RecipeError: there is nothing to measure on, or a value does not suit the model.
        RunError: the model, a device or a sample fails.
    """
    _expect_data(recipe, by_metric)
    progress("load", 0, None)
    plan = make_plan(recipe, parts=Parts(evaluate=by_metric is not None, benchmark=False))
    datasets = open_datasets(recipe, plan.quantization.model)
    kept = open_kept(cache, plan, recipe, datasets)
    searchless = dataclasses.replace(plan, control=None, tuning=())
    result = quantize(searchless, recipe, datasets, kept, {}, progress).result
    diagnosis = diagnose_run(result, datasets, {}, progress, clipping=False)
    found_blocks = _blocks(plan, diagnosis)
    harm = _noise(diagnosis, found_blocks)
    if by_metric is None or not harm:
        return _sensitivity(plan, harm, diagnosis)
    groups: Mapping[str, tuple[str, ...]] = {each.name: (each.name,) for each in harm}
    if by_metric.unit is Unit.BLOCK:
        groups = {each.block: found_blocks[each.block] for each in harm}
    found = metric_drops(plan, recipe, datasets, groups, by_metric, progress)
    harm = [dataclasses.replace(each, drop=found.drops[each.name]) for each in harm]
    harm.sort(key=lambda each: -(each.drop or 0))  # equal ones stay in the order of their noise
    made = _sensitivity(plan, harm, diagnosis)
    return dataclasses.replace(made, metric=found.metric, metric_samples=found.samples)


def _expect_data(recipe: Recipe, by_metric: ByMetric | None) -> None:
    if "calibration" not in recipe.datasets:
        message = "noise is measured on calibration data, and the recipe has none"
        raise RecipeError([Problem(recipe.locate("datasets"), message)])
    if by_metric is not None and not recipe.metrics:
        message = "the recipe evaluates no metric"
        raise RecipeError([Problem(recipe.locate("evaluate"), message)])


def _sensitivity(
    plan: Plan, harm: Sequence[OperationHarm], diagnosis: Diagnosis | None
) -> Sensitivity:
    return Sensitivity(
        recipe=plan.recipe,
        target=plan.target,
        operations=tuple(harm),
        samples=0 if diagnosis is None else diagnosis.sample_count,
    )


def _blocks(plan: Plan, diagnosis: Diagnosis | None) -> Mapping[str, tuple[str, ...]]:
    """The blocks of quantized operations, by the first of each."""
    layers = () if diagnosis is None else diagnosis.layers
    return blocks(plan.quantization, [each.name for each in layers])


def _noise(
    diagnosis: Diagnosis | None, found_blocks: Mapping[str, tuple[str, ...]]
) -> list[OperationHarm]:
    """By their share of the noise; last, those of which that is not known."""
    if diagnosis is None:
        return []
    first = {name: block for block, names in found_blocks.items() for name in names}
    known = {each.name: each.noise_share for each in diagnosis.worst}
    shares = {
        block: sum(known.get(name) or 0.0 for name in names) if known.keys() & names else None
        for block, names in found_blocks.items()
    }
    unknown = [each for each in diagnosis.layers if each.noise_share is None]
    return [
        OperationHarm(
            name=each.name,
            type=each.type,
            block=first[each.name],
            noise_share=each.noise_share,
            block_noise_share=shares[first[each.name]],
            sqnr_db=finite(each.sqnr_db),
            own_sqnr_db=finite(each.own_sqnr_db),
            weights_share=each.weights_share,
            note=each.reason,
        )
        for each in (*diagnosis.worst, *unknown)
    ]
