"""A Plan carried out: quantized and saved, evaluated, measured and checked."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quant.control.control import ControlResult
from quant.control.tuning import Tuning, prepare
from quant.diagnosis.diagnose import Diagnosis, diagnose
from quant.entry import Result, apply, collect
from quant.plan import Status
from runner.baseline.accepted import Accepted, baseline_reference, compared, read_accepted
from runner.baseline.compare import BaselineUse
from runner.baseline.make import make_record
from runner.baseline.record import Record
from runner.benchmark import benchmark
from runner.cache.cache import Cache
from runner.cache.kept import Kept, open_kept, remembered
from runner.cache.use import CacheState, CacheUse
from runner.control import control_checks, run_control
from runner.data.open import Selection
from runner.data.sample import Array
from runner.evaluate import Evaluation, evaluate
from runner.expect.check import Check
from runner.expect.checks import Evidence, check_all
from runner.expect.quantity import Quantities, Reference
from runner.expect.subjects import BASELINE, FP32
from runner.foreign_errors import mapped_errors
from runner.measured import (
    both_quantities,
    count,
    memory_quantities,
    result_quantities,
)
from runner.memory import peak_bytes, restart_peak
from runner.metric_value import metric_value
from runner.model_size import saved_bytes
from runner.plan import Plan, calibration_count
from runner.progress import Progress, silent
from runner.recipe.recipe import Recipe
from runner.report.report import MetricValue, Performance, Size
from runner.requirements import ALL, Parts
from runner.step_references import Making, step_references, wanted_steps
from runner.subjects import Calibration, make_metrics, open_datasets
from runner.tuning import run_tuning
from runner.workshop import make_workshop

Datasets = Mapping[str, Selection]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of a plan; None stands for what was not asked for.

    Attributes:
        record: what the quantized model came to, as it can be accepted.
        baseline: what became of the accepted result; None where there is none.
        peak_memory_bytes: of this process, from the calibration to the quantized model; None where
            the system does not tell.
        timings: seconds by phase.
    """

    plan: Plan
    result: Result
    control: ControlResult | None
    tuning: Tuning | None
    diagnosis: Diagnosis | None
    evaluation: Evaluation | None
    metrics: Mapping[str, MetricValue]
    performance: Performance | None
    size: Size
    record: Record
    baseline: BaselineUse | None
    peak_memory_bytes: int | None
    checks: tuple[Check, ...]
    timings: Mapping[str, float]
    cache: CacheUse


def run(
    plan: Plan,
    recipe: Recipe,
    folder: Path,
    *,
    parts: Parts = ALL,
    cache: Cache | None = None,
    progress: Progress = silent,
) -> Run:
    """The plan carried out; the model is saved in the folder as soon as there is one.

    Args:
        parts: those that the plan was made for.
        cache: holds what is not to be inferred again; None: all is inferred.

    Raises:
        RecipeError: the accepted baseline can't be read; nothing has run then.
        RunError: the model, a device or a sample fails.
    """
    accepted = read_accepted(recipe, plan.device)
    timings: dict[str, float] = {}
    datasets = open_datasets(recipe, plan.quantization.model)
    with _timed(timings, "cache_s"):
        kept = open_kept(cache, plan, recipe, datasets)
        if plan.control is not None or plan.tuning or wanted_steps(plan):
            kept = remembered(kept)
    is_restarted = restart_peak()
    made = quantize(plan, recipe, datasets, kept, timings, progress)
    peak = peak_bytes() if is_restarted else None
    result = made.result
    size = _save(plan, result, folder / f"{recipe.name}.xml")
    diagnosis = diagnose_run(result, datasets, timings, progress) if parts.diagnose else None
    evaluation = _evaluate(plan, recipe, result, datasets, kept, progress)
    if evaluation is not None:
        timings |= {"baseline_s": evaluation.baseline_s, "evaluate_s": evaluation.evaluate_s}
    performance = _benchmark(plan, result, datasets, timings, progress)
    fp32, measured = both_quantities(make_metrics(recipe), evaluation, performance, size)
    measured |= {**result_quantities(result, made.control, diagnosis), **memory_quantities(peak)}
    record = make_record(plan, recipe, fp32=fp32, measured=measured, samples=kept.samples)
    making = Making(plan=plan, recipe=recipe, datasets=datasets, kept=kept, progress=progress)
    references = _references(making, accepted, record, fp32, timings)
    return Run(
        plan=plan,
        result=result,
        control=made.control,
        tuning=made.tuning,
        diagnosis=diagnosis,
        evaluation=evaluation,
        metrics=_values(recipe, fp32, measured),
        performance=performance,
        size=size,
        record=record,
        baseline=compared(accepted, record),
        peak_memory_bytes=peak,
        checks=_checks(plan, recipe, made.control, references, measured),
        timings=timings,
        cache=kept.use,
    )


@contextmanager
def _timed(timings: dict[str, float], phase: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    timings[phase] = time.perf_counter() - started


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A quantized model, and how it was searched for."""

    result: Result
    control: ControlResult | None = None
    tuning: Tuning | None = None


def quantize(
    plan: Plan,
    recipe: Recipe,
    datasets: Datasets,
    kept: Kept,
    timings: dict[str, float],
    progress: Progress,
) -> Made:
    """The model quantized as planned; adds the seconds of each phase to the timings."""
    started, data = time.perf_counter(), datasets.get("calibration")
    samples: Iterable[list[Array]] = () if data is None else Calibration(dataset=data)
    total = calibration_count(plan)

    def calibrated(done: int) -> None:
        progress("calibrate", done, total)

    if kept.use.statistics is not CacheState.HIT:
        progress("calibrate", 0, total)
    with (
        _timed(timings, "calibration_s"),
        mapped_errors("run the calibration", None if data is None else data.records.path),
    ):
        if plan.tuning:
            prepare(make_workshop(plan, recipe, samples, kept, calibrated))
        statistics = collect(plan.quantization, samples, store=kept.statistics, progress=calibrated)
    progress("quantize", 0, None)
    with _timed(timings, "quantize_s"):
        if plan.control is not None:
            controlled = run_control(
                plan, recipe, datasets, samples, kept, progress, started=started
            )
            return Made(result=controlled.result, control=controlled, tuning=controlled.tuning)
        if plan.tuning:
            result, tuning = run_tuning(plan, recipe, datasets, samples, kept, progress)
            return Made(result=result, tuning=tuning)
        with mapped_errors("quantize the model"):
            return Made(result=apply(plan.quantization, statistics, samples))


def diagnose_run(
    result: Result,
    datasets: Datasets,
    timings: dict[str, float],
    progress: Progress,
    *,
    clipping: bool = True,
) -> Diagnosis | None:
    """Where the accuracy is lost; None where nothing was quantized, or there is no data."""
    data = datasets.get("calibration")
    if data is None or not count(result, Status.QUANTIZED):
        return None
    progress("diagnose", 0, None)
    with _timed(timings, "diagnose_s"), mapped_errors("diagnose the model", data.records.path):
        return diagnose(result, Calibration(dataset=data), clipping=clipping)


def _save(plan: Plan, result: Result, path: Path) -> Size:
    """Saves the quantized model, and FP32 only as long as it takes to see its size."""
    with (
        mapped_errors("save the model"),
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".fp32-") as folder,
    ):
        quantized = saved_bytes(result.model, path)
        fp32 = saved_bytes(plan.quantization.model, Path(folder) / path.name)
    return Size(fp32_bytes=fp32, quantized_bytes=quantized, ratio=quantized / fp32)


def _evaluate(
    plan: Plan,
    recipe: Recipe,
    result: Result,
    datasets: Datasets,
    kept: Kept,
    progress: Progress,
) -> Evaluation | None:
    if not plan.metrics:
        return None
    data = datasets["validation"]
    progress("evaluate", 0, len(data))
    return evaluate(
        plan.quantization.model,
        result.model,
        data,
        make_metrics(recipe),
        device=plan.device,
        baseline=kept.baseline,
        progress=progress,
    )


def _values(recipe: Recipe, fp32: Quantities, measured: Quantities) -> dict[str, MetricValue]:
    return {
        each.name: metric_value(each.metric, fp32[each.name], measured[each.name])
        for each in recipe.metrics
        if each.name in fp32
    }


def _references(
    making: Making,
    accepted: Accepted,
    record: Record,
    fp32: Quantities,
    timings: dict[str, float],
) -> dict[str, Reference]:
    """All that checks compare with; adds the seconds that models of earlier steps take."""
    found = {
        FP32: Reference(name="FP32", quantities=fp32),
        BASELINE: baseline_reference(accepted, record),
    }
    if not wanted_steps(making.plan):
        return found
    with _timed(timings, "references_s"):
        return {**found, **step_references(making)}


def _checks(
    plan: Plan,
    recipe: Recipe,
    control: ControlResult | None,
    references: dict[str, Reference],
    measured: Quantities,
) -> tuple[Check, ...]:
    """What accuracy control's limit and the recipe's expectations come to."""
    evidence = Evidence(
        found=measured,
        references=references,
        unmet={each.id: each.unmet for each in plan.checks if each.unmet},
    )
    fp32 = references[FP32].quantities
    limits = control_checks(plan, recipe, control, fp32, measured)
    return (*limits, *check_all(recipe.expect, evidence))


def _benchmark(
    plan: Plan,
    result: Result,
    datasets: Datasets,
    timings: dict[str, float],
    progress: Progress,
) -> Performance | None:
    if plan.benchmark is None:
        return None
    progress("benchmark", 0, plan.benchmark.repeats)
    data = datasets.get("validation") or datasets["calibration"]
    with _timed(timings, "benchmark_s"):
        return benchmark(
            plan.quantization.model,
            result.model,
            data,
            plan.benchmark,
            device=plan.device,
            progress=progress,
        )
