"""How much worse one model's metric is than another's, with nothing rounded before the last digit.

The difference of two means is off by the rounding of both: 527 and 524 of 600 are 0.005 apart, and
their means 0.0050000000000000044. A sum over the samples is exact, so that a drop that is as large
as its limit is no larger.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

Values = Sequence[float] | NDArray[Any]
"""A metric's value for each sample, whose mean it is; of any other metric its one value."""

CLOSE = 1e-12
"""What summing in another order may change of a mean, as a share of it."""


def drop(before: Values, after: Values, *, higher_is_better: bool = True) -> float:
    """How much worse the mean of `after` is than that of `before`, of the same samples.

    >>> drop([1.0] * 600, [1.0] * 597 + [0.0] * 3)
    0.005
    """
    return _worsening(before, after, higher_is_better) / len(before)


def relative_drop(before: Values, after: Values, *, higher_is_better: bool = True) -> float:
    """The same as a share of the mean of `before`, which is not 0.

    >>> relative_drop([1.0] * 500 + [0.0] * 100, [1.0] * 495 + [0.0] * 105)
    0.01
    """
    return _worsening(before, after, higher_is_better) / abs(math.fsum(before))


def ratio(before: Values, after: Values) -> float:
    """The mean of `after` as a share of the size of that of `before`, which is not 0.

    >>> ratio([1.0] * 500 + [0.0] * 100, [1.0] * 495 + [0.0] * 105)
    0.99
    """
    return math.fsum(after) / abs(math.fsum(before))


def is_mean(value: float, samples: Values) -> bool:
    """Whether a metric is the mean of these values.

    >>> is_mean(0.5, [0.0, 1.0]), is_mean(0.5, []), is_mean(0.5, [0.0, 0.0])
    (True, False, False)
    """
    if not len(samples) or not all(map(math.isfinite, samples)):
        return False
    return math.isclose(value, math.fsum(samples) / len(samples), rel_tol=CLOSE)


def _worsening(before: Values, after: Values, higher_is_better: bool) -> float:
    worse, better = (before, after) if higher_is_better else (after, before)
    return math.fsum((*worse, *(-each for each in better)))
