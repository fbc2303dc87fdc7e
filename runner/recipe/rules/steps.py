"""Rules about the steps of a recipe: their ids, their order and the data that they need."""

from __future__ import annotations

from collections.abc import Iterator

from quant.steps.order import order_fault
from runner.document.check import Checked
from runner.document.document import locate, value_at
from runner.errors import Problem
from runner.packaged_steps import preparing


def distinct_ids(checked: Checked) -> Iterator[Problem]:
    """No two steps have one id; a step without one has its algorithm's name.

    Of a step that can't stand where it does at all, only that is told.
    """
    seen: set[str] = set()
    misplaced = {problem.location for problem in order(checked)}
    for i, step in enumerate(checked.value.get("steps", ())):
        name = step.get("id", step.get("use"))
        if name in seen:
            key = "id" if "id" in step else "use"
            message = f"the step id {name!r} is repeated; give each step an `id` of its own"
            place = locate(checked.document, ("steps", i, key))
            if place not in misplaced:
                yield Problem(place, message)
        seen |= {name} - {None}


def order(checked: Checked) -> Iterator[Problem]:
    """The steps stand in an order in which they can work; see `quant.steps.order`."""
    uses = [step.get("use") for step in checked.value.get("steps", ())]
    if None in uses:  # a step that is not known may be the one that quantizes
        return
    early = preparing(uses)
    for i, use in enumerate(uses):
        before, after = uses[:i], uses[i + 1 :]
        if message := order_fault(str(use), before=before, after=after, preparing=early):
            yield Problem(locate(checked.document, ("steps", i, "use")), message)


def calibration(checked: Checked) -> Iterator[Problem]:
    """Steps that collect statistics have data to collect them on."""
    if value_at(checked.written, ("datasets", "calibration")) is not None:
        return
    for i, step in enumerate(checked.value.get("steps", ())):
        if "use" in step:
            message = f"{step['use']} needs calibration data; add datasets: {{calibration: ...}}"
            yield Problem(locate(checked.document, ("steps", i, "use")), message)
            return
