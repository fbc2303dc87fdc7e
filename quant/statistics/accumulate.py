"""Rows of samples, in sample order, into the answers of needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.errors import SamplesError
from quant.parameters import Aggregator
from quant.statistics.aggregate import aggregate
from quant.statistics.kept import KeptRows
from quant.statistics.layout import Layout
from quant.statistics.need import Need, Reduction
from quant.statistics.points import NOTHING
from quant.statistics.tap import tap

Rows = NDArray[Any]

ONLINE = frozenset({Aggregator.MEAN, Aggregator.MAX, Aggregator.MIN})
"""Aggregators that need no sample's value again."""

NO_RANGE = ", so it has no range; check the sample, or put the operations that read it into ignored"

MOST_VALUES = 1 << 20
"""How many kept values are aggregated at once, so that memory does not grow with the samples."""


class Accumulator:
    """Running sum, minimum and maximum of all columns, and the values of each sample where a need
    asks for them.

    A context manager: those values go when it is left.
    """

    def __init__(self, needs: Iterable[Need], layout: Layout) -> None:
        asked = tuple(needs)
        self._points = {n: layout.points[tap(n)] for n in asked if n.reduction is Reduction.POINTS}
        self._seen: dict[Need, list[Rows]] = {need: [] for need in self._points}
        self._columns = {n: layout.columns[tap(n)] for n in asked if n not in self._points}
        seen = [each for need, each in self._columns.items() if not _is_online(need)]
        self._kept = np.unique(np.concatenate(seen)) if seen else np.zeros(0, dtype=np.intp)
        self._rows = KeptRows(len(self._kept))
        self._count = np.zeros(layout.width, dtype=np.int64)
        self._sum = np.zeros(layout.width, dtype=np.float64)
        self._min = np.full(layout.width, np.inf, dtype=np.float32)
        self._max = np.full(layout.width, -np.inf, dtype=np.float32)

    def add(self, rows: Rows) -> None:
        """Takes the completed rows `[samples, width]` of samples; NaN tells nothing."""
        is_told = ~np.isnan(rows)
        is_whole = bool(is_told.all())
        self._count += len(rows) if is_whole else is_told.sum(axis=0)
        for row in rows if is_whole else np.where(is_told, rows, 0):
            self._sum += row  # in order, so that sums do not depend on how many come at once
        np.fmin(self._min, np.fmin.reduce(rows, axis=0), out=self._min)
        np.fmax(self._max, np.fmax.reduce(rows, axis=0), out=self._max)
        if len(self._kept):
            self._rows.add(rows[:, self._kept])

    def add_points(self, vector: Rows) -> None:
        """Takes the points of one sample from what the graph computed of it."""
        for need, places in self._points.items():
            self._seen[need].append(vector[places].reshape(-1, need.channels))

    def __enter__(self) -> Accumulator:
        return self

    def __exit__(self, *exception: object) -> None:
        self._rows.close()

    def answers(self) -> dict[Need, NDArray[Any]]:
        """The answers over all samples that were added, at least one.

        Raises:
            SamplesError: a tensor has no elements in any of them.
        """
        for need, columns in self._columns.items():
            if not self._count[columns].all():
                raise _empty(need)
        found: dict[Need, NDArray[Any]] = {
            need: self._answer(need, columns) for need, columns in self._columns.items()
        }
        for need in self._points:
            rows = np.concatenate(self._seen.pop(need))
            is_nothing = rows == NOTHING
            if is_nothing.all():
                raise _empty(need)
            found[need] = _filled(np.where(is_nothing, np.nan, rows)) if is_nothing.any() else rows
        return found

    def _answer(self, need: Need, columns: NDArray[np.intp]) -> NDArray[np.float64]:
        if need.reduction is Reduction.HISTOGRAM:
            return self._sum[columns]
        match need.aggregator:
            case Aggregator.MEAN:
                return self._sum[columns] / self._count[columns]
            case Aggregator.MIN:
                return self._min[columns].astype(np.float64)
            case Aggregator.MAX:
                return self._max[columns].astype(np.float64)
        places = np.searchsorted(self._kept, columns)
        if need.aggregator is None:
            values = _filled(self._rows.columns(places))
            return values.reshape(-1, need.channels).astype(np.float64)
        few = max(1, MOST_VALUES // self._rows.count)
        found = np.empty(len(places), dtype=np.float64)
        for i in range(0, len(places), few):
            part = _filled(self._rows.columns(places[i : i + few]))
            found[i : i + few] = aggregate(part, need.aggregator)
        return found


def _empty(need: Need) -> SamplesError:
    return SamplesError(f"the result of {need.tensor.op!r} has no elements in any sample{NO_RANGE}")


def _filled(rows: Rows) -> Rows:
    """The rows with what others tell in place of NaN, evenly picked, column by column: what reads
    them compares tensors sample by sample."""
    for column in np.flatnonzero(np.isnan(rows).any(axis=0)):
        is_told = ~np.isnan(rows[:, column])
        told, missing = rows[is_told, column], int((~is_told).sum())
        rows[~is_told, column] = told[np.arange(missing) * len(told) // missing]
    return rows


def _is_online(need: Need) -> bool:
    return need.reduction is Reduction.HISTOGRAM or need.aggregator in ONLINE
