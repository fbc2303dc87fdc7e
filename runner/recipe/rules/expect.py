"""Rules about checks: each has one bound, and it fits the metric."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.document.check import Checked
from runner.document.document import Document, KeyPath, locate, locate_key, value_at
from runner.document.names import listed, suggest
from runner.errors import Problem
from runner.recipe.schemas.evaluate import BOUNDS, MEASURED_BOUNDS, QUALITY_BOUNDS, SPEED


def distinct_ids(checked: Checked) -> Iterator[Problem]:
    """No two checks have one id."""
    seen: set[str] = set()
    for at, check in _checks(checked):
        if check.get("id") in seen:
            message = f"the check id {check['id']!r} is repeated; give each check its own"
            yield Problem(locate(checked.document, (*at, "id")), message)
        seen |= {check["id"]} if "id" in check else set()


def one_bound(checked: Checked) -> Iterator[Problem]:
    """A check has exactly one bound."""
    for at, _ in _checks(checked):
        bounds = _bounds(checked, at)
        if not bounds and isinstance(value_at(checked.written, at), dict):
            message = f"this check has no bound; add one of {listed(BOUNDS)}"
            yield Problem(locate(checked.document, at), message)
        elif len(bounds) > 1:
            message = f"a check has one bound, but this has {listed(bounds, 'and')}"
            place = locate_key(checked.document, (*at, bounds[1]))
            yield Problem(place, message, "write one check for each")


def drop_types(checked: Checked) -> Iterator[Problem]:
    """Only a drop has a type."""
    for at, check in _checks(checked):
        if "drop_type" in check and not _is_written(checked, (*at, "max_drop")):
            message = "'drop_type' has a meaning only beside 'max_drop'"
            yield Problem(locate_key(checked.document, (*at, "drop_type")), message, "remove it")


def metrics(checked: Checked) -> Iterator[Problem]:
    """A check names a metric that is there, and a bound that fits it."""
    evaluated = value_at(checked.written, ("evaluate", "metrics"))
    names = evaluated if isinstance(evaluated, dict) else ()
    quality = [name for name in names if name not in MEASURED_BOUNDS]
    for at, check in _checks(checked):
        if "metric" in check and len(_bounds(checked, at)) < 2:
            yield from _metric_problems(checked.document, at, check, quality)


def benchmark(checked: Checked) -> Iterator[Problem]:
    """Checks of speed have a benchmark to look at."""
    for at, check in _checks(checked):
        if check.get("metric") in SPEED and "benchmark" not in checked.written:
            message = f"{check['metric']!r} is not measured; add `benchmark: {{}}` to the recipe"
            yield Problem(locate(checked.document, (*at, "metric")), message)


def _checks(checked: Checked) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    for i, check in enumerate(checked.value.get("expect", ())):
        yield ("expect", i), check


def _bounds(checked: Checked, at: KeyPath) -> list[str]:
    """The bounds that a check has, wrong ones included."""
    written = value_at(checked.written, at)
    return [key for key in written if key in BOUNDS] if isinstance(written, dict) else []


def _is_written(checked: Checked, path: KeyPath) -> bool:
    return value_at(checked.written, path) is not None


def _metric_problems(
    document: Document, at: KeyPath, check: dict[str, Any], quality: list[str]
) -> Iterator[Problem]:
    metric = check["metric"]
    known = [*quality, *MEASURED_BOUNDS]
    fitting = QUALITY_BOUNDS if metric in quality else MEASURED_BOUNDS.get(metric)
    if fitting is None:
        message = f"unknown metric {metric!r}; expected {listed(known)}{suggest(metric, known)}"
        yield Problem(
            locate(document, (*at, "metric")), message, "define it under evaluate.metrics"
        )
        return
    for bound in (key for key in check if key in BOUNDS and key not in fitting):
        message = f"{bound!r} does not fit {metric!r}; expected {listed(fitting)}"
        yield Problem(locate_key(document, (*at, bound)), message)
