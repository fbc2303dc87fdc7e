"""Schemes of a plan's operations as text."""

from __future__ import annotations

from quant.plan import OperationPlan


def activations(plan: OperationPlan) -> str | None:
    """The schemes of an operation's activations, each named once."""
    return ", ".join(dict.fromkeys(map(str, plan.activations))) or None
