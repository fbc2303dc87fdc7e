"""What one model measures of one subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quant.drop import Values, is_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A value, and the numbers that it is made of.

    Attributes:
        value: None where there is no finite one, and `note` says why. A SQNR without noise is
            infinite.
        parts: for a metric one number per sample (`Metric.contributions`), whose mean it is; for a
            speed one per repeat, whose median it is; nothing else has parts.
        n: samples of a metric.
    """

    value: float | None
    higher_is_better: bool
    parts: tuple[float, ...] = ()
    n: int | None = None
    note: str = ""


def paired(before: Quantity, after: Quantity) -> tuple[Values, Values]:
    """What `quant.drop` compares: the parts of both where both are their means, sample by sample;
    else the two values, neither of which is None."""
    assert before.value is not None
    assert after.value is not None
    is_paired = len(before.parts) == len(after.parts)
    if is_paired and is_mean(before.value, before.parts) and is_mean(after.value, after.parts):
        return before.parts, after.parts
    return (before.value,), (after.value,)


Quantities = Mapping[str, Quantity]
"""By subject; what was not measured is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a check compares with.

    Attributes:
        name: as messages have it.
        is_same_run: whether its repeats of a benchmark alternated with those it is compared with.
        reasons: why there is nothing to compare with, by subject; under "", for all others.
    """

    name: str
    quantities: Quantities = field(default_factory=dict)
    is_same_run: bool = True
    reasons: Mapping[str, str] = field(default_factory=dict)
