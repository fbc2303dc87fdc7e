"""A Plan as text: counts first, then what will run, then every operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Console

from quant.entry import inferring
from quant.plan import BiasPlan, OperationPlan, Planned, Status, TuningPlan
from quant.steps.bias_correction import SHARE
from runner import plan_json
from runner.cache.use import CacheState, CacheUse
from runner.expect.subjects import BOUNDS, FP32
from runner.plan import CheckPlan, Plan, calibration_count
from runner.recipe.recipe import Recipe
from runner.report.numbers import NONE
from runner.report.schemes import activations
from runner.report.tables import print_table


def print_plan(plan: Plan, recipe: Recipe, use: CacheUse, console: Console) -> None:
    """Prints a plan and what the cache holds for it; names are never cut."""
    emulated = f", emulated on {plan.device}" if plan.emulated else ""
    console.print(f"{plan.recipe} -> {plan.target}{emulated}", style="bold")
    for line in _summary(plan, recipe, use):
        console.print(f"  {line}")
    for note in plan.notes:
        console.print(f"  note: {note}", style="yellow")
    console.print()
    rows = [_row(each) for each in plan.quantization.operations]
    print_table(console, ("operation", "type", "weights", "activations", "why"), rows)


def _summary(plan: Plan, recipe: Recipe, use: CacheUse) -> Iterator[str]:
    digest = plan_json.digest(plan)
    yield f"plan {digest[:12]}, model {plan.model_sha256[:12]} {recipe.model.path.name}"
    counts = Counter(each.status for each in plan.quantization.operations)
    yield (
        f"operations: {counts[Status.QUANTIZED]} quantized, {counts[Status.PASSTHROUGH]} passed "
        f"through, {counts[Status.FUSED]} fused, {counts[Status.FLOAT]} in floating point"
    )
    yield f"steps: {' -> '.join(plan.quantization.step_names)}"
    yield f"calibration: {calibration_count(plan)} samples, {_CALIBRATION[use.statistics]}"
    again = inferring(plan.quantization)
    for name, step in zip(plan.quantization.step_names, plan.quantization.steps, strict=True):
        if isinstance(step, BiasPlan | TuningPlan):
            yield f"{name} infers again, in {len(step.stages)} pieces, on {_again(step)}"
        elif name in again:
            yield f"{name} infers again, on {_again(step)}"
    if plan.metrics:
        names = ", ".join(plan.metrics)
        samples = plan.datasets["validation"].samples
        is_cached = use.baseline is CacheState.HIT
        models = "the quantized model, FP32 cached" if is_cached else "both models"
        yield f"evaluation: {names} on {samples} samples, f32, {models}"
    if plan.benchmark is not None:
        speed = plan.benchmark
        yield f"benchmark: {speed.hint}, {speed.repeats} x {speed.seconds:g} s per model, in turn"
    for check, expected in zip(plan.checks, recipe.expect, strict=True):
        yield f"check {check.id}: {_check(check)} ({expected.where})"
    yield f"results: {recipe.outputs.dir}"


_CALIBRATION = {
    CacheState.HIT: "cached: no inference",
    CacheState.PARTIAL: "one f32 pass for what is not cached",
    CacheState.MISS: "one f32 pass",
    CacheState.OFF: "one f32 pass",
}


def _check(check: CheckPlan) -> str:
    """What is expected, and how that is decided."""
    bound = BOUNDS[check.kind]
    words = [f"{check.metric} {check.kind} {check.bound:g}"]
    words += [check.drop_type] if bound.has_drop_type else []
    words += [f"against {check.against}"] if bound.is_compared and check.against != FP32 else []
    words += [f"{check.confidence * 100:g} % interval"] if check.confidence is not None else []
    words += ["a warning"] if check.severity != "error" else []
    words += [f"skipped: {check.unmet}"] if check.unmet else []
    return ", ".join(words)


def _again(step: Planned) -> str:
    """Which of the samples a step reads again."""
    size = step.subset.few or step.subset.size
    share = f"{SHARE:.0%} of " if isinstance(step, BiasPlan) else ""
    return f"{share}{'all' if size is None else size} samples"


def _row(operation: OperationPlan) -> tuple[str, ...]:
    weights = NONE if operation.weights is None else str(operation.weights)
    why = operation.reason or (
        "" if operation.status is Status.QUANTIZED else operation.status.value
    )
    return operation.name, operation.type, weights, activations(operation) or NONE, why
