"""`advise`: the ladder walked on a recipe, one rung after the other, until the limit is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from quant.control.gain import Gain, Reading, Yardstick, is_improvement
from quant.control.noise import SQNR, output_noise
from quant.control.tuning import SIZE, is_same_model
from quant.plan import Status
from runner.advise.change import Changes, merged
from runner.advise.result import Advice, Attempt, LimitValue, Outcome
from runner.advise.rungs import LADDER, Rung, Standing, lasting
from runner.cache.cache import Cache
from runner.document.edits import Edit
from runner.errors import RunnerError, UsageError
from runner.expect.check import Check
from runner.expect.subjects import FP32
from runner.expect.verdict import Status as Verdict
from runner.measure import measure
from runner.measured import count
from runner.plan import make_plan
from runner.progress import Progress, silent
from runner.recipe.recipe import Recipe
from runner.requirements import Parts
from runner.run import Run
from runner.subjects import Calibration, make_metrics, open_datasets
from runner.tuning import metric_gain

KIND = "max_drop"

ReadAt = Callable[[Sequence[Edit]], Recipe]
"""The recipe with edits made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The advice, and the changes that lead from the recipe to what it names."""

    advice: Advice
    changes: Changes


def advise(
    read_at: ReadAt,
    *,
    limit_ids: Sequence[str] | None = None,
    benchmark: bool = True,
    cache: Cache | None = None,
    progress: Progress = silent,
) -> Found:
    """What keeps the limit of the drop, the cheapest first.

    Args:
        limit_ids: the checks that count; None: every one of the kind max_drop against FP32.
        cache: holds statistics and FP32's answers from one rung to the next.

    Raises:
        UsageError: there is no limit.
        RecipeError: the recipe does not suit its model or target.
        RunError: the recipe as it is written can't be run.
    """
    recipe = read_at(())
    ids = limits_of(recipe) if limit_ids is None else tuple(limit_ids)
    parts = Parts(benchmark=benchmark)
    plan = make_plan(recipe, parts=parts)
    data = open_datasets(recipe, plan.quantization.model)["validation"]
    drawn = sorted(np.random.default_rng(0).permutation(len(data))[:SIZE].tolist())
    part = replace(data, indices=tuple(data.indices[i] for i in drawn))
    progress(Outcome.START, 0, None)
    with output_noise(plan.quantization.model, Calibration(dataset=part), len(part), 0) as noise:
        started = time.perf_counter()
        run = measure(recipe, plan=plan, parts=parts, cache=cache)
        at = Standing(recipe=recipe, plan=plan, run=run, limits=_limits(run, ids))
        walk = _Walk(
            read_at=read_at,
            parts=parts,
            cache=cache,
            noise=noise,
            ids=ids,
            best=at,
            reading=noise.measure(run.result.model)[SQNR],
        )
        walk.start(time.perf_counter() - started)
        for make_rung in LADDER:
            if walk.is_reached:
                break
            rung = make_rung(walk.best)
            progress(rung.name, 0, None)
            walk.climb(rung)
    return Found(advice=_advice(walk), changes=walk.changes)


def limits_of(recipe: Recipe) -> tuple[str, ...]:
    """The checks of the drop from FP32, of metrics.

    Raises:
        UsageError: there are none.
    """
    metrics = {each.name for each in recipe.metrics}
    found = tuple(
        each.id
        for each in recipe.expect
        if each.kind == KIND and each.against == FP32 and each.metric in metrics
    )
    if not found:
        message = f"{recipe.path} expects no max_drop; add one, or give --max-drop"
        raise UsageError(message)
    return found


def _limits(run: Run, ids: Sequence[str]) -> tuple[Check, ...]:
    return tuple(each for each in run.checks if each.id in ids)


@dataclass(slots=True)
class _Walk:
    """The best recipe so far, how it came about, and all that was tried."""

    read_at: ReadAt
    parts: Parts
    cache: Cache | None
    noise: Yardstick
    ids: tuple[str, ...]
    best: Standing
    reading: Reading
    changes: Changes = ()
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def is_reached(self) -> bool:
        """Whether the best one keeps all limits, on all samples."""
        return _is_kept(self.best)

    def start(self, seconds: float) -> None:
        """Notes down the recipe as it is written."""
        outcome = Outcome.REACHED if self.is_reached else Outcome.START
        found = _measured(self.best, self.reading, seconds)
        self.attempts.append(replace(found, rung=Outcome.START.value, outcome=outcome))

    def climb(self, rung: Rung) -> None:
        """Tries the alternatives of a rung, each in place of the others."""
        if rung.skipped:
            skipped = Attempt(rung=rung.name, outcome=Outcome.SKIPPED, note=rung.skipped)
            self.attempts.append(skipped)
        at, before = self.best, self.changes
        for alternative, changes in rung.attempts.items():
            if not self.is_reached:
                started = time.perf_counter()
                found = self._attempt(at, before, changes)
                seconds = time.perf_counter() - started
                words = tuple(each.words for each in changes)
                self.attempts.append(
                    replace(
                        found,
                        rung=rung.name,
                        alternative=alternative,
                        changes=found.changes or words,
                        seconds=seconds,
                    )
                )

    def _attempt(self, at: Standing, before: Changes, changes: Changes) -> Attempt:
        try:
            recipe = self._read(before, changes)
            plan = make_plan(recipe, parts=self.parts)
            is_searched = plan.control is not None and at.plan.control is None
            if not is_searched and is_same_model(plan.quantization, at.plan.quantization):
                return Attempt(rung="", outcome=Outcome.SAME)
            run = measure(recipe, plan=plan, parts=self.parts, cache=self.cache)
            found = lasting(at, changes, run)
            if found != changes:
                recipe = self._read(before, found)
                plan = make_plan(recipe, parts=self.parts)
        except RunnerError as error:
            note = str(error).splitlines()[0]
            return Attempt(rung="", outcome=Outcome.FAILED, note=note)
        made = Standing(recipe=recipe, plan=plan, run=run, limits=_limits(run, self.ids))
        reading = self.noise.measure(run.result.model)[SQNR]
        outcome = self._outcome(made, reading)
        if outcome is not Outcome.LEFT:
            self.best, self.reading, self.changes = made, reading, merged((*before, *found))
        words = tuple(each.words for each in found)
        return replace(_measured(made, reading, 0), outcome=outcome, changes=words)

    def _read(self, before: Changes, changes: Changes) -> Recipe:
        return self.read_at([each.edit() for each in merged((*before, *changes))])

    def _outcome(self, made: Standing, reading: Reading) -> Outcome:
        if _is_kept(made):
            return Outcome.REACHED
        noise = self.noise.gain(SQNR, self.reading, reading)
        is_better = is_improvement(self._gains(made), noise)
        return Outcome.KEPT if is_better else Outcome.LEFT

    def _gains(self, made: Standing) -> Iterator[Gain]:
        """What each metric with a limit gains over the best one."""
        metrics = make_metrics(made.recipe)
        before, after = self.best.run.evaluation, made.run.evaluation
        assert before is not None
        assert after is not None
        for name in dict.fromkeys(each.metric for each in made.limits):
            outcomes = (before.outcomes[name].quantized, after.outcomes[name].quantized)
            yield metric_gain(metrics[name], *outcomes)


def _is_kept(at: Standing) -> bool:
    return all(each.status is Verdict.PASS for each in at.limits)


def _measured(at: Standing, reading: Reading, seconds: float) -> Attempt:
    speed = at.run.performance
    return Attempt(
        rung="",
        outcome=Outcome.LEFT,
        limits=tuple(
            LimitValue(
                metric=each.metric,
                drop_type=each.drop_type,
                bound=each.bound,
                value=each.value,
                ci95=at.run.metrics[each.metric].ci95,
            )
            for each in at.limits
        ),
        quantized_operations=count(at.run.result, Status.QUANTIZED),
        speedup=None if speed is None else speed.speedup,
        output_sqnr_db=reading.value if np.isfinite(reading.value) else None,
        seconds=seconds,
    )


def _advice(walk: _Walk) -> Advice:
    return Advice(
        recipe=walk.best.recipe.name,
        target=walk.best.recipe.target.name,
        reached=walk.is_reached,
        reason=_reason(walk),
        attempts=tuple(walk.attempts),
        changes=tuple(each.words for each in walk.changes),
    )


def _reason(walk: _Walk) -> str:
    if not walk.is_reached:
        return (
            "no rung keeps the limit; what is left is quantization-aware training (NNCF), or a "
            "larger limit"
        )
    if not walk.changes:
        return "the recipe keeps its limit as it is written"
    return f"the limit is kept with: {walk.attempts[-1].rung}"
