"""What one model gains over another on the same samples, and whether that is more than noise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quant.control.verdict import Z
from quant.runtime import ov

LEAST_DB = 0.1
"""What the output error has to gain: 2 % of its power. Less is sure to be there, but of no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """A change for the better (below 0: for the worse), and its standard error; infinite where
    nothing is known of that."""

    value: float
    error: float

    @property
    def is_sure(self) -> bool:
        """Whether it is better, and that by `Z` standard errors."""
        return self.value > Z * self.error and self.value > 0

    @property
    def is_bearable(self) -> bool:
        """Whether it is no worse than one standard error, where that is known: chance alone does as
        much in one of six."""
        return self.value >= (-self.error if math.isfinite(self.error) else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A model's value, and what it comes from, sample by sample."""

    value: float
    outcomes: Any


class Yardstick(Protocol):
    """Measures models on the same samples."""

    def measure(self, model: ov.Model) -> Mapping[str, Reading]:
        """What a model reads, by name."""

    def gain(self, name: str, before: Reading, after: Reading) -> Gain:
        """What is gained from one reading to another."""


def paired_gain(before: NDArray[Any], after: NDArray[Any]) -> Gain:
    """The mean of the differences of `[n]` values, of which higher is better; those that are not
    finite in both are left out.

    >>> found = paired_gain(np.zeros(4), np.array([1.0, 1.0, 1.0, 3.0]))
    >>> found.value, found.error
    (1.5, 0.5)
    """
    gains = after.astype(float) - before.astype(float)
    gains = gains[np.isfinite(gains)]
    if len(gains) < 2:
        return Gain(value=float(gains.sum()), error=math.inf)
    return Gain(value=float(gains.mean()), error=float(gains.std(ddof=1)) / math.sqrt(len(gains)))


def is_improvement(metrics: Iterable[Gain], noise: Gain) -> bool:
    """Whether one model is better than another: no metric is worse beyond what chance does; and a
    metric is better for sure, or the output error is.

    Few answers of a good model change at all, so metrics seldom decide; outputs always do.
    """
    found = tuple(metrics)
    if not all(each.is_bearable for each in found):
        return False
    return any(each.is_sure for each in found) or (noise.is_sure and noise.value >= LEAST_DB)
