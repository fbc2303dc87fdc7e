"""The public functions: `quantize`, and the three that it is made of."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quant.errors import ParameterError, ParameterProblem
from quant.fold import fold
from quant.graph import Graph, view
from quant.load import load_model
from quant.plan import (
    FastBiasPlan,
    MinMaxPlan,
    OperationPlan,
    QuantPlan,
    SmoothPlan,
    Status,
    StepPlan,
)
from quant.runtime import ov
from quant.statistics.collect import Progress, Samples, collect_needs
from quant.statistics.need import Need, Statistics
from quant.steps import fast_bias, min_max, smooth
from quant.steps.table import DEFAULT, MIN_MAX, SMOOTH, SimpleStep, Step, expand
from quant.target import Target
from quant.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationResult:
    """What became of one operation: its plan, the ranges of its activations by quantizer, its
    bias shift."""

    plan: OperationPlan
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    bias_shift: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A quantized model and how it came about.

    Attributes:
        model: weights as integer constants, ready to compile or save.
        operations: every operation's fate.
        outcomes: per policy of the plan, what was decided.
        timings: seconds per phase.
        sample_count: how many samples the statistics come from.
        fake_quantize_count: FakeQuantize operations in the model.
        warnings: what a user should know.
    """

    model: ov.Model
    operations: tuple[OperationResult, ...]
    outcomes: Mapping[str, str]
    timings: Mapping[str, float]
    sample_count: int
    fake_quantize_count: int
    warnings: tuple[str, ...] = ()


def quantize(
    model: ov.Model | str | Path,
    samples: Samples,
    *,
    target: Target,
    progress: Progress | None = None,
    **parameters: Any,
) -> Result:
    """The model quantized by DefaultQuantization; the model that is handed in is not changed.

    Args:
        model: a model in memory, or a file of one.
        samples: what the model takes, batch axis included: arrays, lists in input order, or
        mappings
            by input name. An iterator is read once.
        target: from `runner.load_target`, or made by hand.
        progress: called with the number of samples that are done.
        parameters: those of DefaultQuantization (`quant.DefaultParameters`); nested ones as
        mappings
            or dataclasses.

    Raises:
        LoadError: the model can't be read or is quantized already.
        ParameterError: a parameter is wrong, or the target can't run what it asks for.
        SamplesError: there are no samples, or one does not fit.
    """
    started = time.perf_counter()
    loaded = load_model(model)
    load_s = time.perf_counter() - started
    plan = resolve(loaded, [Step(use=DEFAULT, parameters=parameters)], target)
    resolve_s = time.perf_counter() - started - load_s
    statistics = collect(plan, samples, progress=progress)
    collect_s = time.perf_counter() - started - load_s - resolve_s
    result = apply(plan, statistics)
    timings = {"load_s": load_s, "resolve_s": resolve_s, "collect_s": collect_s, **result.timings}
    return dataclasses.replace(result, timings=timings)


def resolve(model: ov.Model, steps: Sequence[Step], target: Target) -> QuantPlan:
    """Everything about a run that does not depend on data.

    Args:
        model: from `load_model`.

    Raises:
        ParameterError: with every parameter that is wrong or that the target can't run.
    """
    simple = expand(tuple(steps))
    _refuse_outputs(target)
    graph = view(model)
    uses = {step.use: step for step in simple}
    quantizing = uses[MIN_MAX]
    smoothed = smooth.candidates(graph) if SMOOTH in uses else frozenset()
    found, operations = min_max.plan(
        graph, quantizing.parameters, target, quantizing.index, smoothed
    )
    plans = tuple(_plan(graph, step, found) for step in simple)
    return QuantPlan(
        target=target.name,
        step_names=tuple(step.use for step in simple),
        steps=plans,
        operations=operations,
        warnings=_warnings(operations),
        model=model,
    )


def _plan(graph: Graph, step: SimpleStep, quantization: MinMaxPlan) -> StepPlan:
    if step.use == SMOOTH:
        return smooth.plan(graph, step.parameters, quantization)
    return (
        quantization
        if step.use == MIN_MAX
        else fast_bias.plan(graph, step.parameters, quantization)
    )


def _refuse_outputs(target: Target) -> None:
    if any(support.outputs for support in target.operations.values()):
        message = f"the target {target.name!r} quantizes results, which is not in this version"
        raise ParameterError([ParameterProblem(0, (), message)])


def _warnings(operations: tuple[OperationPlan, ...]) -> tuple[str, ...]:
    if any(operation.status is Status.QUANTIZED for operation in operations):
        return ()
    return (
        "nothing in this model can be quantized for this target: the result is the model itself",
    )


def collect(plan: QuantPlan, samples: Samples, *, progress: Progress | None = None) -> Statistics:
    """The statistics that all steps of a plan live on, from one asynchronous f32 pass.

    Raises:
        SamplesError: there are no samples, or one does not fit.
    """
    return collect_needs(plan.model, tuple(dict.fromkeys(_needs(plan))), samples, progress)


def _needs(plan: QuantPlan) -> Iterable[Need]:
    for step in plan.steps:
        match step:
            case SmoothPlan():
                yield from smooth.needs(step)
            case MinMaxPlan():
                yield from min_max.needs(step)
            case FastBiasPlan():
                yield from fast_bias.needs(step)


def apply(plan: QuantPlan, statistics: Statistics) -> Result:
    """The plan's steps carried out on a clone of its model."""
    seconds: dict[str, float] = {}
    work = Work(plan.model.clone())
    for step, name in zip(plan.steps, plan.step_names, strict=True):
        started = time.perf_counter()
        statistics = _apply(work, step, statistics)
        seconds[f"{name}_s"] = time.perf_counter() - started
    started = time.perf_counter()
    fold(work)
    seconds["fold_s"] = time.perf_counter() - started
    return Result(
        model=work.model,
        operations=_results(plan, work),
        outcomes=work.outcomes,
        timings=seconds,
        sample_count=statistics.sample_count,
        fake_quantize_count=sum(
            len(s.activations) for s in plan.steps if isinstance(s, MinMaxPlan)
        ),
        warnings=(*plan.warnings, *_shortages(plan, statistics.sample_count)),
    )


def _shortages(plan: QuantPlan, count: int) -> Iterable[str]:
    """A warning for each size of subset that the samples did not fill."""
    sizes = dict.fromkeys(step.subset.size for step in plan.steps)
    for size in sizes:
        if size is not None and count and size > count:
            yield f"stat_subset_size is {size}, but there were only {count} samples"


def _apply(work: Work, step: StepPlan, statistics: Statistics) -> Statistics:
    """Carries out one step; returns the statistics as they are after it."""
    match step:
        case SmoothPlan():
            return smooth.apply(work, step, statistics)
        case MinMaxPlan():
            min_max.apply(work, step, statistics)
        case FastBiasPlan():
            fast_bias.apply(work, step, statistics)
    return statistics


def _results(plan: QuantPlan, work: Work) -> tuple[OperationResult, ...]:
    ranges: dict[str, dict[str, tuple[float, float]]] = {}
    for step in plan.steps:
        for quantizer in step.activations if isinstance(step, MinMaxPlan) else ():
            levels = work.levels[quantizer.name]
            for name in quantizer.operations:
                span = (float(levels.low.min()), float(levels.high.max()))
                ranges.setdefault(name, {})[quantizer.name] = span
    corrected = {
        s.operation for step in plan.steps if isinstance(step, FastBiasPlan) for s in step.sites
    }
    return tuple(
        OperationResult(
            plan=each,
            ranges=ranges.get(each.name, {}),
            bias_shift=work.bias_shifts.get(each.name) if each.name in corrected else None,
            note=work.notes.get(each.name, ""),
        )
        for each in plan.operations
    )
