"""How a run tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Called with a phase, how much of it is done, and of how much (None: not countable).

It may be called from several threads. Phases: load, calibrate, quantize, control, diagnose,
evaluate, benchmark, write.
"""


def silent(phase: str, done: int, total: int | None) -> None:
    """Tells nothing."""
