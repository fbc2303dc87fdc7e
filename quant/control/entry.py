"""`quantize_with_accuracy_control`: the library's way in, with the user's own evaluation."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quant.control.candidate import Candidate, Workshop
from quant.control.control import ControlResult, Journal, Tuner, control
from quant.control.decision import best_case, is_right_or_wrong, lost, telling_parts, worse
from quant.control.gain import Gain, Reading, paired_gain
from quant.control.noise import output_noise
from quant.control.parameters import ControlParameters, OnMiss
from quant.control.tuning import Tuning, subset_size, tune
from quant.control.verdict import Array, Limit, Verdict, verdict, worst
from quant.errors import DropMissed, EvaluationError, SamplesError
from quant.load import load_model
from quant.parameter_reader import read_parameters
from quant.runtime import F32, core, ov
from quant.statistics.passes import Progress, Samples, is_one_shot
from quant.statistics.store import MemoryStore
from quant.steps.order import DEFAULT
from quant.steps.table import Step
from quant.target import Target

METRIC = "metric"
"""The name of the one metric."""

SHARES = (1 / 8, 1 / 4, 1 / 2, 1)
"""How much of the samples is read before it is asked whether the limit is missed for certain."""

FEWEST = 64
"""Samples below which all are read at once."""

Evaluate = Callable[..., float | tuple[float, Sequence[float] | None]]


def quantize_with_accuracy_control(
    model: ov.Model | str | Path,
    samples: Samples,
    evaluate: Evaluate,
    *,
    target: Target,
    higher_is_better: bool = True,
    journal: Journal | None = None,
    progress: Progress | None = None,
    **parameters: Any,
) -> ControlResult:
    """The model quantized by DefaultQuantization, with as few operations reverted as it takes to
    keep `maximal_drop`.

    Where `evaluate` takes `subset`, indices of samples to read, and returns values of every sample
    whose mean is the metric, a model that misses the limit by far is given up before all samples
    are read (see `verdict.Z`); one that meets it was evaluated on all of them.

    Args:
        model: a model in memory, or a file of one.
        samples: as for `quantize`; they are read more than once.
        evaluate: `evaluate(compiled_model, subset=None)`: the metric, or the metric and the value
            of every sample that was read, in order. The same samples on every call.
        higher_is_better: the metric's direction.
        journal: takes every trial, and holds those of an interrupted run.
        progress: called with the number of samples that are done, in every calibration pass.
        parameters: `quant.ControlParameters`, which are DefaultQuantization's and the limit.

    Raises:
        DropMissed: with `on_miss="fail"`.
        EvaluationError: `evaluate` returns what is no metric.
        LoadError, ParameterError, SamplesError: as from `quantize`.
    """
    started = time.perf_counter()
    if is_one_shot(samples):
        message = "accuracy control reads the samples again; hand in a list, not an iterator"
        raise SamplesError(message)
    given = read_parameters(ControlParameters, parameters)
    loaded = load_model(model)
    workshop = Workshop(
        model=loaded,
        target=target,
        steps=(Step(use=DEFAULT),),
        position=0,
        parameters=given,
        samples=samples,
        store=MemoryStore(),
        progress=progress,
        given=parameters,
    )
    judge = _judge(loaded, evaluate, target, given, higher_is_better=higher_is_better)
    found = control(workshop, judge, journal, _tuner(workshop, judge), started=started)
    if given.on_miss is OnMiss.FAIL:
        expect_reached(found)
    return found


def _tuner(workshop: Workshop, judge: _Judge) -> Tuner | None:
    """Compares by the user's metric, and by the output error on the calibration samples."""
    given = workshop.parameters
    if not given.tune_hyperparams:
        return None
    metric = _Metric(judge=judge, subset=_drawn(judge, given))
    count = subset_size(given, workshop.samples)

    def tuner(start: Candidate, is_spent: Callable[[], bool]) -> Tuning:
        with output_noise(workshop.model, workshop.samples, count, given.seed) as noise:
            return tune(workshop, start, noise, metric, samples=count, is_spent=is_spent)

    return tuner


def expect_reached(found: ControlResult) -> None:
    """Raises DropMissed where the limit was missed."""
    if not found.reached:
        drops = ", ".join(f"{name} {drop:.6g}" for name, drop in found.verdict.drops.items())
        message = (
            f"the limit of the drop was missed: {found.reason}; the nearest of "
            f"{len(found.trials)} models, with {len(found.reverted)} operations reverted, has the "
            f"drop {drops}"
        )
        raise DropMissed(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """Evaluates by the user's function; `fp32`: values of every sample, or None where the metric
    is no mean of them."""

    evaluate: Evaluate
    device: str
    limit: Limit
    fp32: Array | None
    parts: tuple[tuple[int, ...], ...]

    def __call__(self, model: ov.Model) -> Verdict:
        compiled = core().compile_model(model, self.device, F32)
        if self.fp32 is None:
            value, _ = _evaluated(self.evaluate(compiled))
            return verdict({METRIC: self.limit}, {METRIC: value}, {})
        return self._by_parts(compiled, self.fp32)

    def hardest(self, model: ov.Model, share: float, most: int | None) -> tuple[int, ...]:
        assert self.fp32 is not None  # see `_judge`
        compiled = core().compile_model(model, self.device, F32)
        everything = tuple(range(len(self.fp32)))
        losses = worse(self.limit, self.fp32, self._values(compiled, everything))
        return worst(losses, share, most)

    def decide(self, model: ov.Model, suspects: Sequence[int]) -> Verdict:
        if self.fp32 is None or not is_right_or_wrong(self.fp32):
            return self(model)
        compiled = core().compile_model(model, self.device, F32)
        limits, fp32 = {METRIC: self.limit}, {METRIC: self.fp32}
        read, values = list[int](), list[float]()
        for part in telling_parts(limits, fp32, suspects):
            values += self._values(compiled, tuple(part)).tolist()
            read += part
            found = best_case(limits, fp32, read, {METRIC: values})
            if found.excess > 0:
                break
        return found

    def on(self, model: ov.Model, subset: Sequence[int]) -> Verdict:
        assert self.fp32 is not None
        compiled = core().compile_model(model, self.device, F32)
        fp32, values = self.fp32[list(subset)], self._values(compiled, tuple(subset))
        limits = {METRIC: self.limit.on_part(float(fp32.mean()))}
        means, pairs = {METRIC: float(values.mean())}, {METRIC: (fp32, values)}
        return verdict(limits, means, pairs, samples=len(subset), is_whole=False)

    def _values(self, compiled: ov.CompiledModel, part: tuple[int, ...]) -> Array:
        _, found = _evaluated(self.evaluate(compiled, subset=list(part)))
        return _expected(found, len(part))

    def _by_parts(self, compiled: ov.CompiledModel, fp32: Array) -> Verdict:
        values, read = np.full(len(fp32), math.nan), np.zeros(len(fp32), bool)
        for part in self.parts:
            values[list(part)] = self._values(compiled, part)
            read[list(part)] = True
            if self.limit.is_missed(fp32[read], values[read], len(fp32)):
                break
        known, limits = values[read], {METRIC: self.limit}
        return verdict(
            limits,
            {METRIC: float(known.mean())},
            {METRIC: (fp32[read], known)},
            samples=len(known),
            lost=lost(limits, {METRIC: fp32}, np.flatnonzero(read).tolist(), {METRIC: known}),
            is_whole=bool(read.all()),
        )


def _drawn(judge: _Judge, given: ControlParameters) -> tuple[int, ...] | None:
    """The samples that models are compared on; None where single ones can't be asked for."""
    if judge.fp32 is None:
        return None
    order = np.random.default_rng(given.seed).permutation(len(judge.fp32))
    return tuple(sorted(order[: subset_size(given, judge.fp32)].tolist()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metric:
    """Reads the user's metric, on samples of which the judge reads all."""

    judge: _Judge
    subset: tuple[int, ...] | None

    def measure(self, model: ov.Model) -> Mapping[str, Reading]:
        judge = self.judge
        compiled = core().compile_model(model, judge.device, F32)
        if self.subset is None:
            value, _ = _evaluated(judge.evaluate(compiled))
            return {METRIC: Reading(value=value, outcomes=None)}
        _, found = _evaluated(judge.evaluate(compiled, subset=list(self.subset)))
        values = _expected(found, len(self.subset))
        return {METRIC: Reading(value=float(values.mean()), outcomes=values)}

    def gain(self, name: str, before: Reading, after: Reading) -> Gain:
        sign = 1 if self.judge.limit.higher_is_better else -1
        if self.subset is None:
            return Gain(value=sign * (after.value - before.value), error=math.inf)
        return paired_gain(sign * before.outcomes, sign * after.outcomes)


def _judge(
    model: ov.Model,
    evaluate: Evaluate,
    target: Target,
    given: ControlParameters,
    *,
    higher_is_better: bool,
) -> _Judge:
    """The judge, after FP32 was evaluated, once."""
    is_here = target.device in core().available_devices
    device = target.device if target.device and is_here else target.emulate_on
    value, found = _evaluated(evaluate(core().compile_model(model, device, F32)))
    fp32 = (
        _mean_values(value, found) if "subset" in inspect.signature(evaluate).parameters else None
    )
    if given.metric_subset_ratio is not None and fp32 is None:
        message = (
            "metric_subset_ratio needs evaluate(compiled_model, subset=None) to return values of "
            "all samples whose mean is the metric"
        )
        raise EvaluationError(message)
    limit = Limit(
        baseline=value if fp32 is None else float(np.mean(fp32)),
        maximal_drop=given.maximal_drop,
        drop_type=given.drop_type,
        higher_is_better=higher_is_better,
    )
    parts = () if fp32 is None else parted(len(fp32), given.seed)
    return _Judge(evaluate=evaluate, device=device, limit=limit, fp32=fp32, parts=parts)


def parted(count: int, seed: int) -> tuple[tuple[int, ...], ...]:
    """Indices of samples in parts that are drawn at random, those of a part sorted."""
    order = np.random.default_rng(seed).permutation(count)
    ends = [count] if count < FEWEST else [round(share * count) for share in SHARES]
    starts = [0, *ends[:-1]]
    return tuple(
        tuple(sorted(order[start:end].tolist())) for start, end in zip(starts, ends, strict=True)
    )


def _evaluated(found: Any) -> tuple[float, Sequence[float] | None]:
    value, values = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        message = (
            f"evaluate returned {type(value).__name__}; expected a number, or a number and the "
            "values of all samples"
        )
        raise EvaluationError(message)
    return float(value), values


def _mean_values(value: float, values: Sequence[float] | None) -> Array | None:
    """The values as an array where the metric is their mean."""
    if values is None:
        return None
    found = np.asarray(values)
    if found.ndim != 1 or not len(found) or found.dtype.kind not in "biuf":
        return None
    is_mean = math.isclose(float(found.mean()), value, rel_tol=1e-6, abs_tol=1e-9)
    return found.astype(float) if is_mean else None


def _expected(values: Sequence[float] | None, count: int) -> Array:
    found = np.asarray(() if values is None else values, float)
    if found.shape != (count,):
        message = f"evaluate was asked for {count} samples and returned values for {len(found)}"
        raise EvaluationError(message)
    return found
