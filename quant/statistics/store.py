"""Statistics that are kept from one collection to the next, and what follows from them.

What a collection reduces inside the graph tells more than was asked for: of the extremes of a
tensor all samples' are kept, from which any aggregate follows, and of each channel's extremes the
three aggregates that need no sample again. So another preset, target, range or aggregator mostly
finds its statistics there, and costs no inference.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quant.runtime import ov
from quant.statistics.accumulate import ONLINE
from quant.statistics.aggregate import aggregate
from quant.statistics.collect import collect_needs
from quant.statistics.need import Need, Reduction, Statistics
from quant.statistics.passes import Progress, Samples, sample_count

Array = NDArray[Any]

_EXTREMES = (Reduction.MIN, Reduction.MAX, Reduction.ABS_MAX)


class Store(Protocol):
    """Statistics of one model on certain samples, kept between collections."""

    def known(self) -> Mapping[Need, Array]:
        """All answers that are kept."""

    def keep(self, answers: Mapping[Need, Array]) -> None:
        """Takes answers that were not known."""


@dataclass(slots=True)
class MemoryStore:
    """A store for as long as somebody holds it."""

    answers: dict[Need, Array] = field(default_factory=dict)

    def known(self) -> Mapping[Need, Array]:
        return self.answers

    def keep(self, answers: Mapping[Need, Array]) -> None:
        self.answers |= answers


def collect_stored(
    model: ov.Model,
    needs: Sequence[Need],
    samples: Samples,
    store: Store,
    progress: Progress | None = None,
) -> Statistics:
    """The answers of all needs; what does not follow from what the store knows is collected in one
    pass over the samples, and kept.

    Raises:
        SamplesError: as from `collect_needs`; or the samples do not know their number.
    """
    total = sample_count(samples, dict.fromkeys(need.subset for need in needs))
    known = dict(store.known())
    missing = unknown(needs, known)
    if missing:
        found = collect_needs(model, widened(missing), samples, progress).values
        store.keep(found)
        known |= found
    values = {need: answer for need in needs if (answer := derived(need, known)) is not None}
    return Statistics(values=values, sample_count=total)


def unknown(needs: Iterable[Need], known: Mapping[Need, Array]) -> tuple[Need, ...]:
    """The needs whose answers do not follow from those that are known."""
    return tuple(need for need in needs if derived(need, known) is None)


def widened(needs: Iterable[Need]) -> tuple[Need, ...]:
    """Needs whose answers tell those of the needs, and more at no inference."""
    return tuple(dict.fromkeys(wide for need in needs for wide in _widened(need)))


def _widened(need: Need) -> Iterator[Need]:
    if need.reduction not in _EXTREMES:
        yield need
        return
    if need.channel_axis is not None:
        if need.aggregator not in ONLINE:
            yield need
        for reduction in _EXTREMES:
            for aggregator in sorted(ONLINE):
                yield dataclasses.replace(need, reduction=reduction, aggregator=aggregator)
    yield from _rows(need)


def _rows(need: Need) -> tuple[Need, Need]:
    """Every sample's lowest and highest value of the whole tensor."""
    whole = dataclasses.replace(need, channel_axis=None, channels=1, aggregator=None)
    low, high = (dataclasses.replace(whole, reduction=each) for each in _EXTREMES[:2])
    return low, high


def derived(need: Need, known: Mapping[Need, Array]) -> Array | None:
    """The answer to a need from those that are known, the same to the last bit as if it had been
    collected; None where it does not follow."""
    if need in known:
        return known[need]
    if need.reduction not in _EXTREMES or need.channel_axis is not None:
        return None
    low, high = (known.get(each) for each in _rows(need))
    if low is None or high is None:
        return None
    rows = {
        Reduction.MIN: low,
        Reduction.MAX: high,
        Reduction.ABS_MAX: np.maximum(np.abs(low), np.abs(high)),
    }[need.reduction]
    return rows if need.aggregator is None else aggregate(rows, need.aggregator)
