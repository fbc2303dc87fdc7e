"""Where the values of taps stand in a sample's row: those that the graph computes, and behind them
those that follow from these or are known without any sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.errors import SamplesError
from quant.statistics.need import Reduction
from quant.statistics.tap import Part, Tap

Rows = NDArray[Any]
Columns = NDArray[np.intp]
Extreme = Callable[..., Any]

_EXTREMES: Mapping[Reduction | Part, Extreme] = {Reduction.MIN: np.min, Reduction.MAX: np.max}
"""What is known of a tensor where it is known of its channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns of a row of f32 values, and what of a sample's vector fills them.

    Attributes:
        columns: of each tap, but for points.
        points: of each tap of points, the values of the vector: no row holds them, since they are
            many, and of few samples.
        length: how many values the vector has.
        filling: those that the first columns hold.
        width: how many columns there are.
        following: a column, the columns of whose values it takes one, and which.
        known: a column, and its value.
        extremes: for each tensor a column of its minima, and that of the same channel's maximum.
        together: for each of these tensors, all its columns.
        magnitudes: columns, and those of the minima and maxima that they are the larger one of.
        squares: columns, and those of the norms and counts that they are the mean square of.
    """

    columns: Mapping[Tap, Columns]
    points: Mapping[Tap, Columns]
    length: int
    filling: Columns
    width: int
    following: tuple[tuple[int, Columns, Extreme], ...]
    known: tuple[tuple[int, float], ...]
    extremes: tuple[Columns, Columns]
    together: tuple[Columns, ...]
    magnitudes: tuple[Columns, Columns, Columns]
    squares: tuple[Columns, Columns, Columns]

    def fill(self, row: Rows, vector: Rows) -> None:
        """Puts what a row `[width]` holds of a sample's vector into its first columns.

        Raises:
            SamplesError: the vector is not as long as it should be.
        """
        if vector.size != self.length:
            message = (
                f"{vector.size} values were computed of a sample, {self.length} expected: does one "
                "of its tensors have no elements?"
            )
            raise SamplesError(message)
        np.take(vector, self.filling, out=row[: len(self.filling)])

    def tap_of(self, place: int) -> Tap:
        """The tap that a value of the vector belongs to."""
        if (row := np.flatnonzero(self.filling == place)).size:
            return next(tap for tap, columns in self.columns.items() if row[0] in columns)
        return next(tap for tap, places in self.points.items() if place in places)

    def blank(self, rows: Rows) -> None:
        """Puts NaN for all that completed rows tell of tensors without elements, as a sample may
        have some: their minima are above their maxima."""
        low, high = self.extremes
        for i, place in zip(*np.nonzero(rows[:, low] > rows[:, high]), strict=True):
            rows[i, self.together[place]] = np.nan

    def complete(self, rows: Rows) -> None:
        """Fills all columns of `[samples, width]` behind those."""
        for column, value in self.known:
            rows[:, column] = value
        for column, sources, extreme in self.following:
            rows[:, column] = extreme(rows[:, sources[0] : sources[-1] + 1], axis=1)
        columns, low, high = self.magnitudes
        rows[:, columns] = np.maximum(np.abs(rows[:, low]), np.abs(rows[:, high]))
        columns, norm, count = self.squares
        with np.errstate(over="ignore"):  # beyond f32's range it is infinite; of nothing it is zero
            rows[:, columns] = np.square(rows[:, norm]) / np.maximum(rows[:, count], 1)


def layout(
    taps: Iterable[Tap], known: Mapping[Tap, float], points: Mapping[Tap, Columns]
) -> tuple[tuple[Tap, ...], Layout]:
    """The taps that the graph has to compute, in the order of their values, and all columns.

    Args:
        taps: that are asked for; the order of the graph's ones stays.
        known: values of taps that need no sample.
        points: of taps of points, which of the values that the graph computes they are; else all,
            one after the other.
    """
    asked = tuple(taps)
    sources = dict.fromkeys(source for each in asked for source in each.sources)
    channels = {
        _tensor(each): each
        for each in sources
        if each.channel_axis is not None and each.reduction in _EXTREMES and each not in known
    }
    following = {
        each: channels[_tensor(each)]
        for each in sources
        if each.channel_axis is None and _tensor(each) in channels
    }
    computed = tuple(each for each in sources if each not in following and each not in known)
    values, size = _values(computed, points)
    reduced = [each for each in computed if each.reduction is not Reduction.POINTS]
    columns, length = _placed(reduced, 0)
    behind, width = _placed(following, length)
    constants = {each: width + i for i, each in enumerate(t for t in sources if t in known)}
    width += len(constants)
    columns |= behind | {t: np.full(t.length, at, dtype=np.intp) for t, at in constants.items()}
    derived, width = _placed([each for each in asked if each not in sources], width)
    columns |= derived
    extremes, together = _extremes(columns)
    return computed, Layout(
        columns=columns,
        points={each: values[each] for each in computed if each.reduction is Reduction.POINTS},
        length=size,
        filling=np.concatenate([np.zeros(0, dtype=np.intp), *(values[each] for each in reduced)]),
        width=width,
        following=tuple(
            (int(behind[each][0]), columns[source], _EXTREMES[each.reduction])
            for each, source in following.items()
        ),
        known=tuple((at, known[each]) for each, at in constants.items()),
        extremes=extremes,
        together=together,
        magnitudes=_derived(columns, [t for t in derived if t.reduction is Reduction.ABS_MAX]),
        squares=_derived(columns, [t for t in derived if t.reduction is Reduction.MEAN_SQUARE]),
    )


def _values(
    computed: Iterable[Tap], points: Mapping[Tap, Columns]
) -> tuple[dict[Tap, Columns], int]:
    """Where the values of each tap stand in the graph's vector, and how many it has."""
    found: dict[Tap, Columns] = {}
    start = 0
    for each in computed:
        own = points.get(each)
        found[each] = start + (np.arange(each.length) if own is None else own)
        start += each.length if own is None else int(own.max()) + 1
    return found, start


def _tensor(each: Tap) -> tuple[str, int, Reduction | Part]:
    return each.op, each.port, each.reduction


def _placed(taps: Iterable[Tap], start: int) -> tuple[dict[Tap, Columns], int]:
    """Columns for taps from `start` on, and the first one behind them."""
    found: dict[Tap, Columns] = {}
    for each in taps:
        found[each] = np.arange(start, start + each.length)
        start += each.length
    return found, start


def _extremes(
    columns: Mapping[Tap, Columns],
) -> tuple[tuple[Columns, Columns], tuple[Columns, ...]]:
    """A column of minima and one of maxima for each tensor, and all columns of each."""
    of_tensors: dict[tuple[str, int], list[Columns]] = {}
    for each, own in columns.items():
        of_tensors.setdefault((each.op, each.port), []).append(own)
    pairs = {
        (each.op, each.port): (low[0], columns[high][0])
        for each, low in columns.items()
        if each.reduction is Reduction.MIN and (high := each.of(Reduction.MAX)) in columns
    }
    lows, highs = np.array([*pairs.values()], dtype=np.intp).reshape(-1, 2).T
    return (lows, highs), tuple(np.concatenate(of_tensors[tensor]) for tensor in pairs)


def _derived(columns: Mapping[Tap, Columns], taps: list[Tap]) -> tuple[Columns, Columns, Columns]:
    """The columns of all the taps, and those of their two sources, as long."""
    chosen = [np.broadcast_arrays(*map(columns.__getitem__, (t, *t.sources))) for t in taps]
    if not chosen:
        return (np.zeros(0, dtype=np.intp),) * 3
    own, first, second = (np.concatenate(each) for each in zip(*chosen, strict=True))
    return own, first, second
