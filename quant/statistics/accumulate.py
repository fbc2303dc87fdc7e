"""Vectors of samples, in sample order, into the answers of needs; memory does not grow with samples
but for the values whose aggregator has to see them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.parameters import Aggregator
from quant.statistics.aggregate import aggregate
from quant.statistics.need import Need, Reduction
from quant.statistics.taps import ONLINE, Layout, tap

Vector = NDArray[Any]


@dataclass(slots=True)
class Accumulator:
    """Running sum, minimum and maximum of the needs of one subset, sums of histograms, and kept
    rows where they are needed."""

    needs: tuple[Need, ...]
    layout: Layout
    count: int = 0
    _low: NDArray[np.intp] = field(init=False)
    _high: NDArray[np.intp] = field(init=False)
    _slots: dict[Need, slice] = field(init=False, default_factory=dict)
    _counts: dict[Need, Vector] = field(init=False, default_factory=dict)
    _kept: NDArray[np.intp] = field(init=False)
    _rows: list[Vector] = field(init=False, default_factory=list)
    _sum: Vector = field(init=False)
    _min: Vector = field(init=False)
    _max: Vector = field(init=False)

    def __post_init__(self) -> None:
        """Two index arrays per value: its magnitude is the larger one of the two they point at.

        Plain values point twice at one place and keep their sign. The place behind the vector
        holds 0.
        """
        low: list[NDArray[np.intp]] = []
        high: list[NDArray[np.intp]] = []
        kept: list[NDArray[np.intp]] = []
        start = 0
        for need in self.needs:
            if need.reduction is Reduction.HISTOGRAM:
                self._counts[need] = np.zeros(need.length, dtype=np.float64)
                continue
            pair = (
                (Reduction.MIN, Reduction.MAX)
                if need.reduction is Reduction.ABS_MAX
                else (need.reduction,) * 2
            )
            low.append(self._places(need, pair[0]))
            high.append(self._places(need, pair[1]))
            count = need.length
            self._slots[need] = slice(start, start + count)
            if need.aggregator not in ONLINE:
                kept.append(np.arange(start, start + count))
            start += count
        none = [np.zeros(0, dtype=np.intp)]
        self._low, self._high = np.concatenate(low or none), np.concatenate(high or none)
        self._kept = np.concatenate(kept or none)
        self._sum = np.zeros(start, dtype=np.float64)
        self._min = np.full(start, np.inf, dtype=np.float32)
        self._max = np.full(start, -np.inf, dtype=np.float32)

    def _places(self, need: Need, reduction: Reduction) -> NDArray[np.intp]:
        each = tap(need, reduction)
        if each in self.layout.zeros:
            return np.full(need.length, -1, dtype=np.intp)
        place = self.layout.slots[each]
        return np.arange(place.start, place.stop)

    def add(self, vector: Vector) -> None:
        """Takes one sample's vector, which has one more place for zero at its end."""
        low, high = vector[self._low], vector[self._high]
        values = np.where(self._low == self._high, high, np.maximum(np.abs(low), np.abs(high)))
        self.count += 1
        for need, counts in self._counts.items():
            counts += vector[self.layout.slots[tap(need, need.reduction)]]
        self._sum += values
        np.minimum(self._min, values, out=self._min)
        np.maximum(self._max, values, out=self._max)
        if len(self._kept):
            self._rows.append(values[self._kept])

    def answers(self) -> dict[Need, NDArray[np.float64]]:
        """The answers over all samples that were added, at least one."""
        online = {
            Aggregator.MEAN: self._sum / self.count,
            Aggregator.MIN: self._min.astype(np.float64),
            Aggregator.MAX: self._max.astype(np.float64),
        }
        rows = np.stack(self._rows) if self._rows else np.zeros((0, 0))
        column = {int(place): i for i, place in enumerate(self._kept)}
        found = dict(self._counts)
        for need, place in self._slots.items():
            if need.aggregator is not None and need.aggregator in online:
                found[need] = online[need.aggregator][place]
            else:
                columns = [column[i] for i in range(place.start, place.stop)]
                found[need] = _answer(rows[:, columns], need)
        return found


def _answer(rows: Vector, need: Need) -> NDArray[np.float64]:
    """The answer from the values of every sample, `[samples, values]`."""
    if need.aggregator is None:
        return rows.reshape(-1, need.channels).astype(np.float64)
    return aggregate(rows, need.aggregator)
