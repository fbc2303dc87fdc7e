"""Rules between the parameters of one step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from quant.parameter_faults import part_faults, range_faults
from quant.steps.order import COMPOSITES
from runner.document.check import Checked
from runner.document.document import KeyPath, locate
from runner.errors import Problem

LAYER_KEYS = ("names", "patterns", "types")


def patterns(checked: Checked) -> Iterator[Problem]:
    """Patterns of names, of ignored operations and of layers, are regular expressions."""
    ignored = (((*at, "ignored"), each.get("ignored", {})) for at, each in _parameters(checked))
    for at, holder in (*ignored, *_layers(checked)):
        for i, pattern in enumerate(holder.get("patterns", ())):
            if fault := _pattern_fault(pattern):
                place = locate(checked.document, (*at, "patterns", i))
                yield Problem(place, f"{pattern!r} is not a regular expression: {fault}")


def layers(checked: Checked) -> Iterator[Problem]:
    """An entry of `layers` says for which ones, and what."""
    for at, entry in _layers(checked):
        place = locate(checked.document, at)
        if not any(entry.get(key) for key in LAYER_KEYS):
            hint = "add `names`, `patterns` or `types`"
            yield Problem(place, "the entry names no layers", hint)
        elif not set(entry) - set(LAYER_KEYS):
            hint = "add a key of the scheme, such as `mode: asymmetric`, or `range_estimator`"
            yield Problem(place, "the entry asks for nothing", hint)


def levels(checked: Checked) -> Iterator[Problem]:
    """Levels come in pairs, low below high, and as many as the bits can hold."""
    for at, scheme in _schemes(checked):
        low, high = scheme.get("level_low"), scheme.get("level_high")
        fault = _levels_fault(low, high, scheme.get("bits"))
        if fault:
            key = "level_low" if low is not None else "level_high"
            yield Problem(locate(checked.document, (*at, key)), fault)


def estimators(checked: Checked) -> Iterator[Problem]:
    """What does not go together in a range estimator."""
    for at, scheme in _schemes(checked):
        for keys, fault in range_faults(scheme.get("range_estimator", {})):
            yield Problem(locate(checked.document, (*at, "range_estimator", *keys)), fault)


def parts(checked: Checked) -> Iterator[Problem]:
    """Parameters of parts of composite steps that are not on."""
    for i, step in enumerate(checked.value.get("steps", ())):
        if step.get("use") in COMPOSITES:
            for keys, fault in part_faults(step.get("with", {})):
                yield Problem(locate(checked.document, ("steps", i, "with", *keys)), fault)


def _parameters(checked: Checked) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    for i, step in enumerate(checked.value.get("steps", ())):
        if "use" in step:
            yield ("steps", i, "with"), step.get("with", {})


def _schemes(checked: Checked) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    for at, parameters in _parameters(checked):
        yield at, parameters  # which may have a range estimator for both
        for part in ("weights", "activations"):
            yield (*at, part), parameters.get(part, {})
    yield from _layers(checked)


def _layers(checked: Checked) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    for at, parameters in _parameters(checked):
        for part in ("weights", "activations"):
            for i, entry in enumerate(parameters.get(part, {}).get("layers", ())):
                yield (*at, part, "layers", i), entry


def _pattern_fault(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return ""


def _levels_fault(low: int | None, high: int | None, bits: int | None) -> str:
    if low is None or high is None:
        missing = "level_low" if low is None else "level_high"
        return "" if low is high else f"levels come in pairs; add {missing!r}"
    if low >= high:
        return f"'level_low' is {low}; expected less than 'level_high', which is {high}"
    if bits is not None and high - low >= 2**bits:
        return f"{bits} bits hold {2**bits} levels, but {low} to {high} are {high - low + 1}"
    return ""
