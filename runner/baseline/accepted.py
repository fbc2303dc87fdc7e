"""What a run of a recipe is compared with: the result that was accepted for its environment."""

from __future__ import annotations

from dataclasses import dataclass

from quant.runtime import ov
from runner.baseline.compare import BaselineUse, compare
from runner.baseline.file import baseline_path, environments, read_baseline
from runner.baseline.record import Record, environment_class
from runner.baseline.reference import no_baseline, reference_of
from runner.expect.quantity import Reference
from runner.isa import isa, isa_class
from runner.recipe.recipe import Recipe

RESULTS = "outcomes.json"
"""The file in the folder of results that `recipe baseline accept` takes."""
NAME = "the baseline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The result that was accepted for a class of environments; None where there is none."""

    recipe: Recipe
    environment: str
    record: Record | None


def read_accepted(recipe: Recipe, device: str) -> Accepted:
    """The result that was accepted for this machine and the device.

    Raises:
        RecipeError: the baseline file can't be read.
    """
    environment = environment_class(device, isa_class(isa()), ov.__version__)
    record = read_baseline(recipe, environment)
    return Accepted(recipe=recipe, environment=environment, record=record)


def baseline_reference(then: Accepted, now: Record) -> Reference:
    """The accepted result for checks to compare with, or why there is none."""
    if then.record is None:
        reason = no_baseline(then.environment, environments(then.recipe))
        return Reference(name=NAME, reasons={"": reason})
    return reference_of(then.record, now, NAME)


def compared(then: Accepted, now: Record) -> BaselineUse | None:
    """What became of the accepted result; None where there is none."""
    if then.record is None:
        return None
    path = baseline_path(then.recipe, then.environment).as_posix()
    comparisons = compare(then.record, now, NAME)
    return BaselineUse(environment=then.environment, path=path, comparisons=comparisons)
