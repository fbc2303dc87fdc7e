"""The ladder: what is tried, in the order of the best practices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quant.graph import view
from quant.placement.attention import first_attention
from quant.plan import Status
from quant.steps.order import ACCURACY_AWARE, COMPOSITES, DEFAULT
from runner.advise.change import Change, Changes, of_parameters
from runner.expect.check import Check
from runner.measured import count
from runner.plan import Plan
from runner.recipe.ignore import ignoring_step
from runner.recipe.recipe import Recipe, StepSource
from runner.run import Run
from runner.sensitivity import SHARE, TIMES

ENOUGH = 300
"""Samples that suffice in most cases. Source: POT's best practices."""

WIDEST = {"aggregator": "max", "type": "abs_max"}
"""POT's example of a range estimator: the largest magnitude of all samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the ladder stands: the best recipe so far, what it is, and what it measured."""

    recipe: Recipe
    plan: Plan
    run: Run
    limits: tuple[Check, ...]

    @property
    def step(self) -> StepSource:
        """The step that quantizes."""
        return self.recipe.steps[ignoring_step(self.recipe)]

    @property
    def given(self) -> Mapping[str, Any]:
        """Its parameters, as they are written by now."""
        return self.step.parameters

    def change(self, *keys: str, value: Any, is_more: bool = False) -> Change:
        """A parameter of the step changed."""
        return Change(path=self.path(*keys), value=value, is_more=is_more)

    def path(self, *keys: str) -> tuple[str, ...]:
        """Where a parameter of the step stands."""
        return ("steps", self.step.id, "with", *keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """Alternatives to try, by a word for each, or the reason why there are none."""

    name: str
    attempts: Mapping[str, Changes] = field(default_factory=dict)
    skipped: str = ""


def mixed_preset(at: Standing) -> Rung:
    """Asymmetric activations."""
    name = "mixed preset"
    preset = at.given.get("preset", "performance")
    if preset != "performance":
        return Rung(name=name, skipped=f"the preset is {preset} already")
    return Rung(name=name, attempts={"": (at.change("preset", value="mixed"),)})


def full_bias_correction(at: Standing) -> Rung:
    """BiasCorrection, which measures what quantized layers do to the means."""
    name = "full bias correction"
    if at.step.use not in COMPOSITES:
        return Rung(name=name, skipped=f"{at.step.use} corrects no biases")
    if at.given.get("use_bias_correction") is False:
        return Rung(name=name, skipped="the recipe leaves biases as they are")
    if at.given.get("use_fast_bias") is False:
        return Rung(name=name, skipped="it is on already")
    return Rung(name=name, attempts={"": (at.change("use_fast_bias", value=False),)})


def model_type(at: Standing) -> Rung:
    """What attention is sensitive to stays in floating point."""
    name = "model type"
    if "model_type" in at.given:
        return Rung(name=name, skipped=f"it is {at.given['model_type']} already")
    if first_attention(view(at.plan.quantization.model)) is None:
        return Rung(name=name, skipped="the model has no attention")
    return Rung(name=name, attempts={"": (at.change("model_type", value="transformer"),)})


def range_estimator(at: Standing) -> Rung:
    """Ranges of activations that hold more, or fewer, of the largest values."""
    name = "range estimator"
    if "range_estimator" in at.given or "range_estimator" in at.given.get("activations", {}):
        return Rung(name=name, skipped="the recipe has one already")
    keys = ("activations", "range_estimator")
    widest = tuple(at.change(*keys, "max", key, value=value) for key, value in WIDEST.items())
    presets = {each: (at.change(*keys, "preset", value=each),) for each in ("mse", "histogram")}
    return Rung(name=name, attempts={"widest": widest, **presets})


def more_samples(at: Standing) -> Rung:
    """Statistics of more calibration samples."""
    name = "more samples"
    available = at.plan.datasets["calibration"].samples
    size = at.given.get("stat_subset_size", available)
    if size >= available:
        return Rung(name=name, skipped=f"all {available} calibration samples are used already")
    more = min(available, max(ENOUGH, 2 * size))
    change = at.change("stat_subset_size", value=more)
    return Rung(name=name, attempts={str(more): (change,)})


def ignored_layers(at: Standing) -> Rung:
    """Layers that make most of the noise in floating point: the worst, or all that stand out."""
    name = "ignored layers"
    worst = () if at.run.diagnosis is None else at.run.diagnosis.worst
    least = max(SHARE, TIMES / max(1, count(at.run.result, Status.QUANTIZED)))
    names = [each.name for each in worst if (each.noise_share or 0) >= least]
    if not names:
        return Rung(name=name, skipped="no operation makes far more noise than the others")
    attempts = {
        str(size): (at.change("ignored", "scope", value=names[:size], is_more=True),)
        for size in (1, len(names))
    }
    return Rung(name=name, attempts=attempts)


def accuracy_aware(at: Standing) -> Rung:
    """As few operations in floating point as the limit takes."""
    return _searched(at, "accuracy-aware")


def tuning(at: Standing) -> Rung:
    """The same, after parameters that the recipe leaves open were chosen by comparing models."""
    name, change = "tuning", at.change("tune_hyperparams", value=True)
    if at.given.get("tune_hyperparams") is True:
        return Rung(name=name, skipped="the recipe tunes already")
    if at.step.use == ACCURACY_AWARE:
        return Rung(name=name, attempts={"": (change,)})
    return _searched(at, name, change)


def _searched(at: Standing, name: str, *more: Change) -> Rung:
    """The limit that is told to AccuracyAwareQuantization is the tightest of one kind; whether all
    are kept is judged as everywhere."""
    if at.step.use != DEFAULT:
        return Rung(name=name, skipped=f"the recipe's step is {at.step.use}")
    kind = at.limits[0].drop_type
    limits = [each for each in at.limits if each.drop_type == kind]
    asked = {
        "maximal_drop": min(each.bound for each in limits),
        "drop_type": kind,
        "metrics": list(dict.fromkeys(each.metric for each in limits)),
    }
    values = [at.change(key, value=value) for key, value in asked.items()]
    use = Change(path=("steps", at.step.id, "use"), value=ACCURACY_AWARE)
    identity = Change(path=("steps", at.step.id, "id"), value=at.step.id)
    return Rung(name=name, attempts={"": (*more, *values, identity, use)})


LADDER: tuple[Callable[[Standing], Rung], ...] = (
    mixed_preset,
    full_bias_correction,
    model_type,
    range_estimator,
    more_samples,
    ignored_layers,
    accuracy_aware,
    tuning,
)


def lasting(at: Standing, changes: Changes, run: Run) -> Changes:
    """The changes that make the model of a run again: of a search, what it has found."""
    if run.control is None or at.step.use == ACCURACY_AWARE:
        return changes
    found = run.control.candidate.parameters()
    written = at.given.get("preset", "performance")
    if found["preset"] == written:
        del found["preset"]
    return tuple(of_parameters(at.path(), found))
