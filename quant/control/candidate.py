"""Candidates of accuracy control: the base algorithm with operations reverted. Each is made from
the same statistics, exactly as a user who pastes the operations' names would get it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quant.control.parameters import ControlParameters, Precision, RestoreMode
from quant.control.settings import Settings, nested, with_settings
from quant.entry import Result, apply, collect, resolve
from quant.errors import ParameterError, ParameterProblem
from quant.graph import view
from quant.parameters import LayerRequest
from quant.placement.tables import descriptor_type
from quant.plan import QuantPlan, Status
from quant.runtime import ov
from quant.scheme import Preset
from quant.statistics.passes import Progress, Samples
from quant.statistics.store import Store
from quant.steps.order import DEFAULT
from quant.steps.table import Step
from quant.target import Target

WIDE = 16
"""Bits of weights that are reverted to int16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A preset, other settings that differ from the base algorithm's, and the operations that are
    reverted, sorted by name.

    `fp32_activations`: in floating point on weights that stay integers.
    """

    preset: Preset
    settings: Settings = ()
    int16: tuple[str, ...] = ()
    fp32: tuple[str, ...] = ()
    fp32_activations: tuple[str, ...] = ()

    def reverting(
        self, names: frozenset[str], precision: Precision, restore_mode: RestoreMode
    ) -> Candidate:
        """This one with more operations reverted; floating point goes over 16 bits."""
        if precision is Precision.INT16:
            return dataclasses.replace(self, int16=_with(self.int16, names))
        narrow = dataclasses.replace(
            self, int16=tuple(name for name in self.int16 if name not in names)
        )
        if restore_mode is RestoreMode.ONLY_ACTIVATIONS:
            return dataclasses.replace(narrow, fp32_activations=_with(self.fp32_activations, names))
        return dataclasses.replace(narrow, fp32=_with(self.fp32, names))

    @property
    def reverted(self) -> tuple[str, ...]:
        """All operations that are reverted."""
        return tuple(sorted((*self.int16, *self.fp32, *self.fp32_activations)))

    def parameters(self) -> dict[str, Any]:
        """The parameters that give DefaultQuantization the same model; lists go behind those that
        are there."""
        found: dict[str, Any] = {"preset": self.preset.value, **nested(self.settings)}
        ignored = {"scope": list(self.fp32), "activations": list(self.fp32_activations)}
        if any(ignored.values()):
            found["ignored"] = {key: names for key, names in ignored.items() if names}
        if self.int16:
            layers = [{"names": list(self.int16), "bits": WIDE}]
            found["weights"] = {**found.get("weights", {}), "layers": layers}
        return found


def _with(before: tuple[str, ...], names: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted({*before, *names}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Makes candidates' models: the model, the steps and which of them is controlled, the data.

    `store`: holds statistics from one candidate to the next, so that only what an earlier one did
    not need is inferred. `given`: the parameters as the user wrote them; tuning leaves these alone.
    """

    model: ov.Model
    target: Target
    steps: tuple[Step, ...]
    position: int
    parameters: ControlParameters
    samples: Samples
    store: Store
    progress: Progress | None = None
    given: Mapping[str, Any] = field(default_factory=dict)

    def plan(self, candidate: Candidate) -> QuantPlan:
        """The candidate's plan."""
        base = with_settings(self.parameters, candidate.settings)
        ignored = dataclasses.replace(
            base.ignored,
            scope=(*base.ignored.scope, *candidate.fp32),
            activations=(*base.ignored.activations, *candidate.fp32_activations),
        )
        layers = tuple(_still_asked(base.weights.layers, frozenset(candidate.fp32)))
        if candidate.int16:
            layers = (*layers, LayerRequest(names=candidate.int16, bits=WIDE))
        floats = frozenset((*candidate.fp32, *candidate.fp32_activations))
        asked = tuple(_still_asked(base.activations.layers, floats))
        changed = dataclasses.replace(
            base,
            preset=candidate.preset,
            ignored=ignored,
            weights=dataclasses.replace(base.weights, layers=layers),
            activations=dataclasses.replace(base.activations, layers=asked),
        )
        steps = list(self.steps)
        steps[self.position] = Step(use=DEFAULT, parameters=changed)
        return resolve(self.model, steps, self.target)

    def make(self, candidate: Candidate) -> Result:
        """The candidate's model."""
        plan = self.plan(candidate)
        statistics = collect(plan, self.samples, store=self.store, progress=self.progress)
        return apply(plan, statistics, self.samples, progress=self.progress)


def _still_asked(
    layers: Iterable[LayerRequest], reverted: frozenset[str]
) -> Iterator[LayerRequest]:
    """What is asked of layers by name, without those that are in floating point now."""
    for each in layers:
        names = tuple(name for name in each.names if name not in reverted)
        if names or each.patterns or each.types:
            yield dataclasses.replace(each, names=names)


def revertible(
    plan: QuantPlan, target: Target, precision: Precision, restore_mode: RestoreMode
) -> tuple[str, ...]:
    """The quantized operations that can be reverted, in topological order: any to floating point,
    those with quantized activations where only these return, and to 16 bits those whose narrower
    weights the target takes at 16 bits, too."""
    quantized = [each for each in plan.operations if each.status is Status.QUANTIZED]
    if precision is Precision.FP32:
        is_whole = restore_mode is RestoreMode.ACTIVATIONS_AND_WEIGHTS
        return tuple(each.name for each in quantized if is_whole or each.activations)
    graph = view(plan.model)
    return tuple(
        each.name
        for each in quantized
        if each.weights is not None
        and each.weights.bits < WIDE
        and has_wide_weights(target, descriptor_type(graph, graph.by_name[each.name]))
    )


def has_wide_weights(target: Target, kind: str | None = None) -> bool:
    """Whether a target takes weights of 16 bits, for a type of operations or for any."""
    found = target.operations.values() if kind is None else [target.operations[kind]]
    return any(scheme.bits == WIDE for support in found for scheme in support.weights)


def precisions(given: ControlParameters, target: Target, step: int = 0) -> tuple[Precision, ...]:
    """What operations are reverted to; unless somebody says, never to floating point where the
    target has 16 bits.

    Raises:
        ParameterError: the target has nothing that was asked for.
    """
    is_wide = has_wide_weights(target)
    if not given.revert_to:
        return (Precision.INT16,) if is_wide else (Precision.FP32,)
    if not is_wide and set(given.revert_to) == {Precision.INT16}:
        message = "found int16 alone, and the target has no weights of 16 bits; expected fp32"
        raise ParameterError([ParameterProblem(step, ("revert_to",), message)])
    return given.revert_to


def blocks(plan: QuantPlan, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """The operations that share ranges of activations with one another, by the first name of each.

    What one of them reads in floating point, none of the others reads as integers.
    Source: POT 2023.0.2, removal of quantizers.
    """
    block, places = {name: [name] for name in names}, {name: i for i, name in enumerate(names)}
    for together in _sharing(plan):
        members = [name for name in together if name in block]
        merged = sorted({each for name in members for each in block[name]}, key=places.__getitem__)
        block |= dict.fromkeys(merged, merged)
    return {name: tuple(found) for name, found in block.items() if found[0] == name}


def _sharing(plan: QuantPlan) -> list[list[str]]:
    """For each range, the operations that read a tensor with it."""
    found: dict[str, list[str]] = {}
    for step in plan.steps:
        for each in getattr(step, "activations", ()):
            found.setdefault(each.group or each.name, []).extend(each.operations)
    return list(found.values())
