"""The three functions that every quantization is made of."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from quant.advice import attention_advice
from quant.errors import ParameterError, ParameterProblem, SamplesError
from quant.fold import fold
from quant.graph import view
from quant.inference import Inference, count
from quant.isa import DETECT, saturates
from quant.load import has_compressed_weights
from quant.names import name_new_operations
from quant.plan import (
    MinMaxPlan,
    OperationPlan,
    OverflowPlan,
    Planned,
    QuantPlan,
    Status,
    TuningPlan,
)
from quant.runtime import ov
from quant.statistics.collect import collect_needs
from quant.statistics.need import Need, Statistics
from quant.statistics.passes import Progress, Samples, is_one_shot
from quant.statistics.store import Store, collect_stored
from quant.steps import min_max
from quant.steps.order import COMPOSITES, MIN_MAX, SMOOTH
from quant.steps.smoothable import candidates
from quant.steps.table import Inferring, OnStatistics, Step, expand
from quant.target import Target
from quant.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationResult:
    """What became of one operation: its plan, the ranges of its activations by quantizer as it
    reads them, which SmoothQuant and the inputs of recurrent cells scale, and its bias shift.

    `saturation`: on a target that saturates, the share of pair sums that would with full-range
    weights; `is_half_range`: whether it is protected from that.
    """

    plan: OperationPlan
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    bias_shift: float | None = None
    saturation: float | None = None
    is_half_range: bool = False
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
        fake_quantize_count: quantizers of activations in the model.
        warnings: what a user should know.
        fp32: the model in floating point as the steps before MinMaxQuantization left it, which
            computes what the original does; `diagnose` compares with it.
    """

    model: ov.Model
    operations: tuple[OperationResult, ...]
    outcomes: Mapping[str, str]
    timings: Mapping[str, float]
    sample_count: int
    fake_quantize_count: int
    warnings: tuple[str, ...] = ()
    fp32: ov.Model = field(compare=False, repr=False)


def resolve(model: ov.Model, steps: Sequence[Step], target: Target) -> QuantPlan:
    """Everything about a run that does not depend on data.

    Args:
        model: from `load_model`.

    Raises:
        ParameterError: with every parameter that is wrong or that the target can't run.
    """
    _expect_target(target)
    simple = expand(tuple(steps))
    graph = view(model)
    uses = {step.use: step for step in simple}
    quantizing = uses[MIN_MAX]
    smoothed = candidates(graph, uses[SMOOTH].parameters) if SMOOTH in uses else frozenset()
    found, operations = min_max.quantization(
        graph, quantizing.parameters, target, quantizing.index, smoothed
    )
    planned = [(step, step.kind.plan(graph, step.parameters, found)) for step in simple]
    planned = [
        each for each in planned if steps[each[0].index].use not in COMPOSITES or _acts(each[1])
    ]
    return QuantPlan(
        target=target.name,
        step_names=tuple(step.use for step, _ in planned),
        steps=tuple(plan for _, plan in planned),
        operations=operations,
        warnings=(
            *_warnings(operations),
            *_idle([plan for _, plan in planned], target),
            *_advice_on_input(model, target),
            *attention_advice(graph, quantizing.parameters),
        ),
        kinds=tuple(step.kind for step, _ in planned),
        model=model,
    )


def _expect_target(target: object) -> None:
    if not isinstance(target, Target):
        message = f"found {target!r}, expected a Target, such as runner.load_target('cpu')"
        raise ParameterError([ParameterProblem(0, ("target",), message)])


def _acts(plan: Planned) -> bool:
    """Whether a part of a composite step has anything to do on this target."""
    return not isinstance(plan, OverflowPlan) or bool(plan.sites)


def _warnings(operations: tuple[OperationPlan, ...]) -> tuple[str, ...]:
    if any(operation.status is Status.QUANTIZED for operation in operations):
        return ()
    return (
        "nothing in this model can be quantized for this target: the result is the model itself",
    )


def _idle(plans: Sequence[Planned], target: Target) -> Iterable[str]:
    """Steps that were asked for and find nothing to do."""
    if any(isinstance(each, OverflowPlan) and not each.sites for each in plans):
        yield (
            f"OverflowCorrection has nothing to do: on {target.name!r} no layer here has integer "
            "weights of more than 8 bits; remove the step"
        )


def _advice_on_input(model: ov.Model, target: Target) -> Iterable[str]:
    """What a model or a machine that is not the best to start from costs."""
    if has_compressed_weights(model):
        yield (
            "the model's weights were compressed to 16 bits before: more layers may have to be "
            "reverted for the same drop; start from the FP32 model "
            "(ov.save_model(model, path, compress_to_fp16=False))"
        )
    if target.device != "CPU" and saturates(DETECT):
        yield (
            f"this CPU has no VNNI, so 8-bit arithmetic saturates here; quantize for "
            f"{target.name!r} on a CPU with VNNI (AVX-512, AVX-VNNI or AMX)"
        )


def collect(
    plan: QuantPlan,
    samples: Samples,
    *,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Statistics:
    """The statistics that all steps of a plan live on, from one asynchronous f32 pass.

    Args:
        store: what is known of this model on these samples already, and takes what is not; the
            samples must know their number then.

    Raises:
        SamplesError: there are no samples, or one does not fit.
    """
    needs = needs_of(plan)
    if store is None:
        return collect_needs(plan.model, needs, samples, progress)
    return collect_stored(plan.model, needs, samples, store, progress)


def needs_of(plan: QuantPlan) -> tuple[Need, ...]:
    """What the steps of a plan have to know of the data."""
    return tuple(dict.fromkeys(_needs(plan)))


def _needs(plan: QuantPlan) -> Iterable[Need]:
    for kind, step in zip(plan.kinds, plan.steps, strict=True):
        if isinstance(kind, OnStatistics):
            yield from kind.needs(step)


def apply(
    plan: QuantPlan,
    statistics: Statistics,
    samples: Samples | None = None,
    *,
    progress: Progress | None = None,
) -> Result:
    """The plan's steps carried out on a clone of its model.

    Args:
        samples: those that the statistics come from, for steps that infer again.
        progress: called with the number of samples that are done, in every pass.

    Raises:
        SamplesError: a step infers again, and the samples are not there or can't be read again.
    """
    expect_rereadable(plan, samples)
    seconds: dict[str, float] = {}
    work, reference = Work(plan.model.clone()), None
    for step, name, kind in zip(plan.steps, plan.step_names, plan.kinds, strict=True):
        started = time.perf_counter()
        if reference is None and name in (SMOOTH, MIN_MAX):
            reference = work.model.clone()
        if isinstance(kind, OnStatistics):
            statistics = kind.apply(work, step, statistics)
        elif reference is not None and samples is not None:
            kind.refine(work, step, _inference(reference, statistics, samples, progress))
        seconds[f"{name}_s"] = time.perf_counter() - started
    started = time.perf_counter()
    fold(work)
    name_new_operations(work.model)
    seconds["fold_s"] = time.perf_counter() - started
    return Result(
        model=work.model,
        operations=_results(plan, work),
        outcomes=work.outcomes,
        timings=seconds,
        sample_count=statistics.sample_count,
        fake_quantize_count=sum(
            work.levels[each.name].is_executable
            for step in plan.steps
            if isinstance(step, MinMaxPlan)
            for each in step.activations
        ),
        warnings=(*plan.warnings, *work.warnings, *_shortages(plan, statistics, samples)),
        fp32=reference,
    )


def inferring(plan: QuantPlan) -> tuple[str, ...]:
    """The names of the plan's steps that read the samples again, after the calibration pass."""
    named = zip(plan.step_names, plan.kinds, strict=True)
    return tuple(name for name, kind in named if isinstance(kind, Inferring))


def expect_rereadable(plan: QuantPlan, samples: Samples | None) -> None:
    """Raises SamplesError where a step infers again, and the samples can't be read again."""
    for name in inferring(plan):
        if samples is None:
            message = f"{name} reads the samples again; hand them to `apply` as well"
            raise SamplesError(message)
        if is_one_shot(samples):
            message = f"{name} reads the samples again; hand in a list, not an iterator"
            raise SamplesError(message)


def _inference(
    reference: ov.Model, statistics: Statistics, samples: Samples, progress: Progress | None
) -> Inference:
    return Inference(
        reference=reference,
        samples=samples,
        sample_count=count(samples, statistics),
        progress=progress,
    )


def _shortages(plan: QuantPlan, statistics: Statistics, samples: Samples | None) -> Iterable[str]:
    """A warning for each parameter that asks for more samples than there were."""
    sizes = dict.fromkeys(
        ("num_samples_for_tuning" if isinstance(step, TuningPlan) else "stat_subset_size", size)
        for step in plan.steps
        if (size := step.subset.size) is not None
    )
    read = statistics.sample_count
    found = read if samples is None else count(samples, statistics)
    for name, size in sizes:
        if read and size > found:
            yield f"{name} is {size}, but there are only {found} samples"


def _results(plan: QuantPlan, work: Work) -> tuple[OperationResult, ...]:
    ranges: dict[str, dict[str, tuple[float, float]]] = {}
    for step in plan.steps:
        for quantizer in step.activations if isinstance(step, MinMaxPlan) else ():
            levels = work.levels[quantizer.name]
            for name in quantizer.operations:
                span = (float(levels.low.min()), float(levels.high.max()))
                ranges.setdefault(name, {})[quantizer.name] = span
    return tuple(
        OperationResult(
            plan=each,
            ranges=ranges.get(each.name, {}),
            bias_shift=work.bias_shifts.get(each.name),
            saturation=work.saturation[each.name].share if each.name in work.saturation else None,
            is_half_range=each.name in work.halved,
            note=work.notes.get(each.name, ""),
        )
        for each in plan.operations
    )
