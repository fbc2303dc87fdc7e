"""A check: one expectation, judged."""

from __future__ import annotations

from dataclasses import dataclass

from runner.expect.subjects import FP32
from runner.expect.verdict import Interval, Status
from runner.recipe.recipe import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One expectation and its outcome.

    Attributes:
        value: what the bound is about: a drop, a ratio, or the metric itself.
        interval: of the value, at `confidence`; None where the value itself decides.
        reference: the metric's value of what it is compared `against`.
        n: samples that the metric comes from.
        where: the place of the bound as path:line:column.
        is_warning: whether it is worth a warning, and counts as a failure where warnings do.
    """

    id: str
    status: Status
    metric: str
    kind: str
    value: float | None
    bound: float
    where: str
    message: str
    severity: Severity = Severity.ERROR
    against: str = FP32
    drop_type: str = "absolute"
    confidence: float | None = None
    interval: Interval | None = None
    reference: float | None = None
    n: int | None = None
    is_warning: bool = False

    def fails(self, *, strict: bool = False) -> bool:
        """Whether the run fails by it; `strict`: warnings count too."""
        is_missed = self.status is Status.FAIL and self.severity is Severity.ERROR
        return is_missed or (strict and self.is_warning)
