"""Accuracy control: as few operations reverted as the limit of the drop takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from quant.control.candidate import (
    Candidate,
    Workshop,
    blocks,
    default_precisions,
    revertible,
)
from quant.control.parameters import Precision, Unit
from quant.control.ranking import ranking
from quant.control.search import Found, Judgement, Names, Stop, search
from quant.control.tuning import Tuning, prepare
from quant.control.verdict import Verdict
from quant.entry import Result
from quant.runtime import ov
from quant.scheme import Preset

Judge = Callable[[ov.Model], Verdict]
"""Evaluates a quantized model."""

Tuner = Callable[[Candidate, Callable[[], bool]], Tuning]
"""Tunes from a candidate on, until it is told that the budget is spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One model that was evaluated; `seconds` to make and evaluate it."""

    candidate: Candidate
    verdict: Verdict
    seconds: float


class Journal(Protocol):
    """The trials of a control, kept where an interruption does not reach them."""

    def trials(self) -> Iterable[Trial]:
        """Those of an earlier, interrupted run of the same control."""

    def add(self, trial: Trial) -> None:
        """Takes one more."""


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
        reason: why the search ended.
        verdict: on the model; that of the fully quantized one is the first of the trials'.
        candidate: what the model is made of; `parameters()` are those to paste.
        reverted: in topological order.
        untried: those of the reverted that may be unnecessary: the budget ended before.
        trials: every model that was evaluated, in order.
        tuning: how settings were chosen before anything was reverted; None where they were not.
    """

    result: Result
    reached: bool
    reason: str
    verdict: Verdict
    candidate: Candidate
    reverted: tuple[Reverted, ...]
    untried: tuple[str, ...]
    trials: tuple[Trial, ...]
    tuning: Tuning | None = None


def control(
    workshop: Workshop,
    judge: Judge,
    journal: Journal | None = None,
    tuner: Tuner | None = None,
) -> ControlResult:
    """The base algorithm's model with as few operations reverted as the limit takes.

    Args:
        judge: evaluates a model on every sample; one that misses the limit possibly on fewer.
        journal: takes every trial; those that it holds are not evaluated again, but spend the
            budget as they did.
        tuner: chooses settings where those of the start miss the limit.
    """
    log = _Log(workshop=workshop, judge=judge, journal=journal)
    if tuner is not None:
        prepare(workshop)
    current, reason = _preset(log), Stop.MINIMAL
    current, tuning = _tuned(log, current, tuner)
    untried: tuple[str, ...] = ()
    if not log.verdict(current).meets:
        start = current
        ranked = ranking(log.result(start), workshop.samples, log.ranking_size)
        for precision in workshop.parameters.revert_to or default_precisions(workshop.target):
            groups = _groups(workshop, start, precision)
            found = _search(log, current, precision, groups, ranked)
            current = current.reverting(_members(groups, found.reverted), precision)
            reason, untried = found.stop, found.untried
            if found.judgement.meets or found.stop is Stop.BUDGET:
                break
    reached = log.verdict(current).meets
    return ControlResult(
        result=log.result(current),
        reached=reached,
        reason=reason.value,
        verdict=log.verdict(current),
        candidate=current,
        reverted=_reverted(workshop, current),
        untried=untried,
        trials=tuple(log.trials.values()),
        tuning=tuning,
    )


def _preset(log: _Log) -> Candidate:
    """The candidate to begin with: mixed where that was asked for and comes nearer."""
    workshop = log.workshop
    first = Candidate(preset=workshop.parameters.preset)
    asked = workshop.parameters.convert_to_mixed_preset and first.preset is Preset.PERFORMANCE
    if not asked or log.verdict(first).meets or log.is_spent(1):
        return first
    mixed = Candidate(preset=Preset.MIXED)
    return mixed if log.verdict(mixed).excess <= log.verdict(first).excess else first


def _tuned(log: _Log, current: Candidate, tuner: Tuner | None) -> tuple[Candidate, Tuning | None]:
    """The tuned candidate, where the start misses the limit and it comes nearer on all samples."""
    if tuner is None or log.verdict(current).meets or log.is_spent(len(log.trials)):
        return current, None
    found = tuner(current, lambda: log.is_spent(len(log.trials)))
    is_nearer = log.verdict(found.candidate).excess < log.verdict(current).excess
    return (found.candidate if is_nearer else current), found


def _groups(
    workshop: Workshop, start: Candidate, precision: Precision
) -> Mapping[str, tuple[str, ...]]:
    """What is reverted together, by one of the names."""
    plan = workshop.plan(start)
    names = revertible(plan, workshop.target, precision)
    if workshop.parameters.unit is Unit.BLOCK:
        return blocks(plan, names)
    return {name: (name,) for name in names}


def _search(
    log: _Log,
    current: Candidate,
    precision: Precision,
    groups: Mapping[str, tuple[str, ...]],
    ranked: Sequence[str],
) -> Found:
    """A model in which everything is in floating point is no quantized one: never all of it."""
    rank = {name: i for i, name in enumerate(ranked)}
    order = sorted(groups, key=lambda name: min(rank[each] for each in groups[name]))

    def judgement(names: Names) -> Judgement:
        found = log.verdict(current.reverting(_members(groups, names), precision))
        return Judgement(meets=found.meets, excess=found.excess)

    most = len(order) - (precision is Precision.FP32)
    return search(order, judgement, most=most, is_spent=lambda _: log.is_spent(len(log.trials)))


def _members(groups: Mapping[str, tuple[str, ...]], names: Iterable[str]) -> frozenset[str]:
    return frozenset(each for name in names for each in groups[name])


def _reverted(workshop: Workshop, candidate: Candidate) -> tuple[Reverted, ...]:
    to = dict.fromkeys(candidate.int16, Precision.INT16)
    to |= dict.fromkeys(candidate.fp32, Precision.FP32)
    return tuple(
        Reverted(name=node.get_friendly_name(), type=node.get_type_name(), precision=precision)
        for node in workshop.model.get_ordered_ops()
        if (precision := to.get(node.get_friendly_name())) is not None
    )


@dataclass(slots=True)
class _Log:
    """The trials so far, and the model that was made last."""

    workshop: Workshop
    judge: Judge
    journal: Journal | None
    trials: dict[Candidate, Trial] = field(default_factory=dict)
    earlier: dict[Candidate, Trial] = field(init=False)
    seconds: float = 0.0
    started: float = field(default_factory=time.perf_counter)
    last: tuple[Candidate, Result] | None = None

    def __post_init__(self) -> None:
        held = () if self.journal is None else self.journal.trials()
        self.earlier = {trial.candidate: trial for trial in held}

    @property
    def ranking_size(self) -> int | None:
        return self.workshop.parameters.ranking_subset_size

    def verdict(self, candidate: Candidate) -> Verdict:
        """What was, or is now, said of a candidate."""
        if candidate not in self.trials:
            self.trials[candidate] = self._trial(candidate)
        return self.trials[candidate].verdict

    def result(self, candidate: Candidate) -> Result:
        """The candidate's model, made again unless it was the last one."""
        if self.last is None or self.last[0] != candidate:
            self.last = (candidate, self.workshop.make(candidate))
        return self.last[1]

    def is_spent(self, trials: int) -> bool:
        """Whether the budget allows no further trial."""
        given = self.workshop.parameters
        if given.max_iter_num is not None and trials > given.max_iter_num:
            return True
        spent_s = self.seconds + time.perf_counter() - self.started
        return given.budget_minutes is not None and spent_s >= 60 * given.budget_minutes

    def _trial(self, candidate: Candidate) -> Trial:
        if candidate in self.earlier:
            self.seconds += self.earlier[candidate].seconds
            return self.earlier[candidate]
        started = time.perf_counter()
        verdict = self.judge(self.result(candidate).model)
        seconds = time.perf_counter() - started
        trial = Trial(candidate=candidate, verdict=verdict, seconds=seconds)
        if self.journal is not None:
            self.journal.add(trial)
        return trial
