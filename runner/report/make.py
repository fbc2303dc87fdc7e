"""A Run to its Report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from quant.diagnosis.diagnose import LayerDiagnosis
from quant.entry import OperationResult
from quant.plan import Status as Fate
from runner import plan_json
from runner.environment import describe
from runner.measured import count
from runner.recipe.digest import recipe_digest
from runner.recipe.recipe import Recipe
from runner.report.numbers import finite
from runner.report.report import (
    KeptOperation,
    Layer,
    OutputNoise,
    Quantization,
    Report,
    Subject,
    Timings,
)
from runner.report.schemes import activations
from runner.report.searches import control_content, tuning_content
from runner.run import Run


def make_report(
    run: Run,
    recipe: Recipe,
    *,
    seconds: Mapping[str, float],
    artifacts: Mapping[str, str],
    notes: tuple[str, ...] = (),
    strict: bool = False,
) -> Report:
    """The report of a run. `seconds`: `load_s` and `total_s`, which the run does not see."""
    plan, result, outputs = run.plan, run.result, _outputs(run)
    found = () if run.diagnosis is None else run.diagnosis.warnings
    notes = (*plan.notes, *result.warnings, *found, *_advice(outputs, recipe), *notes)
    return Report(
        recipe=_subject(run, recipe),
        target=plan.target,
        emulated=plan.emulated,
        environment=describe(plan.device),
        metrics=run.metrics,
        performance=run.performance,
        size=run.size,
        quantization=_quantization(run),
        layers=_layers(run),
        outputs=outputs,
        checks=run.checks,
        timings=Timings(**run.timings, **seconds),
        artifacts=artifacts,
        cache=run.cache,
        control=None if run.control is None else control_content(run.control),
        tuning=None if run.tuning is None else tuning_content(run.tuning),
        baseline=run.baseline,
        peak_memory_bytes=run.peak_memory_bytes,
        strict=strict,
        notes=tuple(dict.fromkeys(notes)),
    )


def _subject(run: Run, recipe: Recipe) -> Subject:
    return Subject(
        name=recipe.name,
        path=_shown_path(recipe.path),
        digest=recipe_digest(recipe),
        plan_digest=plan_json.digest(run.plan),
    )


def _shown_path(path: Path) -> str:
    """The path as given; below the working directory relative to it, so that it names no home."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def _quantization(run: Run) -> Quantization:
    result = run.result
    return Quantization(
        operations=len(result.operations),
        quantized=count(result, Fate.QUANTIZED),
        passthrough=count(result, Fate.PASSTHROUGH),
        fused=count(result, Fate.FUSED),
        fake_quantize=result.fake_quantize_count,
        samples=result.sample_count,
        policies=result.outcomes,
        reverted=() if run.control is None else tuple(each.name for each in run.control.reverted),
        not_quantized=tuple(
            KeptOperation(name=each.plan.name, type=each.plan.type, reason=each.plan.reason)
            for each in result.operations
            if _is(each, Fate.FLOAT)
        ),
    )


def _is(operation: OperationResult, fate: Fate) -> bool:
    return operation.plan.status is fate


def _layers(run: Run) -> tuple[Layer, ...]:
    found = {each.name: each for each in run.diagnosis.layers} if run.diagnosis else {}
    quantized = (each for each in run.result.operations if _is(each, Fate.QUANTIZED))
    return tuple(_layer(each, found.get(each.plan.name)) for each in quantized)


def _outputs(run: Run) -> tuple[OutputNoise, ...]:
    return tuple(
        OutputNoise(name=each.name, sqnr_db=finite(each.sqnr_db), note=each.reason)
        for each in (run.diagnosis.outputs if run.diagnosis else ())
    )


_NOISY = 10.0
"""Decibels at which the noise has a tenth of the output's power, and classes begin to change."""


def _advice(outputs: tuple[OutputNoise, ...], recipe: Recipe) -> Iterator[str]:
    """What to do where noise drowns an output."""
    noisy = [each for each in outputs if each.sqnr_db is not None and each.sqnr_db < _NOISY]
    if noisy:
        command = f"recipe sensitivity {_shown_path(recipe.path)} --patch"
        names = ", ".join(repr(each.name) for each in noisy)
        yield (
            f"signal to noise is below {_NOISY:.0f} dB at {names}; `{command}` leaves the layers"
            " that make most of it in floating point"
        )


def _layer(operation: OperationResult, found: LayerDiagnosis | None) -> Layer:
    plan = operation.plan
    return Layer(
        name=plan.name,
        type=plan.type,
        weights_scheme=None if plan.weights is None else str(plan.weights),
        activations_scheme=activations(plan),
        ranges=operation.ranges,
        bias_shift=operation.bias_shift,
        saturation=operation.saturation,
        is_half_range=operation.is_half_range,
        sqnr_db=finite(found.sqnr_db) if found else None,
        own_sqnr_db=finite(found.own_sqnr_db) if found else None,
        noise_share=found.noise_share if found else None,
        weights_share=found.weights_share if found else None,
        clipped=found.clipped if found else {},
        note="; ".join(filter(None, (operation.note, found.reason if found else ""))),
    )
