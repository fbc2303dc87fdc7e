"""The trials of accuracy control: each candidate is evaluated once, and written down at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from quant.control.candidate import Candidate, Workshop
from quant.control.search import Spent
from quant.control.verdict import Verdict
from quant.entry import Result
from quant.runtime import ov


class Judge(Protocol):
    """Evaluates quantized models."""

    def __call__(self, model: ov.Model) -> Verdict:
        """On every sample; a model that misses the limit possibly on fewer."""

    def hardest(self, model: ov.Model, share: float, most: int | None) -> Sequence[int]:
        """That share of the samples, at most so many, for which a model falls furthest behind
        FP32; sorted."""

    def decide(self, model: ov.Model, suspects: Sequence[int]) -> Verdict:
        """Whether a model keeps the limit, on no more samples than make that certain. Suspects are
        read first: samples that other models have lost."""

    def on(self, model: ov.Model, subset: Sequence[int]) -> Verdict:
        """On some samples, against FP32 on the same; never within the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One model that was evaluated; `seconds` to make and evaluate it.

    `is_ranking`: on some samples only, to rank what was reverted in it.
    """

    candidate: Candidate
    verdict: Verdict
    seconds: float
    is_ranking: bool = False


class Journal(Protocol):
    """The trials of a control, kept where an interruption does not reach them."""

    def trials(self) -> Iterable[Trial]:
        """Those of an earlier, interrupted run of the same control."""

    def add(self, trial: Trial) -> None:
        """Takes one more."""


_Key = tuple[Candidate, bool]


@dataclass(slots=True)
class Log:
    """The trials so far, and the model that was made last.

    What a journal holds is not evaluated again, but spends the budget as it did; that is spent from
    `started` on. As soon as a model keeps the limit, others are only asked whether they do.
    """

    workshop: Workshop
    judge: Judge
    journal: Journal | None
    started: float
    trials: dict[_Key, Trial] = field(default_factory=dict)
    _earlier: dict[_Key, Trial] = field(init=False)
    _seconds: float = 0.0
    _last: tuple[Candidate, Result] | None = None
    _hardest: Sequence[int] | None = None

    def __post_init__(self) -> None:
        held = () if self.journal is None else self.journal.trials()
        self._earlier = {_key(trial): trial for trial in held}

    def verdict(self, candidate: Candidate) -> Verdict:
        """What was, or is now, said of a candidate.

        Raises:
            Spent: the budget allows no further trial. The first one is always made.
        """
        return self._trial(candidate, is_ranking=False).verdict

    def rank(self, candidate: Candidate, start: Candidate) -> Verdict:
        """The same on the samples that are hardest for the start."""
        return self._trial(candidate, is_ranking=True, start=start).verdict

    def result(self, candidate: Candidate) -> Result:
        """The candidate's model, made again unless it was the last one."""
        if self._last is None or self._last[0] != candidate:
            self._last = (candidate, self.workshop.make(candidate))
        return self._last[1]

    def is_spent(self) -> bool:
        """Whether the budget allows no trial that a journal does not hold."""
        return self._has_all_trials() or self._has_no_time()

    def _trial(
        self, candidate: Candidate, *, is_ranking: bool, start: Candidate | None = None
    ) -> Trial:
        key = (candidate, is_ranking)
        if key not in self.trials:
            self._expect_budget(key)
            if key in self._earlier:
                self.trials[key] = self._earlier[key]
                self._seconds += self._earlier[key].seconds
            else:
                self.trials[key] = self._evaluated(candidate, start)
        return self.trials[key]

    def _expect_budget(self, key: _Key) -> None:
        is_first, (_, is_ranking) = not self.trials, key
        if is_first:
            return
        if not is_ranking and self._has_all_trials():
            raise Spent
        if key not in self._earlier and self._has_no_time():
            raise Spent

    def _has_all_trials(self) -> bool:
        most = self.workshop.parameters.max_iter_num
        count = sum(not each.is_ranking for each in self.trials.values())
        return most is not None and count > most

    def _has_no_time(self) -> bool:
        minutes = self.workshop.parameters.budget_minutes
        longest_s = max((each.seconds for each in self.trials.values()), default=0.0)
        spent_s = self._seconds + time.perf_counter() - self.started
        return minutes is not None and spent_s + longest_s >= 60 * minutes

    def _evaluated(self, candidate: Candidate, start: Candidate | None) -> Trial:
        started = time.perf_counter()
        model = self.result(candidate).model
        if start is not None:
            verdict = self.judge.on(model, self._subset(start))
        elif any(each.verdict.meets for each in self.trials.values()):
            verdict = self.judge.decide(model, self._suspects())
        else:
            verdict = self.judge(model)
        trial = Trial(
            candidate=candidate,
            verdict=verdict,
            seconds=time.perf_counter() - started,
            is_ranking=start is not None,
        )
        if self.journal is not None:
            self.journal.add(trial)
        return trial

    def _suspects(self) -> list[int]:
        """Samples that models have lost, those of most models first."""
        lost = Counter(i for each in self.trials.values() for i in each.verdict.lost)
        return sorted(lost, key=lambda i: (-lost[i], i))

    def _subset(self, start: Candidate) -> Sequence[int]:
        if self._hardest is None:
            given = self.workshop.parameters
            assert given.metric_subset_ratio is not None
            self._hardest = self.judge.hardest(
                self.result(start).model, given.metric_subset_ratio, given.ranking_subset_size
            )
        return self._hardest


def _key(trial: Trial) -> _Key:
    return trial.candidate, trial.is_ranking
