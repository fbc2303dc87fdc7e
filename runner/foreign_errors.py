"""The one place where errors of `quant` and of OpenVINO become the runner's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quant.errors import ParameterError, QuantError, SamplesError, telling_line
from runner.errors import DataError, ModelError, Problem, RecipeError
from runner.recipe.recipe import Recipe


@contextmanager
def mapped_errors(doing: str, data: Path | None = None) -> Iterator[None]:
    """Raises ModelError or DataError for what OpenVINO or `quant` raises inside.

    Args:
        doing: what is being done, as it goes on after "OpenVINO can't".
        data: where the samples come from.
    """
    try:
        yield
    except SamplesError as error:
        raise DataError(str(error), data) from error
    except QuantError as error:
        raise ModelError(str(error)) from error
    except RuntimeError as error:
        message = f"OpenVINO can't {doing}: {telling_line(str(error))}"
        raise ModelError(message) from error


def located(error: ParameterError, recipe: Recipe) -> RecipeError:
    """The problems of steps' parameters, each at its place in the recipe."""
    return RecipeError(
        Problem(recipe.locate("steps", each.step, "with", *each.path), each.message, each.hint)
        for each in error.problems
    )
