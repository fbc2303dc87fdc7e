"""Accuracy control of a recipe: AccuracyAwareQuantization, judged by the recipe's own metrics."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from quant.control.control import ControlResult, Judge, control
from quant.control.entry import expect_reached
from quant.control.parameters import AccuracyAwareParameters, OnMiss
from quant.control.search import Stop
from quant.control.verdict import Verdict
from quant.errors import DropMissed, EvaluationError
from quant.runtime import ov
from quant.statistics.passes import Samples
from runner import plan_json
from runner.cache.kept import Kept
from runner.cache.keys import Keys
from runner.data.digest import data_digest
from runner.data.open import Selection
from runner.errors import LimitMissed, Problem, RecipeError
from runner.expect.check import Check
from runner.expect.estimate import Question, estimate
from runner.expect.quantity import Quantities, Reference
from runner.expect.subjects import Noise
from runner.expect.verdict import Status
from runner.foreign_errors import mapped_errors
from runner.judge import NoDropError, NotConfidentError, make_judge
from runner.plan import ControlPlan, Plan, controlled_step
from runner.progress import Progress
from runner.recipe.recipe import Recipe
from runner.report.report import Control
from runner.subjects import make_metrics
from runner.trials import TrialFile
from runner.tuning import make_tuner
from runner.workshop import make_workshop

Datasets = Mapping[str, Selection]


@dataclass(slots=True)
class _Counted:
    """A judge that tells how many models it has seen."""

    judge: Judge
    progress: Progress
    done: int = field(default=0)

    def __call__(self, model: ov.Model) -> Verdict:
        self._count()
        return self.judge(model)

    def hardest(self, model: ov.Model, share: float, most: int | None) -> Sequence[int]:
        self._count()
        return self.judge.hardest(model, share, most)

    def decide(self, model: ov.Model, suspects: Sequence[int]) -> Verdict:
        self._count()
        return self.judge.decide(model, suspects)

    def on(self, model: ov.Model, subset: Sequence[int]) -> Verdict:
        self._count()
        return self.judge.on(model, subset)

    def _count(self) -> None:
        self.progress("control", self.done, None)
        self.done += 1


def run_control(
    plan: Plan,
    recipe: Recipe,
    datasets: Datasets,
    samples: Samples,
    kept: Kept,
    progress: Progress,
    *,
    started: float,
) -> ControlResult:
    """The model within the recipe's limit, or the nearest to it.

    Args:
        samples: those of the calibration.
        kept: holds the statistics of the plan, in which nothing is reverted.
        started: when the budget began to be spent, in seconds of `time.perf_counter`.

    Raises:
        LimitMissed: with `on_miss: fail`.
        RecipeError: a metric has nothing to drop from.
        RunError: the model, a device or a sample fails.
    """
    position = controlled_step(recipe)
    assert position is not None
    workshop = make_workshop(plan, recipe, samples, kept)
    given = workshop.parameters
    assert isinstance(given, AccuracyAwareParameters)
    data = datasets["calibration"].records.path
    with mapped_errors("run accuracy control", data), _located(recipe, position):
        judge = make_judge(
            plan.quantization.model,
            datasets["validation"],
            make_metrics(recipe),
            given,
            device=plan.device,
            baseline=kept.baseline,
        )
        journal = trial_file(plan, recipe, datasets)
        tuner = None
        if plan.tuning:
            tuner = make_tuner(
                workshop,
                datasets["validation"],
                judge.metrics,
                device=plan.device,
                baseline=None if given.annotation_free else kept.baseline,
                progress=progress,
            )
        found = control(workshop, _Counted(judge, progress), journal, tuner, started=started)
        if given.on_miss is OnMiss.FAIL:
            expect_reached(found)
    return found


def control_checks(
    plan: Plan,
    recipe: Recipe,
    found: ControlResult | None,
    fp32: Quantities,
    measured: Quantities,
) -> tuple[Check, ...]:
    """The limit as a check, for every metric that it holds for.

    Args:
        fp32, measured: what the report has of both models. A model that was given up before all
            samples were read is judged by that.
    """
    position = controlled_step(recipe)
    if found is None or plan.control is None or position is None:
        return ()
    step, limit = recipe.steps[position].id, plan.control.maximal_drop
    drops = _drops(plan, plan.control, found.verdict, fp32, measured)
    where = str(recipe.locate("steps", position, "with", "maximal_drop"))
    return tuple(
        Check(
            id=step if len(drops) == 1 else f"{step}.{name}",
            status=Status.PASS if drop <= limit else Status.FAIL,
            metric=name,
            kind="max_drop",
            value=drop,
            bound=limit,
            where=where,
            message=_message(name, drop, plan.control, found),
            drop_type=plan.control.drop_type,
        )
        for name, drop in drops.items()
    )


def _drops(
    plan: Plan, wanted: ControlPlan, found: Verdict, fp32: Quantities, measured: Quantities
) -> Mapping[str, float]:
    """The drops on all samples; without labels, on those that were read."""
    is_free = wanted.annotation_conf_threshold is not None
    if is_free or found.samples in (None, plan.datasets["validation"].samples):
        return found.drops
    kind = Question(kind="max_drop", noise=Noise.SAMPLES, drop_type=wanted.drop_type)
    given = {
        name: replace(fp32[name], value=value, parts=())
        for name, value in wanted.baseline_value.items()
    }
    reference = Reference(name="FP32", quantities={**fp32, **given})
    known = {name: estimate(kind, measured[name], reference, name).value for name in found.drops}
    return {name: math.inf if value is None else value for name, value in known.items()}


def _message(name: str, drop: float, wanted: ControlPlan, found: ControlResult) -> str:
    return (
        f"{wanted.drop_type} drop of {name} is {drop:.6g}, expected at most "
        f"{wanted.maximal_drop:.6g}, with {len(found.reverted)} operations reverted after "
        f"{len(found.trials)} models: {found.reason}"
    )


def trial_file(plan: Plan, recipe: Recipe, datasets: Datasets) -> TrialFile:
    """Where the trials of this very run are kept: beside its results."""
    keys = Keys.of(plan)
    calibration, validation = datasets["calibration"], datasets["validation"]
    assert plan.control is not None
    endless = dataclasses.replace(plan.control, **_ENDS)
    parts = [
        plan_json.digest(dataclasses.replace(plan, control=endless)),
        [_lasting(each.parameters) for each in recipe.steps],
        keys.statistics(recipe.datasets["calibration"], calibration),
        keys.baseline(data_digest(recipe.datasets["validation"], validation), recipe.metrics),
    ]
    text = json.dumps(parts, sort_keys=True, default=str)
    return TrialFile(
        path=trial_path(recipe),
        key=hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
    )


_ENDS: dict[str, Any] = {"budget_minutes": None, "max_iter_num": None, "on_miss": ""}
"""What ends a search, and changes no trial of it: with more of it, the same search goes on."""


def _lasting(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in parameters.items() if key not in _ENDS}


def forget_trials(recipe: Recipe, found: Control | None) -> None:
    """Removes the file of the trials, unless a larger budget could go on from them."""
    if found is None or found.reason != Stop.BUDGET:
        trial_path(recipe).unlink(missing_ok=True)


def trial_path(recipe: Recipe) -> Path:
    """The file of the trials."""
    folder = recipe.outputs.dir
    return folder.parent / f".{folder.name}.trials.jsonl"


@contextmanager
def _located(recipe: Recipe, position: int) -> Iterator[None]:
    """Errors of the control at the step that asks for it."""
    at = ("steps", position, "with")
    try:
        yield
    except NoDropError as error:
        name = error.args[0]
        message = f"the metric {name!r} has no finite value of FP32 that it could drop from"
        hint = "name the metrics that the limit holds for, as in metrics: [accuracy]"
        raise RecipeError([Problem(recipe.locate(*at, "metrics"), message, hint)]) from error
    except NotConfidentError as error:
        message = f"FP32 is surer than {error.args[0]:.6g} of no sample's class"
        hint = "lower annotation_conf_threshold"
        place = recipe.locate(*at, "annotation_conf_threshold")
        raise RecipeError([Problem(place, message, hint)]) from error
    except EvaluationError as error:
        raise RecipeError([Problem(recipe.locate(*at, "drop_type"), str(error))]) from error
    except DropMissed as error:
        raise LimitMissed(str(error), recipe.locate(*at, "maximal_drop")) from error
