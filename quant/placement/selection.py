"""Operations that the user picks by name, by regular expression or by type, and the error for each
entry that picks none."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from quant.errors import KeyPath
from quant.graph import Graph, Op
from quant.placement.tables import descriptor_type


class Pick(NamedTuple):
    """What one entry picks: the keys that lead to it, its operations, and the error if none."""

    path: KeyPath
    ops: list[Op]
    missing: str


def by_names(graph: Graph, ops: Sequence[Op], names: Iterable[str], key: str) -> Iterator[Pick]:
    """The operations among `ops` that have exactly these names."""
    among = {op.name: op for op in ops}
    for i, name in enumerate(names):
        if name in among:
            yield Pick((key, i), [among[name]], "")
        elif name in graph.by_name:
            yield Pick((key, i), [], f"nothing of {graph.by_name[name].type} {name!r} is quantized")
        else:
            yield Pick((key, i), [], f"no operation is named {name!r}{nearest(name, among)}")


def by_patterns(ops: Sequence[Op], patterns: Iterable[str], what: str) -> Iterator[Pick]:
    """The operations among `ops`, called `what`, whose whole names match the expressions."""
    for i, pattern in enumerate(patterns):
        try:
            whole = re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            yield Pick(("patterns", i), [], f"{pattern!r} is no regular expression: {error}")
            continue
        missing = f"no {what} has a whole name matching {pattern!r}; put .* around a part of one"
        yield Pick(("patterns", i), [op for op in ops if whole.fullmatch(op.name)], missing)


def by_types(graph: Graph, ops: Sequence[Op], types: Iterable[str], what: str) -> Iterator[Pick]:
    """The operations among `ops`, called `what`, of the types; descriptors' names are types too."""
    kinds = [(op, {op.type, descriptor_type(graph, op)}) for op in ops]
    known = sorted({kind for _, both in kinds for kind in both})
    for i, wanted in enumerate(types):
        missing = f"no {what} is of type {wanted!r}{nearest(wanted, known)}"
        yield Pick(("types", i), [op for op, both in kinds if wanted in both], missing)


def nearest(name: str, known: Iterable[str]) -> str:
    """A question for the most similar of the known names, if any is similar at all.

    >>> nearest("conf2", ["block/conv1", "block/conv2"])
    " - did you mean 'block/conv2'?"
    """
    known = list(known)
    last = {each.rsplit("/", 1)[-1]: each for each in reversed(known)}
    close = (
        difflib.get_close_matches(name, known, n=1)
        or [last[part] for part in difflib.get_close_matches(name, last, n=1)]
        or [each for each in known if len(name) > 2 and name.lower() in each.lower()]
    )
    return f" - did you mean {close[0]!r}?" if close else ""
