"""What is said of a candidate: the metrics' values, their drops, and how far from the limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quant.control.parameters import DropType
from quant.drop import Values, drop, relative_drop
from quant.errors import EvaluationError

Array = NDArray[np.float64]

Pair = tuple[Values, Values]
"""Values per sample, FP32's and a candidate's, where a metric is the mean of all of them."""

Z = 3.719
"""Standard errors by which a mean over a large part of the samples has to miss the limit. Asked
three times, that gives up one candidate in 3,300 that would just meet it. Source: the 99.99 %
quantile of the standard normal distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The largest drop of one metric that is accepted, from `baseline` on."""

    baseline: float
    maximal_drop: float
    drop_type: DropType = DropType.ABSOLUTE
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if not math.isfinite(self.baseline):
            message = f"the metric of the FP32 model is {self.baseline}, from which nothing drops"
            raise EvaluationError(message)
        if self.drop_type is DropType.RELATIVE and self.baseline == 0:
            message = (
                "the metric of the FP32 model is 0, which no drop is relative to; use drop_type: "
                "absolute"
            )
            raise EvaluationError(message)

    def on_part(self, baseline: float | None) -> Limit:
        """No drop at all from FP32's value on some of the samples; from that on all where there is
        none."""
        value = self.baseline if baseline is None else baseline
        return replace(self, baseline=value, maximal_drop=0.0, drop_type=DropType.ABSOLUTE)

    def drop(self, value: float, pair: Pair | None = None) -> float:
        """How much worse a value is, in the drop's own type; infinite where it is no number. Of a
        pair it is that of the samples in it."""
        if math.isnan(value):
            return math.inf
        before, after = pair if pair and math.isfinite(value) else ((self.baseline,), (value,))
        if self.drop_type is DropType.RELATIVE and any(before):
            return relative_drop(before, after, higher_is_better=self.higher_is_better)
        worse = drop(before, after, higher_is_better=self.higher_is_better)
        return worse / abs(self.baseline) if self.drop_type is DropType.RELATIVE else worse

    def excess(self, found: float) -> float:
        """By how much a drop exceeds the limit, as a share of the baseline where there is one."""
        over = found - self.maximal_drop
        if self.drop_type is DropType.RELATIVE or self.baseline == 0:
            return over
        return over / abs(self.baseline)

    def is_missed(self, fp32: Array, quantized: Array, total: int) -> bool:
        """Whether the values of some of `total` samples show that the mean of all misses the
        limit: the paired difference does by so many standard errors as `errors` says.

        Source: Cochran (1977), Sampling Techniques, 2.6: the finite population's correction.
        """
        found = len(fp32)
        worse = fp32 - quantized if self.higher_is_better else quantized - fp32
        if found < 2 or not np.isfinite(worse).all():
            return False
        scale = abs(self.baseline) if self.drop_type is DropType.RELATIVE else 1.0
        error = worse.std(ddof=1) * math.sqrt((1 - found / total) / found)
        return bool(worse.mean() - errors(found) * error > self.maximal_drop * scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found out about a candidate.

    Attributes:
        values, drops: by metric, over the samples that were read.
        excess: by how much the metric that is furthest from its limit exceeds it, as a share of
            FP32's value; what is left of it where negative.
        meets: whether every metric keeps its limit, on every sample.
        samples: how many were read, where that is known; fewer than all where they showed already
            that the limit is missed.
        lost: of these, the ones for which a mean's value is worse than FP32's, in order.
    """

    values: Mapping[str, float]
    drops: Mapping[str, float]
    excess: float
    meets: bool
    samples: int | None = None
    lost: tuple[int, ...] = ()


def verdict(
    limits: Mapping[str, Limit],
    values: Mapping[str, float],
    pairs: Mapping[str, Pair],
    *,
    samples: int | None = None,
    lost: tuple[int, ...] = (),
    is_whole: bool = True,
) -> Verdict:
    """The verdict on the values of metrics, and the pairs of those that are means; part of the
    samples never meets a limit."""
    drops = {name: limit.drop(values[name], pairs.get(name)) for name, limit in limits.items()}
    return Verdict(
        values=dict(values),
        drops=drops,
        excess=max(limit.excess(drops[name]) for name, limit in limits.items()),
        meets=is_whole and all(drops[name] <= limits[name].maximal_drop for name in limits),
        samples=samples,
        lost=lost,
    )


def errors(samples: int) -> float:
    """Standard errors by which the mean of so many samples, two or more, has to miss the limit:
    the 99.99 % quantile of Student's distribution, since their spread is an estimate, too.

    Source: Abramowitz and Stegun (1964), Handbook of Mathematical Functions, 26.7.5; 1 % too low at
    8 samples, and less with more.

    >>> [round(errors(samples), 2) for samples in (8, 16, 64, 10_000)]
    [6.96, 4.88, 3.95, 3.72]
    """
    free = samples - 1
    first = (Z**3 + Z) / 4
    second = (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96
    third = (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384
    return Z + first / free + second / free**2 + third / free**3


def worst(losses: Array, share: float, most: int | None) -> tuple[int, ...]:
    """The indices of that share of the losses, at most so many and at least one: the largest, of
    equal ones the first; sorted.

    >>> worst(np.array([0.0, 1.0, 0.0, 2.0]), 0.5, None)
    (1, 3)
    """
    count = min(max(1, round(share * len(losses))), most or len(losses))
    return tuple(sorted(np.argsort(-losses, kind="stable")[:count].tolist()))
