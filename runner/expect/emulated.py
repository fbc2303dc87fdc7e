"""Speed of targets that no device runs."""

from __future__ import annotations

from collections.abc import Iterator

from quant.target import Target
from runner.errors import Problem
from runner.expect.subjects import SPEED
from runner.expect.when import unmet
from runner.recipe.recipe import Recipe


def speed_problems(recipe: Recipe, target: Target) -> Iterator[Problem]:
    """The checks of speed on a target that has no device on any machine."""
    if target.device is not None:
        return
    known = {"target": recipe.target.name, "profile": recipe.profile, "emulated": True}
    for i, each in enumerate(recipe.expect):
        if each.metric in SPEED and not unmet(each.when, known):
            message = (
                f"{each.metric!r} means nothing on the target {target.name!r}: no device runs it, "
                "and emulation has no speed"
            )
            hint = "remove the check, or give it `when: {emulated: false}`"
            yield Problem(recipe.locate("expect", i, "metric"), message, hint)
