"""What optuna knows of a sweep, on disk: points that were tried, and which one comes next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from runner.sweep.front import Pair
from runner.sweep.space import Axis, Point, grid

RECORD = "record"
"""The attribute of a trial that holds what was measured, as plain data."""

REPEATS = 100
"""How many points in a row may have been tried before a search is over."""

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A point that was tried, and what was measured there."""

    point: Point
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The search of one sweep; what it asks for next hangs on what was tried, and on the seed."""

    study: Any
    axes: tuple[Axis, ...]
    seed: int

    def done(self) -> tuple[Done, ...]:
        """All points with their records, in the order in which they were tried."""
        return tuple(
            Done(point=self._point(each.params), record=each.user_attrs[RECORD])
            for each in self.study.get_trials(deepcopy=False)
            if RECORD in each.user_attrs
        )

    def points(self, most: int) -> Iterator[tuple[Point, Any]]:
        """Points to try until there are `most` records, each with what `tell` wants to have.

        All of them in order where there are no more than `most`; else as optuna's TPE proposes.
        """
        every = grid(self.axes, most)
        while len(done := self.done()) < most:
            tried = {each.point for each in done}
            if every is None:
                found = self._proposed(tried, len(done))
            else:
                found = next(((each, None) for each in every if each not in tried), None)
            if found is None:
                return
            yield found

    def tell(self, point: Point, trial: Any, record: Record, values: Pair | None) -> None:
        """Takes what was measured; no values: the point is none that works."""
        state = TrialState.FAIL if values is None else TrialState.COMPLETE
        if trial is not None:
            trial.set_user_attr(RECORD, dict(record))
            self.study.tell(trial, values, state=state)
            return
        made = optuna.trial.create_trial(
            state=state,
            values=values,
            params=dict(zip((axis.name for axis in self.axes), point, strict=True)),
            distributions=self._distributions(),
            user_attrs={RECORD: dict(record)},
        )
        self.study.add_trial(made)

    def _proposed(self, tried: set[Point], count: int) -> tuple[Point, Any] | None:
        """A point that was not tried; the same whether the search was interrupted or not."""
        for attempt in range(REPEATS):
            self.study.sampler = TPESampler(seed=_seed(self.seed, count, attempt))
            trial = self.study.ask(self._distributions())
            point = self._point(trial.params)
            if point not in tried:
                return point, trial
            self.study.tell(trial, state=TrialState.FAIL)
        return None

    def _point(self, params: Mapping[str, Any]) -> Point:
        return tuple(params[axis.name] for axis in self.axes)

    def _distributions(self) -> dict[str, BaseDistribution]:
        return {axis.name: _distribution(axis) for axis in self.axes}


def open_study(path: Path, name: str, axes: Sequence[Axis], seed: int) -> Study:
    """The study of that name in a file, which is made where it is missing; trials that were
    interrupted are given up."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(path)))
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        directions=["maximize", "maximize"],
        load_if_exists=True,
    )
    for each in study.get_trials(deepcopy=False):
        if not each.state.is_finished():
            study.tell(each.number, state=TrialState.FAIL)
    return Study(study=study, axes=tuple(axes), seed=seed)


def _distribution(axis: Axis) -> BaseDistribution:
    found = axis.range
    if found is None:
        return CategoricalDistribution(axis.ends())
    if found.is_whole:
        low, high = int(found.low), int(found.high)
        return IntDistribution(low, high, log=found.is_log, step=int(found.step or 1))
    return FloatDistribution(found.low, found.high, log=found.is_log, step=found.step)


def _seed(seed: int, count: int, attempt: int) -> int:
    """Another one for every proposal; numpy takes 32 bits."""
    return (seed * 1_000_003 + count * REPEATS + attempt) % 2**32
