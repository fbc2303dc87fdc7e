"""Rules about checks: each has one bound, which fits its metric and what it is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from quant.steps.order import ACCURACY_AWARE, QUANTIZING
from runner.document.check import Checked
from runner.document.document import KeyPath, locate, locate_key, value_at
from runner.document.names import listed, suggest
from runner.errors import Problem
from runner.expect.subjects import (
    BASELINE,
    BOUNDS,
    FP32,
    MEASURED,
    METRIC,
    SPEED,
    STEP,
    Noise,
    Subject,
    step_of,
    subject_of,
)
from runner.recipe.rules.targets import target_name


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
    with_type = [kind for kind, bound in BOUNDS.items() if bound.has_drop_type]
    for at, check in _checks(checked):
        if "drop_type" in check and not {*with_type} & {*_bounds(checked, at)}:
            message = f"'drop_type' has a meaning only beside {listed(with_type)}"
            yield Problem(locate_key(checked.document, (*at, "drop_type")), message, "remove it")


def days(checked: Checked) -> Iterator[Problem]:
    """The last day of an expected failure is in the calendar."""
    for at, check in _checks(checked):
        until = check.get("xfail", {}).get("until")
        if until is not None and not _is_day(until):
            message = f"{until!r} is not in the calendar"
            yield Problem(locate(checked.document, (*at, "xfail", "until")), message)


def metrics(checked: Checked) -> Iterator[Problem]:
    """A check names a metric that is there, and a bound that fits it."""
    known = [*_evaluated(checked), *MEASURED]
    for at, check in _checks(checked):
        if "metric" not in check or len(_bounds(checked, at)) > 1:
            continue
        metric = check["metric"]
        if metric not in known:
            message = f"unknown metric {metric!r}; expected {listed(known)}{suggest(metric, known)}"
            hint = "define it under evaluate.metrics"
            yield Problem(locate(checked.document, (*at, "metric")), message, hint)
            continue
        fitting = subject_of(metric).bounds
        for kind in (key for key in check if key in BOUNDS and key not in fitting):
            message = f"{kind!r} does not fit {metric!r}; expected {listed(fitting)}"
            yield Problem(locate_key(checked.document, (*at, kind)), message)


def references(checked: Checked) -> Iterator[Problem]:
    """A check is compared with something that there is, and that its metric has."""
    for at, check, subject in _fitting(checked):
        (kind,) = _bounds(checked, at)
        place = locate(checked.document, (*at, "against"))
        against = check.get("against")
        if against is None and _is_written(checked, (*at, "against")):
            continue
        if not BOUNDS[kind].is_compared:
            if against is not None:
                message = f"'against' has no meaning beside {kind!r}, which bounds the value itself"
                place = locate_key(checked.document, (*at, "against"))
                yield Problem(place, message, "remove it")
        elif _kind(against or FP32) not in subject.against:
            place = place if against else locate_key(checked.document, (*at, kind))
            yield Problem(place, *_no_reference(check["metric"], against or FP32, subject))
        elif (against or FP32) == FP32 and _is_sqnr(checked, check["metric"]):
            message = f"{check['metric']!r} is a signal to noise, of which FP32 itself has none"
            hint = "bound it with `min`, or write `against: baseline`"
            yield Problem(locate_key(checked.document, (*at, kind)), message, hint)
        elif (step := step_of(against or FP32)) is not None and (
            fault := _step_fault(checked.value.get("steps", ()), step)
        ):
            yield Problem(place, *fault)


def confidences(checked: Checked) -> Iterator[Problem]:
    """A confidence is asked of what has an interval."""
    for at, check, subject in _fitting(checked):
        if "confidence" in check and subject.noise in (Noise.EXACT, Noise.ONCE):
            message = f"{check['metric']!r} has no interval: it is counted, or measured once"
            place = locate_key(checked.document, (*at, "confidence"))
            yield Problem(place, message, "remove 'confidence'; the value itself decides")


def conditions(checked: Checked) -> Iterator[Problem]:
    """A condition on the target names targets of the recipe."""
    names = [target_name(each) for each in checked.value.get("targets", ("cpu",))]
    for at, check in _checks(checked):
        wanted = check.get("when", {}).get("target", ())
        for name in [wanted] if isinstance(wanted, str) else wanted:
            if name not in names:
                message = f"the recipe has no target {name!r}; expected {listed(names)}"
                place = locate(checked.document, (*at, "when", "target"))
                yield Problem(place, f"{message}{suggest(name, names)}")


def benchmark(checked: Checked) -> Iterator[Problem]:
    """Checks of speed have a benchmark to look at."""
    for at, check in _checks(checked):
        if check.get("metric") in SPEED and "benchmark" not in checked.written:
            message = f"{check['metric']!r} is not measured; add `benchmark: {{}}` to the recipe"
            yield Problem(locate(checked.document, (*at, "metric")), message)


def _checks(checked: Checked) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    for i, check in enumerate(checked.value.get("expect", ())):
        yield ("expect", i), check


def _fitting(checked: Checked) -> Iterator[tuple[KeyPath, dict[str, Any], Subject]]:
    """The checks of known metrics with one bound that fits, and their subjects."""
    names = _evaluated(checked)
    for at, check in _checks(checked):
        bounds, metric = _bounds(checked, at), check.get("metric")
        subject = METRIC if metric in names else MEASURED.get(str(metric))
        if subject is not None and len(bounds) == 1 and bounds[0] in subject.bounds:
            yield at, check, subject


def _evaluated(checked: Checked) -> list[str]:
    """The names of the recipe's metrics, wrong ones included."""
    written = value_at(checked.written, ("evaluate", "metrics"))
    names = written if isinstance(written, dict) else ()
    return [name for name in names if name not in MEASURED]


def _bounds(checked: Checked, at: KeyPath) -> list[str]:
    """The bounds that a check has, wrong ones included."""
    written = value_at(checked.written, at)
    return [key for key in written if key in BOUNDS] if isinstance(written, dict) else []


def _is_written(checked: Checked, path: KeyPath) -> bool:
    return value_at(checked.written, path) is not None


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _kind(against: str) -> str:
    return against.partition(":")[0]


def _is_sqnr(checked: Checked, metric: str) -> bool:
    """Whether the recipe's metric of that name is surely a signal to noise."""
    found = value_at(checked.value, ("evaluate", "metrics", metric)) or {}
    return (found.get("metric"), found.get("compare")) == ("agreement", "sqnr")


_WAYS = {FP32: "'fp32'", BASELINE: "'baseline'", STEP: "'step:ID'"}


def _no_reference(metric: str, against: str, subject: Subject) -> tuple[str, str]:
    ways = " or ".join(_WAYS[each] for each in subject.against)
    message = f"{metric!r} can't be compared with {against!r}; expected {ways}"
    return message, f"write `against: {_WAYS[subject.against[0]][1:-1]}`"


def _step_fault(steps: Any, name: str) -> tuple[str, str] | None:
    """Why the model after the step of that id is nothing to compare with."""
    ids = [step.get("id", step.get("use")) for step in steps]
    known = [each for each in ids if each is not None]
    if name not in known:
        message = f"there is no step {name!r}; expected {listed(known)}{suggest(name, known)}"
        return message, ""
    position = ids.index(name)
    uses = [step.get("use") for step in steps[: position + 1]]
    if not {*uses} & {*QUANTIZING}:
        message = f"before quantization, {name!r} leaves a model that computes what FP32 does"
        return message, "write `against: fp32`"
    if uses[-1] == ACCURACY_AWARE:
        return f"what {ACCURACY_AWARE} ends with is no model to compare with", ""
    if position == len(ids) - 1:
        message = f"{name!r} is the last step: its model is the one that is checked"
        return message, "name an earlier step that quantizes, or write `against: fp32`"
    return None
