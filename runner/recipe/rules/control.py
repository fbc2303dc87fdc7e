"""Rules about AccuracyAwareQuantization: it judges by metrics of the recipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from quant.steps.order import ACCURACY_AWARE
from runner.document.check import Checked
from runner.document.document import KeyPath, locate, locate_key, value_at
from runner.document.names import listed, suggest
from runner.errors import Problem


def evaluated(checked: Checked) -> Iterator[Problem]:
    """There is something to measure the drop by."""
    if "evaluate" not in checked.written:
        for i, _ in _steps(checked):
            message = f"{ACCURACY_AWARE} needs metrics; add evaluate: {{metrics: ...}}"
            yield Problem(locate(checked.document, ("steps", i, "use")), message)


def metrics(checked: Checked) -> Iterator[Problem]:
    """The metrics that are named are the recipe's."""
    known = list(value_at(checked.value, ("evaluate", "metrics")) or ())
    for i, given in _steps(checked):
        at: KeyPath = ("steps", i, "with")
        for position, name in enumerate(given.get("metrics", ())):
            if name not in known:
                yield _unknown(checked, locate(checked.document, (*at, "metrics", position)), name)
        for name in given.get("baseline_value", {}):
            if name not in known:
                yield _unknown(
                    checked, locate_key(checked.document, (*at, "baseline_value", name)), name
                )


def _steps(checked: Checked) -> Iterator[tuple[int, dict[str, Any]]]:
    for i, step in enumerate(checked.value.get("steps", ())):
        if step.get("use") == ACCURACY_AWARE:
            yield i, step.get("with", {})


def _unknown(checked: Checked, place: Any, name: str) -> Problem:
    known = list(value_at(checked.value, ("evaluate", "metrics")) or ())
    expected = f"; expected {listed(known)}" if known else ""
    return Problem(place, f"unknown metric {name!r}{expected}{suggest(name, known)}")
