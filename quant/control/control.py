"""Accuracy control: as few operations reverted as the limit of the drop takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from quant.control.candidate import (
    Candidate,
    Workshop,
    blocks,
    precisions,
    revertible,
)
from quant.control.log import Journal, Judge, Log, Trial
from quant.control.parameters import Precision, RestoreMode, Unit
from quant.control.ranking import Part, harm, noise
from quant.control.search import Judgement, Names, Spent, Stop, reduced, search
from quant.control.tuning import Tuning, prepare
from quant.control.verdict import Verdict
from quant.diagnosis.diagnose import Diagnosis
from quant.entry import Result
from quant.scheme import Preset

__all__ = ["ControlResult", "Journal", "Judge", "Reverted", "Trial", "Tuner", "control"]

Tuner = Callable[[Candidate, Callable[[], bool]], Tuning]
"""Tunes from a candidate on, until it is told that the budget is spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverted:
    """An operation that was reverted, and to what."""

    name: str
    type: str
    precision: Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlResult:
    """A quantized model within the limit, or the nearest to it.

    Attributes:
        result: as from `quantize`.
        reached: whether the limit is kept, on every sample.
        stop: why the search ended.
        verdict: on the model; that of the fully quantized one is the first of the trials'.
        candidate: what the model is made of; `parameters()` are those to paste.
        reverted: in topological order.
        untried: those of the reverted that may be unnecessary: the budget ended before.
        trials: every model that was evaluated, in order.
        tuning: how settings were chosen before anything was reverted; None where they were not.
    """

    result: Result
    reached: bool
    stop: Stop
    verdict: Verdict
    candidate: Candidate
    reverted: tuple[Reverted, ...]
    untried: tuple[str, ...]
    trials: tuple[Trial, ...]
    tuning: Tuning | None = None

    @property
    def reason(self) -> str:
        """Why the search ended, in words."""
        return self.stop.value


def control(
    workshop: Workshop,
    judge: Judge,
    journal: Journal | None = None,
    tuner: Tuner | None = None,
    *,
    started: float | None = None,
) -> ControlResult:
    """The base algorithm's model with as few operations reverted as the limit takes.

    Args:
        journal: takes every trial; those that it holds are not evaluated again, but spend the
            budget as they did.
        tuner: chooses settings where those of the start miss the limit.
        started: when the budget began to be spent, in seconds of `time.perf_counter`; None: now.
    """
    began = time.perf_counter() if started is None else started
    precisions(workshop.parameters, workshop.target)  # what can't be done is told first
    log = Log(workshop=workshop, judge=judge, journal=journal, started=began)
    if tuner is not None:
        prepare(workshop)
    start, tuning = _tuned(log, _preset(log), tuner)
    ended = _Ended(candidate=start, stop=Stop.UNNEEDED)
    if not log.verdict(start).meets:
        ended = _Reverting.of(log, start).run()
    current = ended.candidate
    return ControlResult(
        result=log.result(current),
        reached=log.verdict(current).meets,
        stop=ended.stop,
        verdict=log.verdict(current),
        candidate=current,
        reverted=_reverted(workshop, current),
        untried=ended.untried,
        trials=tuple(log.trials.values()),
        tuning=tuning,
    )


def _preset(log: Log) -> Candidate:
    """The candidate to begin with: mixed where that was asked for and comes nearer."""
    given = log.workshop.parameters
    first = Candidate(preset=given.preset)
    asked = given.convert_to_mixed_preset and first.preset is Preset.PERFORMANCE
    if log.verdict(first).meets or not asked:
        return first
    mixed = Candidate(preset=Preset.MIXED)
    try:
        return mixed if log.verdict(mixed).excess <= log.verdict(first).excess else first
    except Spent:
        return first


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """The candidate that was found, why nothing followed, and what may be unnecessary in it."""

    candidate: Candidate
    stop: Stop
    untried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """Operations that are reverted together, and to what."""

    precision: Precision
    names: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class _Reverting:
    """The search, one precision after the other. Its names are the keys of `moves`, which stand in
    the order of precisions, the most harmful of each first."""

    log: Log
    start: Candidate
    noise: Diagnosis
    moves: dict[str, _Move]

    @classmethod
    def of(cls, log: Log, start: Candidate) -> _Reverting:
        """For a candidate that misses the limit; ranks its operations."""
        workshop = log.workshop
        found = noise(log.result(start), workshop.samples, workshop.parameters.ranking_subset_size)
        return cls(log=log, start=start, noise=found, moves={})

    def run(self) -> _Ended:
        workshop, held = self.log.workshop, tuple[str, ...]()
        for precision in precisions(workshop.parameters, workshop.target):
            earlier = held
            try:
                added = self._ranked(precision)
            except Spent:
                return self._ended(held, Stop.BUDGET)
            most = len(added) - (precision is Precision.FP32)  # all of it would be no quantization
            found = search(added, partial(self._judge, earlier), most=most)
            held = (*earlier, *found.reverted)
            if found.stop is Stop.BUDGET or found.judgement.meets:
                break
        untried = (*earlier, *found.untried) if found.judgement.meets else ()
        if earlier and found.judgement.meets and found.stop is not Stop.BUDGET:
            found = reduced(held, partial(self._judge, ()), suspects=earlier)
            held, untried = found.reverted, found.untried
        return self._ended(held, found.stop, untried)

    def _ended(self, held: Sequence[str], stop: Stop, untried: Sequence[str] = ()) -> _Ended:
        return _Ended(
            candidate=self._candidate(held),
            stop=stop,
            untried=tuple(dict.fromkeys(n for key in untried for n in self.moves[key].names)),
        )

    def _candidate(self, keys: Iterable[str]) -> Candidate:
        """The start with these moves; floating point goes over 16 bits."""
        wanted, found = frozenset(keys), self.start
        restore_mode = self.log.workshop.parameters.restore_mode
        for key, move in self.moves.items():
            if key in wanted:
                found = found.reverting(frozenset(move.names), move.precision, restore_mode)
        return found

    def _judge(self, held: Sequence[str], names: Names) -> Judgement:
        found = self.log.verdict(self._candidate({*held, *names}))
        return Judgement(meets=found.meets, excess=found.excess)

    def _ranked(self, precision: Precision) -> list[str]:
        """Adds the moves to a precision; their keys, the most harmful first."""
        groups = _groups(self.log.workshop, self.start, precision)
        moves = {
            f"{precision} {name}": _Move(precision=precision, names=each)
            for name, each in groups.items()
        }
        self.moves |= moves
        if self.log.workshop.parameters.metric_subset_ratio is not None:
            gains = {
                key: -self.log.rank(self._candidate([key]), self.start).excess for key in moves
            }
        else:
            found = harm(self.noise, _part(self.log.workshop, precision))
            gains = {key: sum(found[n] for n in move.names) for key, move in moves.items()}
        order = sorted(moves, key=lambda key: -gains[key])  # of equal ones the first in the graph
        for key in order:
            self.moves[key] = self.moves.pop(key)
        return order


def _part(workshop: Workshop, precision: Precision) -> Part:
    """What of an operation is reverted."""
    if precision is Precision.INT16:
        return Part.WEIGHTS
    only = workshop.parameters.restore_mode is RestoreMode.ONLY_ACTIVATIONS
    return Part.ACTIVATIONS if only else Part.ALL


def _tuned(log: Log, current: Candidate, tuner: Tuner | None) -> tuple[Candidate, Tuning | None]:
    """The tuned candidate, where the start misses the limit and it comes nearer on all samples."""
    if tuner is None or log.verdict(current).meets or log.is_spent():
        return current, None
    found = tuner(current, log.is_spent)
    try:
        is_nearer = log.verdict(found.candidate).excess < log.verdict(current).excess
    except Spent:
        is_nearer = False
    return (found.candidate if is_nearer else current), found


def _groups(
    workshop: Workshop, start: Candidate, precision: Precision
) -> Mapping[str, tuple[str, ...]]:
    """What is reverted together, by one of the names, in topological order."""
    plan = workshop.plan(start)
    names = revertible(plan, workshop.target, precision, workshop.parameters.restore_mode)
    if workshop.parameters.unit is Unit.BLOCK:
        return blocks(plan, names)
    return {name: (name,) for name in names}


def _reverted(workshop: Workshop, candidate: Candidate) -> tuple[Reverted, ...]:
    to = dict.fromkeys(candidate.int16, Precision.INT16)
    to |= dict.fromkeys((*candidate.fp32, *candidate.fp32_activations), Precision.FP32)
    return tuple(
        Reverted(name=node.get_friendly_name(), type=node.get_type_name(), precision=precision)
        for node in workshop.model.get_ordered_ops()
        if (precision := to.get(node.get_friendly_name())) is not None
    )
