"""What a run of a recipe is compared with: the result that was accepted for its environment."""

from __future__ import annotations

from runner.baseline.compare import BaselineUse, compare
from runner.baseline.file import baseline_path, environments, read_baseline
from runner.baseline.record import Record
from runner.baseline.reference import no_baseline, reference_of
from runner.expect.quantity import Reference
from runner.recipe.recipe import Recipe

RESULTS = "outcomes.json"
"""The file in the folder of results that `recipe baseline accept` takes."""
NAME = "the baseline"


def baseline_reference(recipe: Recipe, record: Record) -> Reference:
    """The accepted result for checks to compare with, or why there is none.

    Raises:
        RecipeError: the baseline file can't be read.
    """
    environment = record.machine.environment
    then = read_baseline(recipe, environment)
    if then is None:
        return Reference(name=NAME, reasons={"": no_baseline(environment, environments(recipe))})
    return reference_of(then, record, NAME)


def compared(recipe: Recipe, record: Record) -> BaselineUse | None:
    """What became of the accepted result; None where there is none.

    Raises:
        RecipeError: the baseline file can't be read.
    """
    environment = record.machine.environment
    then = read_baseline(recipe, environment)
    if then is None:
        return None
    path = baseline_path(recipe, environment).as_posix()
    return BaselineUse(environment=environment, path=path, comparisons=compare(then, record, NAME))
