"""The user's `ignored`: which operations it names, and an error for each entry that matches
nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from quant.errors import ParameterProblem
from quant.graph import Graph, Op, attributes
from quant.parameters import Ignored, IgnoredOperation, IgnoredSubgraph
from quant.placement.kept import Kept
from quant.placement.selection import Pick, by_names, by_patterns, nearest

REASON = "ignored by the user"
_OF_EINSUMS = ": those that are products of matrices are a MatMul of their name here"
ACTIVATIONS = "its activations are ignored by the user"


def ignored(graph: Graph, wanted: Ignored, step: int) -> tuple[Kept, list[ParameterProblem]]:
    """The operations that the user wants in floating point, and what matched nothing."""
    found: Kept = {}
    problems: list[ParameterProblem] = []
    for path, matches, missing in _entries(graph, wanted):
        if not matches:
            problems.append(ParameterProblem(step, ("ignored", *path), missing))
        reason = ACTIVATIONS if path[0] == "activations" else REASON
        found.update(dict.fromkeys((op.index for op in matches), reason))
    return found, problems


def _entries(graph: Graph, wanted: Ignored) -> Iterator[Pick]:
    """For each entry: the keys that lead to it, the operations that it names, and the error if
    none."""
    ops = [op for op in graph.ops if op.type not in ("Constant", "Result")]
    yield from by_names(graph, ops, wanted.activations, "activations")  # all others go over it
    yield from by_names(graph, ops, wanted.scope, "scope")
    yield from by_patterns(ops, wanted.patterns, "operation")
    types = sorted({op.type for op in graph.ops})
    for i, operation in enumerate(wanted.operations):
        matches = [op for op in graph.ops if _agrees(op, operation)]
        if operation.type in types:
            text = _unmet(graph, operation)
        else:
            near = _OF_EINSUMS if operation.type == "Einsum" else nearest(operation.type, types)
            text = f"the model has no operation of type {operation.type!r}{near}"
        yield Pick(("operations", i), matches, text)
    for i, subgraph in enumerate(wanted.subgraphs):
        for pick in _between(graph, subgraph):
            yield pick._replace(path=("subgraphs", i, *pick.path))


def _between(graph: Graph, wanted: IgnoredSubgraph) -> Iterator[Pick]:
    """What lies on the ways from the inputs to the outputs; an error for each name that is on none.

    Source: NNCF 3.4.0, Subgraph; without walking every single way.
    """
    ops = [op for op in graph.ops if op.type not in ("Constant", "Result")]
    starts = list(by_names(graph, ops, wanted.inputs, "inputs"))
    ends = list(by_names(graph, ops, wanted.outputs, "outputs"))
    below = _reach(graph, [op for pick in starts for op in pick.ops], is_down=True)
    above = _reach(graph, [op for pick in ends for op in pick.ops], is_down=False)
    inside = [op for op in ops if op.index in below and op.index in above]
    if all(pick.ops for pick in (*starts, *ends)):
        yield Pick((), inside, "nothing lies between them")
    for picks, others, way in ((starts, wanted.outputs, "to"), (ends, wanted.inputs, "from")):
        for pick in picks:
            lost = f"no way leads {way} {' or '.join(map(repr, others))}"
            is_lost = any(op not in inside for op in pick.ops)
            yield pick._replace(ops=[], missing=lost) if is_lost else pick


def _reach(graph: Graph, ops: list[Op], *, is_down: bool) -> frozenset[int]:
    """The operations, and all below or above them."""
    seen: set[int] = set()
    queue = [op.index for op in ops]
    while queue:
        index = queue.pop()
        if index not in seen:
            seen.add(index)
            op = graph.ops[index]
            ports = [port for readers in op.consumers for port in readers] if is_down else op.inputs
            queue += [port.op for port in ports]
    return frozenset(seen)


def _agrees(op: Op, wanted: IgnoredOperation) -> bool:
    if op.type != wanted.type:
        return False
    found = attributes(op) if wanted.attributes else {}
    return all(
        key in found and _equal(found[key], value) for key, value in wanted.attributes.items()
    )


def _unmet(graph: Graph, wanted: IgnoredOperation) -> str:
    """Why no operation of a type that is there agrees: an attribute that none has, or values."""
    known = sorted({key for op in graph.ops if op.type == wanted.type for key in attributes(op)})
    for name in wanted.attributes:
        if name not in known:
            return f"{wanted.type} has no attribute {name!r}; it has {', '.join(known) or 'none'}"
    return f"no {wanted.type} has the attributes {dict(wanted.attributes)}"


def _equal(found: Any, wanted: Any) -> bool:
    """Whether an attribute has the wanted value; lists compare item by item, numbers as numbers."""
    if isinstance(found, list | tuple) or isinstance(wanted, list | tuple):
        if not (isinstance(found, list | tuple) and isinstance(wanted, list | tuple)):
            return False
        return len(found) == len(wanted) and all(map(_equal, found, wanted))
    if isinstance(found, str) or isinstance(wanted, str):
        return str(found).lower() == str(wanted).lower()
    return bool(found == wanted)
