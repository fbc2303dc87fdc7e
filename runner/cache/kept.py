"""What the cache holds for one plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from quant.entry import needs_of
from quant.statistics.need import Need
from quant.statistics.store import MemoryStore, Store
from runner.cache.baseline import open_baseline
from runner.cache.cache import Cache
from runner.cache.keys import Keys
from runner.cache.statistics import open_statistics
from runner.cache.use import CacheUse
from runner.data.digest import data_digest
from runner.data.open import Selection
from runner.data.sample import Array
from runner.evaluate import Baseline
from runner.metrics.metric import Packed
from runner.plan import Plan
from runner.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is there, and takes what is not; None where nothing is to be kept.

    `use`: how much of what the plan needs was there when this was opened. `samples`: the digest of
    the validation samples, where there are metrics.
    """

    statistics: Store | None = None
    baseline: Baseline | None = None
    use: CacheUse = field(default_factory=CacheUse)
    samples: str = ""


def open_kept(
    cache: Cache | None, plan: Plan, recipe: Recipe, datasets: Mapping[str, Selection]
) -> Kept:
    """What a cache holds for a plan on its datasets; nothing without a cache.

    Raises:
        DataError: a file can't be read.
    """
    samples = ""
    if plan.metrics:
        samples = data_digest(recipe.datasets["validation"], datasets["validation"])
    if cache is None:
        return Kept(samples=samples)
    keys, needs = Keys.of(plan), needs_of(plan.quantization)
    statistics, baseline, use = None, None, CacheUse()
    if needs and "calibration" in datasets:
        key = keys.statistics(recipe.datasets["calibration"], datasets["calibration"])
        statistics = open_statistics(cache, key)
        use = replace(use, statistics=statistics.state(needs))
    if plan.metrics:
        baseline = open_baseline(cache, keys.baseline(samples, recipe.metrics))
        use = replace(use, baseline=baseline.state)
    return Kept(statistics=statistics, baseline=baseline, use=use, samples=samples)


def remembered(kept: Kept) -> Kept:
    """The same, and what a run learns is held until its end, with or without a cache."""
    statistics, baseline = kept.statistics, kept.baseline
    known = {} if statistics is None else dict(statistics.known())
    answers = {} if baseline is None else dict(baseline.known())
    return replace(
        kept,
        statistics=_RememberedStatistics(answers=known, below=statistics),
        baseline=_RememberedBaseline(answers=answers, below=baseline),
    )


@dataclass(slots=True)
class _RememberedStatistics(MemoryStore):
    below: Store | None = None

    def keep(self, answers: Mapping[Need, Array]) -> None:
        self.answers |= answers
        if self.below is not None:
            self.below.keep(answers)


@dataclass(slots=True)
class _RememberedBaseline:
    answers: dict[str, Sequence[Packed]]
    below: Baseline | None

    def known(self) -> Mapping[str, Sequence[Packed]]:
        return dict(self.answers)

    def keep(self, name: str, answers: Sequence[Packed]) -> None:
        self.answers[name] = answers
        if self.below is not None:
            self.below.keep(name, answers)
