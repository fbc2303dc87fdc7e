"""Plan: everything about a run that does not depend on data, for one recipe, model and target.

A Plan holds no folder, so that the same recipe, model and machine give the same text anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from quant.control.axes import free_axes
from quant.control.candidate import precisions
from quant.control.parameters import AccuracyAwareParameters
from quant.entry import inferring, resolve
from quant.errors import LoadError, ParameterError
from quant.load import load_model
from quant.parameter_reader import read_parameters
from quant.plan import QuantPlan
from quant.runtime import ov
from quant.steps.order import ACCURACY_AWARE
from quant.target import Target
from runner.data.open import Selection
from runner.errors import Problem, RecipeError
from runner.expect.emulated import speed_problems
from runner.expect.subjects import FP32
from runner.expect.when import unmet
from runner.facts import facts
from runner.foreign_errors import located, mapped_errors
from runner.metrics.agreement import NAME as AGREEMENT
from runner.model_digest import expect_digest, model_digest
from runner.plan_notes import plan_notes
from runner.recipe.recipe import BenchmarkSource, MetricSource, Recipe
from runner.requirements import ALL, Device, Parts, check_requirements, choose_device
from runner.subjects import make_metrics, make_steps, open_datasets
from runner.targets import load_target

TUNE = "tune_hyperparams"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetPlan:
    """A dataset: how many samples there are, and how many were asked for (None: all).

    `settings`: the dataset as written, without folders of this machine.
    """

    samples: int
    requested: int | None = None
    has_labels: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPlan:
    """A metric with its own options. `is_share`: whether it is a share of the samples."""

    metric: str
    higher_is_better: bool
    is_share: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlan:
    """An expectation without its place. `unmet`: the condition that does not hold here."""

    id: str
    metric: str
    kind: str
    bound: float
    drop_type: str
    against: str = FP32
    confidence: float | None = None
    severity: str = "error"
    unmet: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlan:
    """What AccuracyAwareQuantization will look for; `metrics`: those that the limit holds for.

    The quantization that is planned is that with nothing reverted.
    """

    metrics: tuple[str, ...]
    maximal_drop: float
    drop_type: str
    revert_to: tuple[str, ...]
    unit: str
    restore_mode: str = "activations_and_weights"
    convert_to_mixed_preset: bool = False
    baseline_value: Mapping[str, float] = field(default_factory=dict)
    annotation_conf_threshold: float | None = None
    metric_subset_ratio: float | None = None
    ranking_subset_size: int | None = None
    max_iter_num: int | None = None
    budget_minutes: float | None = None
    on_miss: str = "keep_best"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do.

    Attributes:
        device: the OpenVINO device that both models are evaluated on.
        emulated: whether that device stands in for the target's, which is not on this machine.
        model_sha256: of the model's files; see `model_digest`.
        inputs: the static shapes that the recipe gives.
        datasets, metrics: by role and by name.
        benchmark: None also where speed is not measured for this target.
        control: None where no step controls the accuracy.
        tuning: what is chosen by comparing models; the quantization that is planned is that before.
        notes: what a user should know beforehand.
    """

    recipe: str
    target: str
    device: str
    emulated: bool
    model_sha256: str
    inputs: Mapping[str, tuple[int, ...]]
    quantization: QuantPlan
    datasets: Mapping[str, DatasetPlan]
    metrics: Mapping[str, MetricPlan]
    benchmark: BenchmarkSource | None
    checks: tuple[CheckPlan, ...]
    control: ControlPlan | None = None
    tuning: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def make_plan(recipe: Recipe, *, parts: Parts = ALL) -> Plan:
    """The plan of a recipe; nothing is inferred.

    Raises:
        RecipeError: a value does not suit the model or the target.
        MissingError: this machine lacks something; found before the model is loaded.
        RunError: the model or a dataset can't be read.
    """
    _expect_runnable(recipe)
    target = load_target(recipe.target.path or recipe.target.name)
    device = choose_device(target)
    if impossible := tuple(speed_problems(recipe, target)):
        raise RecipeError(impossible)
    checks = _checks(recipe, device)
    active = [each for each, check in zip(recipe.expect, checks, strict=True) if not check.unmet]
    check_requirements(replace(recipe, expect=tuple(active)), target, device, parts)
    digest, quantization = _digest_and_resolve(recipe, target)
    datasets = _datasets(recipe, quantization.model)
    plan = Plan(
        recipe=recipe.name,
        target=target.name,
        device=device.name,
        emulated=device.emulated,
        model_sha256=digest,
        inputs=recipe.model.inputs,
        quantization=quantization,
        datasets=datasets,
        metrics=_metrics(recipe, datasets) if parts.evaluate else {},
        benchmark=recipe.benchmark if parts.benchmark and not device.emulated else None,
        checks=checks,
        control=_control(recipe, target),
        tuning=_tuning(recipe),
    )
    asked = max((size or 0 for size in _subset_sizes(plan)), default=0)
    notes = plan_notes(plan, recipe, target, samples=calibration_count(plan), asked=asked)
    return replace(plan, notes=tuple(notes))


def calibration_count(plan: Plan) -> int:
    """How many samples the one calibration pass reads at most."""
    if "calibration" not in plan.datasets:
        return 0
    available = plan.datasets["calibration"].samples
    return max((min(size or available, available) for size in _subset_sizes(plan)), default=0)


def _expect_runnable(recipe: Recipe) -> None:
    if recipe.abstract:
        message = "an abstract recipe is a base for others and is never run"
        raise RecipeError([Problem(recipe.locate("abstract"), message)])


def _digest_and_resolve(recipe: Recipe, target: Target) -> tuple[str, QuantPlan]:
    """The model's digest, and meanwhile its plan; a pinned model is not loaded before it is known
    to be the one."""
    with ThreadPoolExecutor(1) as pool:
        digest = pool.submit(model_digest, recipe.model.path)
        if recipe.model.sha256 is not None:
            expect_digest(recipe, digest.result())
        quantization = _resolve(recipe, load(recipe), target)
        return digest.result(), quantization


def load(recipe: Recipe) -> ov.Model:
    """The recipe's model, with the shapes that it gives to inputs.

    Raises:
        RecipeError: the shapes don't suit the model.
        ModelError: it can't be read.
    """
    path, shapes = recipe.model.path, recipe.model.inputs
    with mapped_errors(f"read the model {path}"):
        try:
            return load_model(path, inputs=shapes)
        except LoadError as error:
            if shapes:
                _blame_shapes(recipe, error)
            raise


def _blame_shapes(recipe: Recipe, error: LoadError) -> None:
    """Blames model.inputs where the model loads without them."""
    try:
        model = load_model(recipe.model.path)
    except LoadError:
        return
    known = {name for port in model.inputs for name in port.get_names()}
    unknown = [name for name in recipe.model.inputs if name not in known][:1]
    place = recipe.locate("model", "inputs", *unknown)
    raise RecipeError([Problem(place, str(error))]) from error


def _resolve(recipe: Recipe, model: ov.Model, target: Target) -> QuantPlan:
    steps = make_steps(recipe)
    try:
        return resolve(model, steps, target)
    except ParameterError as error:
        raise located(error, recipe) from error


def _datasets(recipe: Recipe, model: ov.Model) -> dict[str, DatasetPlan]:
    written = recipe.document.get("datasets", {})
    opened = open_datasets(recipe, model)
    return {role: _dataset(data, written.get(role, {})) for role, data in opened.items()}


def _dataset(data: Selection, written: Mapping[str, Any]) -> DatasetPlan:
    return DatasetPlan(
        samples=len(data),
        requested=data.requested,
        has_labels=data.has_labels,
        settings={key: _without_folder(value) for key, value in written.items()},
    )


def _without_folder(value: Any) -> Any:
    """The last part of an absolute path; anything else as it is."""
    is_path = isinstance(value, str) and PurePath(value).is_absolute()
    return PurePath(value).name if is_path else value


def _metrics(recipe: Recipe, datasets: Mapping[str, DatasetPlan]) -> dict[str, MetricPlan]:
    made = make_metrics(recipe)
    has_labels = "validation" in datasets and datasets["validation"].has_labels
    unlabelled = [s for s in recipe.metrics if made[s.name].needs_labels and not has_labels]
    if unlabelled:
        raise RecipeError(_without_labels(recipe, source) for source in unlabelled)
    return {
        source.name: MetricPlan(
            metric=source.metric,
            higher_is_better=made[source.name].higher_is_better,
            is_share=made[source.name].is_share,
            options=source.options,
        )
        for source in recipe.metrics
    }


def _without_labels(recipe: Recipe, source: MetricSource) -> Problem:
    return Problem(
        recipe.locate("evaluate", "metrics", source.name, "metric"),
        f"the metric {source.metric!r} needs labels, and the validation data has none",
        "without labels use `metric: agreement`, which compares with the FP32 model",
    )


def _checks(recipe: Recipe, device: Device) -> tuple[CheckPlan, ...]:
    found = facts(recipe, device)
    return tuple(
        CheckPlan(
            id=each.id,
            metric=each.metric,
            kind=each.kind,
            bound=each.bound,
            drop_type=each.drop_type,
            against=each.against,
            confidence=each.confidence,
            severity=each.severity.value,
            unmet=unmet(each.when, found),
        )
        for each in recipe.expect
    )


def _control(recipe: Recipe, target: Target) -> ControlPlan | None:
    position = controlled_step(recipe)
    if position is None:
        return None
    given = read_parameters(AccuracyAwareParameters, recipe.steps[position].parameters, position)
    names = given.metrics or tuple(source.name for source in recipe.metrics)
    try:
        reverting = precisions(given, target, position)
    except ParameterError as error:
        raise located(error, recipe) from error
    return ControlPlan(
        metrics=(AGREEMENT,) if given.annotation_free else names,
        maximal_drop=given.maximal_drop,
        drop_type=given.drop_type.value,
        revert_to=tuple(each.value for each in reverting),
        unit=given.unit.value,
        restore_mode=given.restore_mode.value,
        convert_to_mixed_preset=given.convert_to_mixed_preset,
        baseline_value=given.baseline_value,
        annotation_conf_threshold=(
            given.annotation_conf_threshold if given.annotation_free else None
        ),
        metric_subset_ratio=given.metric_subset_ratio,
        ranking_subset_size=given.ranking_subset_size,
        max_iter_num=given.max_iter_num,
        budget_minutes=given.budget_minutes,
        on_miss=given.on_miss.value,
    )


def controlled_step(recipe: Recipe) -> int | None:
    """The position of the step AccuracyAwareQuantization, where there is one."""
    return next((i for i, s in enumerate(recipe.steps) if s.use == ACCURACY_AWARE), None)


def searched_step(recipe: Recipe) -> int | None:
    """The position of the step whose model is searched: it controls the accuracy, or tunes."""
    return next(
        (
            i
            for i, step in enumerate(recipe.steps)
            if step.use == ACCURACY_AWARE or step.parameters.get(TUNE) is True
        ),
        None,
    )


def _tuning(recipe: Recipe) -> tuple[str, ...]:
    position = searched_step(recipe)
    written = {} if position is None else recipe.steps[position].parameters
    return tuple(each.name for each in free_axes(written)) if written.get(TUNE) is True else ()


def _subset_sizes(plan: Plan) -> list[int | None]:
    """Of the steps that live on the calibration pass."""
    again = inferring(plan.quantization)
    named = zip(plan.quantization.step_names, plan.quantization.steps, strict=True)
    return [step.subset.size for name, step in named if name not in again]
