"""The user's `ignored`: which operations it names, and an error for each entry that matches
nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from quant.errors import ParameterProblem
from quant.graph import Graph, Op, attributes
from quant.parameters import Ignored, IgnoredOperation
from quant.placement.kept import Kept
from quant.placement.selection import Pick, by_names, by_patterns, nearest

REASON = "ignored by the user"


def ignored(graph: Graph, wanted: Ignored, step: int) -> tuple[Kept, list[ParameterProblem]]:
    """The operations that the user wants in floating point, and what matched nothing."""
    found: Kept = {}
    problems: list[ParameterProblem] = []
    for path, matches, missing in _entries(graph, wanted):
        if not matches:
            problems.append(ParameterProblem(step, ("ignored", *path), missing))
        found.update(dict.fromkeys((op.index for op in matches), REASON))
    return found, problems


def _entries(graph: Graph, wanted: Ignored) -> Iterator[Pick]:
    """For each entry: the keys that lead to it, the operations that it names, and the error if
    none."""
    ops = [op for op in graph.ops if op.type not in ("Constant", "Result")]
    yield from by_names(graph, ops, wanted.scope, "scope")
    yield from by_patterns(ops, wanted.patterns, "operation")
    types = sorted({op.type for op in graph.ops})
    for i, operation in enumerate(wanted.operations):
        matches = [op for op in graph.ops if _agrees(op, operation)]
        if operation.type in types:
            text = f"no {operation.type} has the attributes {dict(operation.attributes)}"
        else:
            near = nearest(operation.type, types)
            text = f"the model has no operation of type {operation.type!r}{near}"
        yield Pick(("operations", i), matches, text)


def _agrees(op: Op, wanted: IgnoredOperation) -> bool:
    if op.type != wanted.type:
        return False
    found = attributes(op) if wanted.attributes else {}
    return all(
        key in found and _equal(found[key], value) for key, value in wanted.attributes.items()
    )


def _equal(found: Any, wanted: Any) -> bool:
    """Whether an attribute has the wanted value; lists compare item by item, numbers as numbers."""
    if isinstance(found, list | tuple) or isinstance(wanted, list | tuple):
        if not (isinstance(found, list | tuple) and isinstance(wanted, list | tuple)):
            return False
        return len(found) == len(wanted) and all(map(_equal, found, wanted))
    if isinstance(found, str) or isinstance(wanted, str):
        return str(found).lower() == str(wanted).lower()
    return bool(found == wanted)
