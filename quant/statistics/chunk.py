"""Samples' rows gathered until there are some, so that what is done with them costs little each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.statistics.accumulate import Accumulator
from quant.statistics.layout import Layout
from quant.statistics.tap import Tap

Array = NDArray[Any]

MOST_ROWS, MOST_VALUES = 16, 1 << 20
"""Rows that are gathered, and values in all of them (4 MiB), of which one row may have more."""


class Chunk:
    """A few rows that are completed and handed to the accumulators of their subsets together.

    `broken`: the first sample that holds NaN or infinity, and a tap that tells it.
    """

    def __init__(self, layout: Layout, accumulators: Sequence[Accumulator]) -> None:
        count = min(max(MOST_VALUES // max(layout.width, 1), 1), MOST_ROWS)
        self.broken: tuple[int, Tap] | None = None
        self._layout, self._accumulators = layout, accumulators
        self._rows = np.empty((count, layout.width), dtype=np.float32)
        self._indices: list[int] = []
        self._members: list[tuple[bool, ...]] = []

    def add(self, index: int, members: tuple[bool, ...], outputs: list[Array]) -> None:
        """Takes what the graph computed of a sample, and for each subset whether it holds it."""
        if self._layout.length:
            vector = outputs[0].reshape(-1)
            self._layout.fill(self._rows[len(self._indices)], vector)
            self._find_broken(index, vector)
            for accumulator, is_member in zip(self._accumulators, members, strict=True):
                if is_member:
                    accumulator.add_points(vector)
        self._indices.append(index)
        self._members.append(members)
        if len(self._indices) == len(self._rows):
            self.flush()

    def flush(self) -> None:
        """Hands on the rows that are there."""
        if not self._indices:
            return
        rows = self._rows[: len(self._indices)]
        self._layout.complete(rows)
        self._layout.blank(rows)
        members = np.array(self._members)
        for accumulator, chosen in zip(self._accumulators, members.T, strict=True):
            if chosen.any():
                accumulator.add(rows if chosen.all() else rows[chosen])
        self._indices.clear()
        self._members.clear()

    def _find_broken(self, index: int, vector: Array) -> None:
        if self.broken is None and not (is_finite := np.isfinite(vector)).all():
            self.broken = (index, self._layout.tap_of(int(np.argmin(is_finite))))
