"""How far ranges reach beyond what calibration has seen.

The largest value of a channel differs from sample to sample, and new samples go beyond all that
were seen, the more so the fewer those are. Where the samples' largest values follow Gumbel's
distribution, as those of many values do in the end, the largest of n samples lies ln(n) of its
scales above their mean. That tells the scale, and with it what the largest of more would be.
Source: Gumbel 1958, "Statistics of Extremes".

What hardly a sample has moved, as a column for a rare category or a unit that seldom fires, will
move one day as others do. SmoothQuant would give it steps of next to nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from quant.parameters import Aggregator
from quant.placement.estimators import UNKNOWN
from quant.placement.tables import MOVING
from quant.plan import Subset, TensorRef
from quant.runtime import ov
from quant.statistics.need import Need, Reduction, Statistics

Array = NDArray[np.float64]
Ends = tuple[Array, Array]

ENOUGH = 2000
"""Values after which what is still unseen costs less than the wider steps would. More is better for
normal and wider distributions, less for bounded ones (docs/choices.md)."""

LEAST = 0.05
"""Share of a range below which it stays as it is: what a Tanh bounds hardly scatters, and many of
its values lie at the very ends, which are levels now."""

MOST = 4.0
"""Scales by which a range grows at most: those of two or three samples are hardly known."""

_FEW = 2
"""Samples that have moved a channel up to which it is not known how far it goes."""

_SIDES = (Reduction.MIN, Aggregator.MIN), (Reduction.MAX, Aggregator.MAX)

_BOUNDS = {
    **dict.fromkeys(("Sigmoid", "HSigmoid", "HardSigmoid", "Softmax"), (0.0, 1.0)),
    **dict.fromkeys(("Tanh", "Erf", "Sin", "Cos"), (-1.0, 1.0)),
    **dict.fromkeys(("LSTMSequence", "GRUSequence"), (-1.0, 1.0)),
}
"""Of what functions compute, and cells as their hidden state."""


def needs(tensor: TensorRef, subset: Subset, axis: int, channels: int) -> Iterable[Need]:
    """The extremes of every channel, over all samples and of each on average."""
    for reduction, aggregator in _SIDES:
        extreme = Need(
            tensor=tensor,
            reduction=reduction,
            aggregator=aggregator,
            subset=subset,
            channel_axis=axis,
            channels=channels,
        )
        yield extreme
        yield dataclasses.replace(extreme, aggregator=Aggregator.MEAN)


def reach(
    asked: Iterable[Need],
    statistics: Statistics,
    reader: str,
    tensor: ov.Output,
    *,
    is_open: bool = True,
) -> Ends:
    """Both ends `[C]` of what each channel of a tensor is expected to reach, or of what it has
    reached, from the answers to `needs`.

    Args:
        is_open: whether ranges may hold more than was seen.
    """
    wanted = tuple(asked)
    low, usual_low, high, usual_high = (statistics.of(each, reader) for each in wanted)
    if not is_open:
        return low, high
    samples = min(statistics.sample_count, wanted[0].subset.size or statistics.sample_count)
    values = positions(tensor, wanted[0].channel_axis or 0)
    return within(
        extended((low, high), (usual_low, usual_high), samples, values), (low, high), tensor
    )


def extended(ends: Ends, usual: Ends, samples: int, values: int) -> Ends:
    """Both ends of what `ENOUGH` values would reach; not across zero where no value is.

    All channels get the same share of their width: few samples tell little of a single one. One
    that no more than two samples moved is expected to go as far from its rest as half of the others
    do, or 1 / (1 + k) of that. A sample counts as the square root of its values: neighbours are
    alike.

    Args:
        ends: of all samples' values, `[C]`.
        usual: the means of each sample's own, `[C]`.
        values: of a channel, in a sample.

    >>> ends, usual = (np.float64([0, 0]), np.float64([4, 0])), (np.zeros(2), np.float64([1, 0]))
    >>> [end.round(2).tolist() for end in extended(ends, usual, samples=20, values=1)]
    [[0.0, 0.0], [8.61, 4.0]]
    """
    seen = samples * math.sqrt(values)
    low, high = ends
    width = high - low
    is_live = width > 0
    if seen >= ENOUGH or not is_live.any():
        return ends
    scales = min(math.log(ENOUGH / seen) / math.log(samples), MOST) if samples > 1 else 0.0
    rest = np.clip(0.0, low, high)
    out: list[Array] = []
    for sign, end, mean in ((-1, low, usual[0]), (1, high, usual[1])):
        inside = np.maximum(sign * (end - mean), 0)
        scatter = np.divide(inside, width, out=np.ones_like(width), where=is_live)
        share = scales * float(scatter[is_live].mean())
        beyond = sign * end + (share if share >= LEAST else 0.0) * width
        moved = samples * (1 - scatter)
        others = max(float(np.median((sign * (end - rest))[is_live])), 0.0)
        unknown = np.where(moved < _FEW + 0.5, sign * rest + others / (1 + moved), -np.inf)
        out.append(sign * np.maximum(beyond, unknown))
    least = 0.0 if (low >= 0).all() else -np.inf
    most = 0.0 if (high <= 0).all() else np.inf
    return np.maximum(out[0], least), np.minimum(out[1], most)


def within(ends: Ends, seen: Ends, tensor: ov.Output) -> Ends:
    """The ends, but no further than the tensor's values can go, nor less than was seen."""
    least, most = bounds(tensor)
    low = np.maximum(ends[0], np.minimum(least, seen[0]))
    return low, np.minimum(ends[1], np.maximum(most, seen[1]))


def bounds(tensor: ov.Output) -> tuple[float, float]:
    """Between what a tensor's values lie, whatever the sample."""
    node = tensor.get_node()
    kind, attributes = node.get_type_name(), node.get_attributes()
    if kind in MOVING:
        sources = node.input_values() if kind == "Concat" else node.input_values()[:1]
        ends = [bounds(source) for source in sources]
        return min(low for low, _ in ends), max(high for _, high in ends)
    if kind == "Clamp":
        return float(attributes["min"]), float(attributes["max"])
    if kind in ("Gather", "Convert"):
        source = node.input_value(0)
        if source.get_node().get_type_name() == "Constant":  # rows of a table
            table = source.get_node().data
            return (float(table.min()), float(table.max())) if table.size else (0.0, 0.0)
        if kind == "Convert" and source.get_element_type().is_integral_number():
            info = np.iinfo(source.get_element_type().to_dtype())
            return float(info.min), float(info.max)
    is_state = kind in ("LSTMSequence", "GRUSequence") and tensor.get_index() > 1  # an LSTM's cell
    return (-np.inf, np.inf) if is_state else _BOUNDS.get(kind, (-np.inf, np.inf))


def positions(tensor: ov.Output, axis: int) -> int:
    """How many values of a channel a sample has; axis 0, if it is not the channels', is a batch."""
    shape = tensor.get_partial_shape()
    places = [shape[i] for i in range(1, len(shape)) if i != axis % len(shape)]
    return math.prod(each.get_length() if each.is_static else UNKNOWN for each in places)
