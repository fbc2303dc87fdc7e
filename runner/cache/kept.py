"""What the cache holds for one plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from quant.entry import needs_of
from runner.cache.baseline import KeptBaseline, open_baseline
from runner.cache.cache import Cache
from runner.cache.keys import Keys
from runner.cache.statistics import KeptStatistics, open_statistics
from runner.cache.use import CacheUse
from runner.data.open import Selection
from runner.plan import Plan
from runner.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is there, and takes what is not; None where nothing is to be kept.

    `use`: how much of what the plan needs was there when this was opened.
    """

    statistics: KeptStatistics | None = None
    baseline: KeptBaseline | None = None
    use: CacheUse = field(default_factory=CacheUse)


def open_kept(
    cache: Cache | None, plan: Plan, recipe: Recipe, datasets: Mapping[str, Selection]
) -> Kept:
    """What a cache holds for a plan on its datasets; nothing without a cache.

    Raises:
        DataError: a file can't be read.
    """
    if cache is None:
        return Kept()
    keys, needs = Keys.of(plan), needs_of(plan.quantization)
    statistics, baseline, use = None, None, CacheUse()
    if needs and "calibration" in datasets:
        key = keys.statistics(recipe.datasets["calibration"], datasets["calibration"])
        statistics = open_statistics(cache, key)
        use = replace(use, statistics=statistics.state(needs))
    if plan.metrics:
        names = keys.baseline(recipe.datasets["validation"], datasets["validation"], recipe.metrics)
        baseline = open_baseline(cache, names)
        use = replace(use, baseline=baseline.state)
    return Kept(statistics=statistics, baseline=baseline, use=use)
