"""Which operations to revert, in as few judgements as their ranking allows.

Pure and deterministic: what is judged is a set of names, and nobody asks here what they are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Names = frozenset[str]

PATIENCE = 12
"""Single names that are added in vain before a longer prefix is tried."""

FEW = 32
"""Sets that are judged at most where there are fewer names than that; else as many as names."""

SHARE_OF_CLIMBS = 0.5
"""The share of all sets after which names are no longer added singly: the rest is for prefixes, and
for putting back what they do not need."""

SINGLY = 3
"""Suspects up to which none is put back in a chunk: most of a prefix that short is needed."""

WORTHWHILE = 0.25
"""Names are added singly where a longer prefix was worse than the best set by more than this share
of what that one exceeds the limit by: steps that small lead nowhere soon (docs/choices.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Whether a set meets the limit, and by how much it exceeds it (below 0: what is left)."""

    meets: bool
    excess: float


Judge = Callable[[Names], Judgement]
"""Judges a set; raises `Spent` where the budget allows no further trial."""


class Spent(Exception):
    """The budget allows no further trial."""


class _Enough(Exception):
    """As many sets were judged as there are names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A set that was judged, in the ranking's order."""

    reverted: tuple[str, ...]
    judgement: Judgement


class Stop(StrEnum):
    """Why a search ended."""

    UNNEEDED = "no operation had to be reverted"
    MINIMAL = "none of the reverted operations can be quantized again within the limit"
    BUDGET = "the budget is spent"
    ENOUGH = "as many models were evaluated as there are operations"
    EXHAUSTED = "no more operations can be reverted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search ended with.

    Attributes:
        reverted: the smallest set that meets the limit, else the one that exceeds it least; in the
            ranking's order.
        trials: every set that was judged, in order.
        untried: those of the reverted whose return was not judged, where the limit is met.
    """

    reverted: tuple[str, ...]
    judgement: Judgement
    trials: tuple[Trial, ...]
    untried: tuple[str, ...]
    stop: Stop


def search(ranked: Sequence[str], judge: Judge, *, most: int | None = None) -> Found:
    """A small set of names that meets the limit, where there is one among the ranking's prefixes.

    First the prefixes of 0, 1, 2, 4, ... names; then, by bisection, the shortest one that meets the
    limit; then what it does not need is put back, of many in chunks, and at last one by one, the
    least harmful first, until no single name can be. Where a longer prefix does much worse than the
    best set so far, names are added to that one singly before the prefix is doubled, each that does
    better: a metric of few samples is so uneven that the next prefix to meet the limit may be far.
    Never are more sets judged than there are names, or `FEW`.

    Args:
        ranked: the most harmful first.
        most: how many may be reverted at most; None: all.
    """
    state = _Search(ranked=tuple(ranked), judge=judge)
    state.judged(frozenset())
    try:
        names = state.meeting(len(ranked) if most is None else min(most, len(ranked)))
        if names is None:
            return state.found(Stop.EXHAUSTED)
        state.reduce(names, names[:-1])  # of a prefix the last one is needed
    except Spent:
        return state.found(Stop.BUDGET)
    except _Enough:
        return state.found(Stop.ENOUGH)
    return state.found(Stop.MINIMAL)


def reduced(ranked: Sequence[str], judge: Judge, *, suspects: Sequence[str]) -> Found:
    """What is needed of a set that meets the limit.

    Args:
        ranked: the set, the most harmful first.
        suspects: those that are put back in chunks before all are one by one.
    """
    state = _Search(ranked=tuple(ranked), judge=judge)
    state.judged(frozenset(ranked))
    try:
        state.reduce(list(ranked), list(suspects))
    except Spent:
        return state.found(Stop.BUDGET)
    except _Enough:
        return state.found(Stop.ENOUGH)
    return state.found(Stop.MINIMAL)


@dataclass(slots=True)
class _Search:
    """What was judged so far."""

    ranked: tuple[str, ...]
    judge: Judge
    known: dict[Names, Judgement] = field(default_factory=dict)
    turns: deque[str] = field(init=False)
    most_judged: int = field(init=False)

    def __post_init__(self) -> None:
        self.turns = deque(self.ranked)
        self.most_judged = max(len(self.ranked), FEW)

    def judged(self, names: Names) -> Judgement:
        """Judges a set unless that is done already; raises `Spent` and `_Enough`."""
        if names not in self.known:
            if len(self.known) >= self.most_judged:
                raise _Enough
            self.known[names] = self.judge(names)
        return self.known[names]

    def meets(self, names: Sequence[str]) -> bool:
        return self.judged(frozenset(names)).meets

    def meeting(self, most: int) -> list[str] | None:
        """A prefix that meets the limit, the shortest that bisection finds, or another set that
        climbing comes to; None where there is none."""
        if self.meets(()):
            return []
        low, high = 0, min(1, most)
        while low < most and not self.meets(self.ranked[:high]):
            if self._is_behind(self.ranked[:high]):
                found = self._climbed(most)
                if found is not None:
                    return list(self._ordered(found))
            low, high = high, min(2 * high, most)
        return None if low >= most else self._bisected(low, high)

    def _is_behind(self, names: Sequence[str]) -> bool:
        """Whether names are so much worse than the best set that adding to that is worthwhile."""
        best = self.known[self._best()].excess
        return self.judged(frozenset(names)).excess > (1 + WORTHWHILE) * best

    def _best(self) -> Names:
        """The set that exceeds the limit least, of equal ones the last."""
        return min(reversed(self.known), key=lambda names: self.known[names].excess)

    def _climbed(self, most: int) -> Names | None:
        """The best set, with each single name that it does better with, until the limit is met;
        None where `PATIENCE` in a row do not."""
        best, left = self._best(), PATIENCE
        while left and len(best) < most and len(self.known) < SHARE_OF_CLIMBS * self.most_judged:
            more = self._with_another(best)
            if more is None:
                break
            if self.judged(more).meets:
                return more
            if self.judged(more).excess < self.judged(best).excess:
                best, left = more, PATIENCE
            else:
                left -= 1
        return None

    def _with_another(self, names: Names) -> Names | None:
        """These and one more that was not judged with them: the names take turns."""
        for _ in self.ranked:
            self.turns.rotate(-1)
            more = names | {self.turns[-1]}
            if more not in self.known:
                return more
        return None

    def _bisected(self, low: int, high: int) -> list[str]:
        """The shortest prefix, longer than `low`, that meets the limit; that of `high` does."""
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.meets(self.ranked[:middle]) else (middle, high)
        return list(self.ranked[:high])

    def reduce(self, reverted: list[str], suspects: list[str]) -> None:
        """Puts back what is not needed: of many suspects in chunks, then until every single one is
        known to be."""
        chunks = deque([suspects] if len(suspects) > SINGLY else ())
        while chunks:
            chunk = chunks.popleft()
            rest = [name for name in reverted if name not in chunk]
            if not self._contains_failed(rest) and self.meets(rest):
                reverted = rest
            elif len(chunk) > 1:
                middle = len(chunk) // 2
                chunks += [chunk[middle:], chunk[:middle]]
        self._reduce_singly(reverted)

    def _contains_failed(self, names: Sequence[str]) -> bool:
        """Whether a set that holds these names and more has failed, so that they will as well."""
        return any(not found.meets and frozenset(names) <= key for key, found in self.known.items())

    def _reduce_singly(self, reverted: list[str]) -> None:
        """The last word: each name by itself, judged with all the others as they are."""
        queue, needed = deque(reversed(reverted)), 0
        while needed < len(queue):
            name = queue.popleft()
            if self.meets(tuple(queue)):
                needed = 0
            else:
                queue.append(name)
                needed += 1

    def found(self, stop: Stop) -> Found:
        best = min(self.known, key=lambda names: _merit(names, self.known[names]))
        return Found(
            reverted=self._ordered(best),
            judgement=self.known[best],
            trials=tuple(
                Trial(reverted=self._ordered(names), judgement=judgement)
                for names, judgement in self.known.items()
            ),
            untried=tuple(
                name
                for name in self._ordered(best)
                if self.known[best].meets and best - {name} not in self.known
            ),
            stop=stop,
        )

    def _ordered(self, names: Names) -> tuple[str, ...]:
        return tuple(name for name in self.ranked if name in names)


def _merit(names: Names, judgement: Judgement) -> tuple[bool, float, float]:
    """What meets the limit first, the smallest of it; else what exceeds it least."""
    if judgement.meets:
        return False, len(names), judgement.excess
    return True, judgement.excess, len(names)
