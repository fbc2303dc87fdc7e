"""`sweep`: a recipe measured at many points, so that the best of accuracy and speed can be seen."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from cattrs.preconf.json import make_converter
from filelock import FileLock, Timeout

from quant.plan import Status
from runner import plan_json
from runner.cache.cache import Cache
from runner.cache.keys import Keys
from runner.data import extras
from runner.document.edits import Edit
from runner.document.names import listed, suggest
from runner.errors import DocumentError, Problem, RecipeError, RunnerError, UsageError
from runner.measure import measure
from runner.measured import count
from runner.metrics.make import make_metric
from runner.plan import Plan, make_plan
from runner.progress import Progress, silent
from runner.recipe.recipe import MetricSource, Recipe
from runner.requirements import Parts
from runner.run import Run
from runner.subjects import open_datasets
from runner.sweep.front import Pair, pareto_front
from runner.sweep.result import SCHEMA, SweepResult, SweepTrial
from runner.sweep.space import (
    Axis,
    Point,
    edits_at,
    expect_distinct,
    sample_points,
    values_at,
)

MOST_CHECKED = 256
"""Points that are read beforehand; of larger sweeps one for each value."""

STUDY, RESULT, PICTURE = "study.jsonl", "sweep.json", "pareto.svg"
LOCK = ".lock"

ReadAt = Callable[[Sequence[Edit]], Recipe]
"""The recipe with edits made."""

_CONVERTER = make_converter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How far a sweep goes: `trials` in all, and no one begins after so many minutes."""

    axes: tuple[Axis, ...]
    trials: int = 20
    minutes: float | None = None
    metric: str | None = None
    seed: int = 0
    benchmark: bool = True


def sweep(
    read_at: ReadAt,
    asked: Asked,
    *,
    cache: Cache | None = None,
    progress: Progress = silent,
) -> SweepResult:
    """The recipe measured at points of the axes; an interrupted sweep goes on where it was.

    Raises:
        MissingExtra: optuna is not installed.
        RecipeError: the recipe can't be read, or planned, at some point; told before anything runs.
        RunError: FP32 itself can't be run.
        UsageError: another sweep of the recipe is running.
    """
    absent = extras.missing(extras.SEARCH, "recipe sweep")
    if absent is not None:
        raise absent
    from runner.sweep.study import open_study

    started = time.perf_counter()
    expect_distinct(asked.axes)
    recipe = read_at(())
    parts = Parts(benchmark=asked.benchmark, diagnose=False)
    plan = _checked_plan(read_at, recipe, asked, parts)
    source = _metric(recipe, asked.metric)
    folder = sweep_folder(recipe)
    with _alone(folder):
        study = open_study(folder / STUDY, _key(plan, recipe, asked), asked.axes, asked.seed)
        reason = "all trials are done"
        for point, trial in study.points(asked.trials):
            done = len(study.done())
            if asked.minutes is not None and done and _minutes(started) >= asked.minutes:
                reason = "the time is over; the same command goes on"
                break
            progress("trial", done, asked.trials)
            found = _trial(read_at, asked, point, source, parts, cache)
            study.tell(point, trial, _CONVERTER.unstructure(found), _pair(found, source, plan))
        trials = tuple(_CONVERTER.structure(dict(each.record), SweepTrial) for each in study.done())
        result = _result(recipe, plan, asked, source, trials, reason, folder)
        _write(result, folder)
        return result


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The use of the folder, which one process has at a time; a sweep gives up trials that it
    takes for interrupted, and they may be another's that are running.

    Raises:
        UsageError: another sweep of the recipe is running.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout as error:
        message = f"another sweep of this recipe is running; it writes to {str(folder)!r}"
        raise UsageError(message) from error


def sweep_folder(recipe: Recipe) -> Path:
    """Where a sweep's files are: beside the recipe's results."""
    folder = recipe.outputs.dir
    return folder.with_name(f"{folder.name}-sweep")


def _checked_plan(read_at: ReadAt, recipe: Recipe, asked: Asked, parts: Parts) -> Plan:
    """The recipe's own plan, after it was read at many points, and planned once for each value."""
    problems: list[Problem] = []
    points = sample_points(asked.axes, MOST_CHECKED)
    recipes: dict[Point, Recipe] = {}
    for point in points:
        try:
            recipes[point] = read_at(edits_at(asked.axes, point))
        except DocumentError as error:
            problems += error.problems
    if problems:
        raise RecipeError(problems)
    plan = make_plan(recipe, parts=parts)
    for point in sample_points(asked.axes, 1):
        try:
            make_plan(read_at(edits_at(asked.axes, point)), parts=parts)
        except DocumentError as error:
            problems += error.problems
    if problems:
        raise RecipeError(problems)
    return plan


def _metric(recipe: Recipe, name: str | None) -> MetricSource:
    """The metric that is compared: the one of that name, or the first."""
    names = [each.name for each in recipe.metrics]
    if not names:
        message = "a sweep compares accuracy, and the recipe evaluates no metric"
        hint = "without labels use `metric: agreement`, which compares with the FP32 model"
        raise RecipeError([Problem(recipe.locate("evaluate"), message, hint)])
    if name is not None and name not in names:
        message = f"unknown metric {name!r}; expected {listed(names)}{suggest(name, names)}"
        raise UsageError(message)
    return next(each for each in recipe.metrics if name in (None, each.name))


def _key(plan: Plan, recipe: Recipe, asked: Asked) -> str:
    """The name of the study: a digest of all that its results follow from."""
    datasets = open_datasets(recipe, plan.quantization.model)
    keys = Keys.of(plan)
    parts = [
        plan_json.digest(plan),
        [each.parameters for each in recipe.steps],
        [keys.statistics(recipe.datasets[role], data) for role, data in datasets.items()],
        [[axis.name, axis.range, [axis.value(key) for key in axis.ends()]] for axis in asked.axes],
        [asked.metric, asked.seed, asked.benchmark],
    ]
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _minutes(started: float) -> float:
    return (time.perf_counter() - started) / 60


def _trial(
    read_at: ReadAt,
    asked: Asked,
    point: Point,
    source: MetricSource,
    parts: Parts,
    cache: Cache | None,
) -> SweepTrial:
    """The recipe at one point; an error there is a part of the result."""
    started, values = time.perf_counter(), values_at(asked.axes, point)
    try:
        found = measure(read_at(edits_at(asked.axes, point)), parts=parts, cache=cache)
    except RunnerError as error:
        return _failed(values, time.perf_counter() - started, error)
    return _measured(values, time.perf_counter() - started, found, source)


def _measured(
    values: dict[str, object], seconds: float, run: Run, source: MetricSource
) -> SweepTrial:
    speed = run.performance
    return SweepTrial(
        values=values,
        metric=run.metrics[source.name],
        speedup=None if speed is None else speed.speedup,
        size_ratio=run.size.ratio,
        quantized_operations=count(run.result, Status.QUANTIZED),
        seconds=seconds,
    )


def _failed(values: dict[str, object], seconds: float, error: RunnerError) -> SweepTrial:
    return SweepTrial(
        values=values,
        metric=None,
        speedup=None,
        size_ratio=None,
        quantized_operations=0,
        seconds=seconds,
        error=str(error).splitlines()[0],
    )


def _objective(plan: Plan) -> str:
    return "size_ratio" if plan.benchmark is None else "speedup"


def _pair(trial: SweepTrial, source: MetricSource, plan: Plan) -> Pair | None:
    """The metric, and the speed or the size, turned so that higher is better."""
    if trial.metric is None or trial.metric.quantized is None or trial.size_ratio is None:
        return None
    sign = 1 if make_metric(source).higher_is_better else -1
    weighed = trial.speedup if _objective(plan) == "speedup" else -trial.size_ratio
    return None if weighed is None else (sign * trial.metric.quantized, weighed)


def _result(
    recipe: Recipe,
    plan: Plan,
    asked: Asked,
    source: MetricSource,
    trials: tuple[SweepTrial, ...],
    reason: str,
    folder: Path,
) -> SweepResult:
    pairs = {i: pair for i, each in enumerate(trials) if (pair := _pair(each, source, plan))}
    places = list(pairs)
    return SweepResult(
        recipe=recipe.name,
        target=recipe.target.name,
        places=tuple(axis.name for axis in asked.axes),
        metric=source.name,
        objective=_objective(plan),
        trials=trials,
        front=tuple(places[i] for i in pareto_front(list(pairs.values()))),
        reason=reason,
        folder=folder.as_posix(),
    )


def _write(result: SweepResult, folder: Path) -> None:
    from runner.report.scatter import scatter_svg

    content = {"schema": SCHEMA, **asdict(result)}
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"
    for name, written in ((RESULT, text), (PICTURE, scatter_svg(result))):
        aside = folder / f".{name}"
        aside.write_text(written, encoding="utf-8")
        aside.replace(folder / name)
