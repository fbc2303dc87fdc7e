"""What came of the ladder, as plain numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from runner.report.numbers import number

SCHEMA = "recipe.advice/1"


class Outcome(StrEnum):
    """What became of an attempt."""

    START = "as written"
    REACHED = "reached"
    KEPT = "kept"
    LEFT = "no gain"
    SAME = "same model"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitValue:
    """A limit and what was found; `ci95` is the paired interval of the absolute drop."""

    metric: str
    drop_type: str
    bound: float
    value: float | None
    ci95: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A recipe that was measured, or why it was not.

    Attributes:
        alternative: a word for it, where the rung has several.
        changes: of the best recipe before it, as `--set` takes them.
        limits: empty where nothing was measured.
        speedup: in throughput over FP32, where speed is measured.
        output_sqnr_db: signal to noise of the outputs, the mean of the samples'.
        note: why it was skipped, or has failed.
    """

    rung: str
    outcome: Outcome
    alternative: str = ""
    changes: tuple[str, ...] = ()
    limits: tuple[LimitValue, ...] = ()
    quantized_operations: int | None = None
    speedup: float | None = None
    output_sqnr_db: float | None = None
    seconds: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """All attempts, and where they led.

    Attributes:
        changes: of the recipe as written, as `--set` takes them.
        written: the path of the resulting recipe; empty where none was written.
    """

    recipe: str
    target: str
    reached: bool
    reason: str
    attempts: tuple[Attempt, ...]
    changes: tuple[str, ...]
    written: str = ""

    @property
    def summary(self) -> tuple[str, ...]:
        """What was gained, a line per limit."""
        first, last = (
            next(each.limits for each in attempts if each.limits)
            for attempts in (self.attempts, self.attempts[::-1])
        )
        return tuple(
            f"recipe advise: {after.drop_type} drop of {after.metric} {number(before.value)} -> "
            f"{number(after.value)}, limit {number(after.bound)}"
            for before, after in zip(first, last, strict=True)
        )

    def content(self) -> dict[str, Any]:
        """As plain data."""
        return {"schema": SCHEMA, **asdict(self)}
