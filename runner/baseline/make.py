"""A run to its Record."""

from __future__ import annotations

from runner import plan_json
from runner.baseline.record import Machine, Record, SpeedRecord, metric_record
from runner.environment import describe
from runner.expect.quantity import Quantities
from runner.expect.subjects import MEASURED, SPEED
from runner.isa import isa_class
from runner.plan import Plan
from runner.recipe.digest import recipe_digest
from runner.recipe.recipe import Recipe
from runner.report.numbers import finite


def make_record(
    plan: Plan, recipe: Recipe, *, fp32: Quantities, measured: Quantities, samples: str
) -> Record:
    """What a run measured, as it can be accepted. `samples`: the digest of the validation data."""
    plain = [name for name in MEASURED if name in measured and name not in SPEED]
    return Record(
        recipe=recipe.name,
        file=recipe.path.name,
        profile=recipe.profile,
        target=recipe.target.name,
        emulated=plan.emulated,
        machine=_machine(plan.device),
        recipe_digest=recipe_digest(recipe),
        plan_digest=plan_json.digest(plan),
        model_sha256=plan.model_sha256,
        metrics={
            name: metric_record(each.metric, each.options, measured[name], fp32[name], samples)
            for name, each in plan.metrics.items()
        },
        speeds={
            name: SpeedRecord(value=measured[name].value or 0.0, repeats=measured[name].parts)
            for name in SPEED
            if name in measured
        },
        measures={name: finite(measured[name].value) for name in plain},
    )


def _machine(device: str) -> Machine:
    found = describe(device)
    return Machine(
        device=found.device,
        device_name=found.device_name,
        isa=isa_class(found.isa),
        openvino=found.openvino,
        threads=found.threads,
    )
