"""What the cache was of use for, as a report and a plan say it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CacheState(StrEnum):
    """How much of what a run needs was there from earlier ones; `off`: nothing is kept."""

    HIT = "hit"
    PARTIAL = "partial"
    MISS = "miss"
    OFF = "off"

    @classmethod
    def of(cls, known: int, wanted: int) -> CacheState:
        """The state where so many of what is wanted are known."""
        if known == wanted:
            return cls.HIT
        return cls.PARTIAL if known else cls.MISS


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUse:
    """What was not inferred again: statistics of the calibration data, and FP32's answers to the
    metrics."""

    statistics: CacheState = CacheState.OFF
    baseline: CacheState = CacheState.OFF

    def __str__(self) -> str:
        return f"statistics {self.statistics}, FP32 baseline {self.baseline}"
