"""What makes the candidates of a recipe's composite step."""

from __future__ import annotations

from quant.control.candidate import Workshop
from quant.control.parameters import AccuracyAwareParameters
from quant.parameter_reader import read_parameters
from quant.statistics.passes import Progress, Samples
from quant.statistics.store import MemoryStore
from runner.cache.kept import Kept
from runner.plan import Plan, searched_step
from runner.recipe.recipe import Recipe
from runner.subjects import make_steps
from runner.targets import load_target


def make_workshop(
    plan: Plan,
    recipe: Recipe,
    samples: Samples,
    kept: Kept,
    progress: Progress | None = None,
) -> Workshop:
    """The workshop of the step that is searched.

    Args:
        samples: those of the calibration.
        kept: holds the statistics of the plan, in which nothing is reverted or tuned.
        progress: called with the number of samples that are done, in every calibration pass.
    """
    position = searched_step(recipe)
    assert position is not None
    written = recipe.steps[position].parameters
    return Workshop(
        model=plan.quantization.model,
        target=load_target(recipe.target.path or recipe.target.name),
        steps=tuple(make_steps(recipe)),
        position=position,
        parameters=read_parameters(AccuracyAwareParameters, written, step=position),
        samples=samples,
        store=kept.statistics or MemoryStore(),
        progress=progress,
        given=written,
    )
