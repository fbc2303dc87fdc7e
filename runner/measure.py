"""A recipe measured for its numbers alone: nothing of it stands in `outputs.dir` afterwards."""

from __future__ import annotations

import tempfile
from pathlib import Path

from runner.cache.cache import Cache
from runner.control import trial_path
from runner.plan import Plan, make_plan
from runner.progress import Progress, silent
from runner.recipe.recipe import Recipe
from runner.requirements import ALL, Parts
from runner.run import Run, run


def measure(
    recipe: Recipe,
    *,
    plan: Plan | None = None,
    parts: Parts = ALL,
    cache: Cache | None = None,
    progress: Progress = silent,
) -> Run:
    """The run of a recipe.

    Args:
        plan: the recipe's, where it is made already.

    Raises:
        RunnerError: as from `make_plan` and `run`.
    """
    made = make_plan(recipe, parts=parts) if plan is None else plan
    with tempfile.TemporaryDirectory(prefix="recipe-") as folder:
        found = run(made, recipe, Path(folder), parts=parts, cache=cache, progress=progress)
    trial_path(recipe).unlink(missing_ok=True)
    return found
