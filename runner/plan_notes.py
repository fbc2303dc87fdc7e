"""What a user should know of a plan before it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from quant.isa import DETECT, saturates
from quant.runtime import ov
from quant.target import Target
from runner.baseline.file import environments, read_baseline
from runner.baseline.record import environment_class
from runner.baseline.reference import no_baseline
from runner.expect.power import power_notes
from runner.expect.subjects import BASELINE
from runner.isa import isa, isa_class
from runner.recipe.recipe import Recipe

if TYPE_CHECKING:
    from runner.plan import ControlPlan, Plan


def plan_notes(
    plan: Plan, recipe: Recipe, target: Target, *, samples: int, asked: int
) -> Iterator[str]:
    """The notes of a plan.

    Args:
        samples: how many the calibration pass reads; `asked`: how many the steps ask for.

    Raises:
        RecipeError: the baseline file can't be read.
    """
    yield from plan.quantization.warnings
    if target.isa is not None and saturates(target.isa) != saturates(DETECT):
        here, there = ("does", "does not") if saturates(DETECT) else ("does not", "does")
        yield (
            f"the target's instruction set {target.isa!r} {there} saturate, this machine's {here}: "
            "what is measured here is not the accuracy there"
        )
    for role, data in plan.datasets.items():
        if data.requested is not None and data.samples < data.requested:
            yield f"{role}: {data.samples} samples, fewer than the {data.requested} asked for"
    if asked > samples:
        yield f"stat_subset_size is {asked}, but there are only {samples} samples"
    yield from _baseline_note(recipe, plan)
    yield from power_notes(plan)
    if plan.control is not None:
        yield _control_note(plan.control)
    if plan.tuning:
        when = "where that misses the limit, " if plan.control is not None else ""
        yield (
            f"the plan is that before tuning: {when}{', '.join(plan.tuning)} are chosen by "
            "comparing models"
        )
    if plan.emulated:
        yield (
            f"the target {plan.target!r} is emulated on {plan.device}: accuracy only, "
            "its speed is not measured"
        )


def _baseline_note(recipe: Recipe, plan: Plan) -> Iterator[str]:
    environment = environment_class(plan.device, isa_class(isa()), ov.__version__)
    is_wanted = any(each.against == BASELINE and not each.unmet for each in plan.checks)
    if read_baseline(recipe, environment) is None and is_wanted:
        yield no_baseline(environment, environments(recipe))


def _control_note(control: ControlPlan) -> str:
    wanted = " and ".join(control.metrics)
    return (
        f"the plan is that with nothing reverted: {control.unit}s return to "
        f"{', then '.join(control.revert_to)} until the {control.drop_type} drop of {wanted} is at "
        f"most {control.maximal_drop:g}"
    )
