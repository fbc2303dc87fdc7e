"""The user's `layers`: what is asked of single operations, and of quantizers that they share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quant.errors import KeyPath, ParameterProblem
from quant.graph import Graph, Op
from quant.parameters import REQUEST_KEYS, LayerRequest, Overrides, Request
from quant.placement.selection import Pick, by_names, by_patterns, by_types


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """What `weights` or `activations` (`key`) asks: of all, and over that of some operations.

    `asked`: by the operation's index, each key's value and the number of the entry it comes from.
    """

    key: str
    step: int
    general: Request
    asked: Mapping[int, Mapping[str, tuple[Any, int]]]

    def has_wish(self, op: Op) -> bool:
        """Whether anything is asked of an operation."""
        return op.index in self.asked or self.general != Request()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked of one quantizer; `path` leads to the entry that asks.

    `special`: what single layers ask, and `owners` those layers' indices.
    """

    request: Request
    special: Request
    path: KeyPath
    owners: frozenset[int]


def layers(
    graph: Graph, key: str, wanted: Overrides, ops: Sequence[Op], step: int
) -> tuple[Layers, list[ParameterProblem]]:
    """What each of the operations `ops`, which have quantized weights or activations, is asked."""
    asked: dict[int, dict[str, tuple[Any, int]]] = {}
    problems: list[ParameterProblem] = []
    for i, entry in enumerate(wanted.layers):
        given = {name: (value, i) for name, value in _given(entry).items()}
        for pick in _picks(graph, entry, ops, f"operation with quantized {key}"):
            if not pick.ops:
                path = (key, "layers", i, *pick.path)
                problems.append(ParameterProblem(step, path, pick.missing))
            for op in pick.ops:
                asked.setdefault(op.index, {}).update(given)
    return Layers(key=key, step=step, general=Request(**_given(wanted)), asked=asked), problems


def _given(request: Request) -> dict[str, Any]:
    values = {name: getattr(request, name) for name in REQUEST_KEYS}
    return {name: value for name, value in values.items() if value is not None}


def _picks(graph: Graph, entry: LayerRequest, ops: Sequence[Op], what: str) -> Iterator[Pick]:
    yield from by_names(graph, ops, entry.names, "names")
    yield from by_patterns(ops, entry.patterns, what)
    yield from by_types(graph, ops, entry.types, what)


def wish(layers: Layers, ops: Sequence[Op]) -> tuple[Wish, list[ParameterProblem]]:
    """What the operations that share a quantizer ask of it together, and where they disagree."""
    merged: dict[str, tuple[Any, int]] = {}
    source: dict[str, Op] = {}
    problems = []
    for op in ops:
        for name, (value, entry) in layers.asked.get(op.index, {}).items():
            if name in merged and merged[name][0] != value:
                message = (
                    f"{source[name].name!r} and {op.name!r} share a quantizer of {layers.key}, but "
                    f"are asked for {name} {shown(merged[name][0])} and {shown(value)}"
                )
                path = (layers.key, "layers", max(entry, merged[name][1]), name)
                hint = "ask the same of both, or something of one alone"
                problems.append(ParameterProblem(layers.step, path, message, hint))
            merged[name], source[name] = (value, entry), op
    values = {name: value for name, (value, _) in merged.items()}
    entries = [entry for _, entry in merged.values()]
    found = Wish(
        request=dataclasses.replace(layers.general, **values),
        special=Request(**values),
        path=(layers.key, "layers", max(entries)) if entries else (layers.key,),
        owners=frozenset(op.index for op in ops if op.index in layers.asked),
    )
    return found, problems


def shown(value: Any) -> str:
    """A value of a request in a message."""
    if not dataclasses.is_dataclass(value):
        return str(value)
    given = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    parts = [f"{name}: {shown(each)}" for name, each in given.items() if each is not None]
    return f"{{{', '.join(part for part in parts if not part.endswith('{}'))}}}"


def asked(request: Request) -> str:
    """What a request asks of a scheme, in words."""
    given = _given(request)
    return ", ".join(
        f"{name} {value}" for name, value in given.items() if name != "range_estimator"
    )
