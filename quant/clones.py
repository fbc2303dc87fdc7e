"""Models side by side: their operations by name, and one set of inputs for all."""

from __future__ import annotations

from collections.abc import Iterable

from quant.runtime import ov

Nodes = dict[str, ov.Node]


def by_name(model: ov.Model) -> Nodes:
    """A model's operations in topological order."""
    return {node.get_friendly_name(): node for node in model.get_ordered_ops()}


def join(model: ov.Model, parameters: Iterable[ov.Node]) -> None:
    """Has a model read the Parameters of another."""
    for ours, theirs in zip(parameters, model.get_parameters(), strict=True):
        theirs.output(0).replace(ours.output(0))
