"""Conditions of checks: plain values, of which each has to hold."""

from __future__ import annotations

from collections.abc import Mapping

from runner.document.names import listed

Value = str | bool
Facts = Mapping[str, Value | None]
"""What is so, by the names that conditions have."""


def unmet(when: Mapping[str, tuple[Value, ...]], facts: Facts) -> str:
    """Which of the conditions does not hold, in words; empty where all do.

    A fact that is not known meets any condition. A version fits one that begins like it.

    >>> unmet({"target": ("cpu", "gpu")}, {"target": "npu"})
    "only when target is 'cpu' or 'gpu', and it is 'npu'"
    >>> unmet({"openvino": ("2026.4",)}, {"openvino": "2026.4.1"})
    ''
    """
    for name, wanted in when.items():
        if name in facts and not any(_fits(name, each, facts[name]) for each in wanted):
            return f"only when {name} is {listed(wanted)}, and it is {facts[name]!r}"
    return ""


def _fits(name: str, wanted: Value, found: Value | None) -> bool:
    if name == "openvino":
        return f"{found}.".startswith(f"{wanted}.")
    return wanted == found
