"""The calibration model: the model with reductions at the tensors of interest and one output.

All reduced values of a sample leave the graph as one f32 vector, so that no Python object is made
per statistic and sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any

import numpy as np

from quant.clones import by_name
from quant.placement.tables import SIGN_KEEPING, is_nonnegative
from quant.runtime import opset, ov
from quant.statistics.constants import Constants
from quant.statistics.distribution import histogram_node
from quant.statistics.layout import Layout, layout
from quant.statistics.need import Need, Reduction
from quant.statistics.points import Grid, Joined, grid, picked, thinned
from quant.statistics.tap import Part, Tap, tap


def calibration_model(model: ov.Model, needs: Iterable[Need]) -> tuple[ov.Model, Layout]:
    """A clone of the model whose only output is the vector of all taps' values, and their layout.

    Operations that no tap depends on are not executed. Taps stand in the order of their tensors:
    OpenVINO computes what a Concat reads in this order, so each reduction follows right behind its
    tensor, which is still in the processor's cache then, and need not be kept for later.
    """
    clone = model.clone()
    nodes = by_name(clone)
    places = {name: place for place, name in enumerate(nodes)}
    wanted = sorted(dict.fromkeys(map(tap, needs)), key=lambda each: places[each.op])
    vector, columns = measured(wanted, lambda each: nodes[each.op].output(each.port))
    if vector is None:
        return clone, columns
    result = opset.result(vector)
    return ov.Model([result], clone.get_sinks(), clone.get_parameters(), "calibration"), columns


def measured(
    taps: Sequence[Tap], tensor_of: Callable[[Tap], ov.Output]
) -> tuple[ov.Node | None, Layout]:
    """The vector that a graph computes of taps, in their order, and the layout of all their values;
    no vector where all are known."""
    sources = dict.fromkeys(source for each in taps for source in each.sources)
    known = {
        each: value for each in sources if (value := _known(tensor_of(each), each)) is not None
    }
    grids = {
        each: found
        for each in sources
        if each.reduction is Reduction.POINTS
        and (found := grid(tensor_of(each), _axis(each, _rank(tensor_of(each))) or 0)) is not None
    }
    places = {each: found.columns(each.channels) for each, found in grids.items()}
    computed, columns = layout(_grouped(taps, grids), known, places)
    tapped = [Tapped(tensor=tensor_of(each), tap=each, grid=grids.get(each)) for each in computed]
    return _joined(tapped) if tapped else None, columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Tapped:
    """A tap and its tensor; `grid`: the points that are cut from it."""

    tensor: ov.Output
    tap: Tap
    grid: Grid | None


_SIDE_BY_SIDE = 8
"""Grids that are joined before they are given the vector's shape, which takes two operations more;
their tensors are kept in memory until the last one is there."""


def _grouped(taps: Sequence[Tap], grids: Mapping[Tap, Grid]) -> Iterator[Tap]:
    """The taps in their order, but for grids, a few of which stand together."""
    waiting: dict[Joined, list[Tap]] = {}
    for i, each in enumerate(taps):
        kind = None if each not in grids else grids[each].joined
        if kind is None:
            yield each
        else:
            group = waiting.setdefault(kind, [])
            group.append(each)
            if len(group) == _SIDE_BY_SIDE:
                yield from waiting.pop(kind)
        if (i + 1) % _TOGETHER == 0 or i + 1 == len(taps):
            yield from chain.from_iterable(waiting.values())
            waiting.clear()


def _known(tensor: ov.Output, tap: Tap) -> float | None:
    """The value of a tap that is the same for every sample."""
    if tap.reduction is Reduction.MIN:
        return 0.0 if _is_nonnegative(tensor.get_node()) else None
    shape = tensor.get_partial_shape()
    if tap.reduction is Part.COUNT and shape.is_static:
        return float(np.prod(shape.to_shape()) / tap.channels)
    return None


def _is_nonnegative(node: ov.Node) -> bool:
    """Whether an operation's results can't be below zero, whatever the sample."""
    if node.get_type_name() in SIGN_KEEPING:
        return all(
            _is_nonnegative(each.get_node())
            for each in node.input_values()
            if each.get_element_type().is_real()
        )
    return is_nonnegative(node.get_type_name(), node.get_attributes())


_TOGETHER = 64
"""Reductions that are joined at once, and share constants."""


def _joined(tapped: Sequence[Tapped]) -> ov.Node:
    """All values as one vector.

    A few at once: the time that OpenVINO (2026.4.1) needs to compile a Concat, or a constant with
    many readers, grows with the square of the tensors. 3,000 operations with reductions compile in
    a fifth of the time so.
    """
    parts = [_vector(tapped[i : i + _TOGETHER]) for i in range(0, len(tapped), _TOGETHER)]
    return parts[0] if len(parts) == 1 else opset.concat(parts, 0)


def _vector(tapped: Sequence[Tapped]) -> ov.Node:
    """The values of a few taps as a vector.

    Reductions of a tensor keep its rank, and most tensors have the same one and the channels on the
    same axis: what is reduced of those is joined as it is, and only the rest is given that shape,
    since every node more takes time to compile.
    """
    forms = [_form(each) for each in tapped]
    rank, axis = _commonest(forms)
    constants = Constants()
    shape = constants(-1 if i == axis else 1 for i in range(rank))
    parts = []
    for kind, group in groupby(
        zip(tapped, forms, strict=True), key=lambda each: each[0].grid and each[0].grid.joined
    ):
        values = [(_reduced(each, constants), form) for each, form in group]
        if kind is not None and len(values) > 1:
            values = [(opset.concat([part for part, _ in values], kind[0]), None)]
        for part, form in values:
            fits = form is not None and form[0] == rank and form[1] in (axis, None)
            parts.append(part if fits else _shaped(part, form, shape, rank))
    joined = opset.concat(parts, axis)
    return joined if rank == 1 else opset.reshape(joined, constants([-1]), special_zero=False)


Form = tuple[int, int | None]
"""The rank of a reduced tensor, and the only axis that need not be 1, if there is one."""


def _form(tapped: Tapped) -> Form | None:
    """None where what a tap makes of the tensor has a shape of its own."""
    rank = _rank(tapped.tensor)
    is_reduced = tapped.tap.reduction in _REDUCE or (tapped.grid and tapped.grid.is_single)
    return (rank, _axis(tapped.tap, rank)) if is_reduced and rank else None


def _commonest(forms: Sequence[Form | None]) -> tuple[int, int]:
    """The rank that most reductions have, and the channels' axis of most of those, any where they
    are of whole tensors; those of a vector without any."""
    ranks = Counter(form[0] for form in forms if form)
    if not ranks:
        return 1, 0
    rank = ranks.most_common(1)[0][0]
    axes = Counter(form[1] for form in forms if form and form[0] == rank and form[1] is not None)
    return rank, axes.most_common(1)[0][0] if axes else 0


def _shaped(part: ov.Output, form: Form | None, shape: ov.Node, rank: int) -> ov.Node:
    """A part in the others' shape. A matrix of one row or column is turned: OpenVINO (2026.4.1)
    removes a Reshape behind a reduction of the model's own that would do it."""
    if form is not None and form[0] == rank == 2:
        return opset.transpose(part, np.array([1, 0], np.int64))
    return opset.reshape(part, shape, special_zero=False)


def _reduced(tapped: Tapped, constants: Constants) -> ov.Node:
    """The tap's values in f32."""
    tensor, tap = tapped.tensor, tapped.tap
    if tap.reduction in (Reduction.LOW_QUANTILE, Reduction.HIGH_QUANTILE, Reduction.ABS_QUANTILE):
        return _quantile(tensor, tap)
    if tap.reduction is Reduction.HISTOGRAM:
        return histogram_node(_rows(tensor, tap), tap.channels)
    rank = _rank(tensor)
    channels = _axis(tap, rank)
    if tapped.grid is not None:
        values = tapped.grid.cut(tensor, constants)
    elif tap.reduction is Reduction.POINTS:
        values = picked(tensor, channels or 0, tap.channels)
    elif tap.reduction is Part.COUNT:
        values = opset.divide(
            opset.reduce_prod(opset.shape_of(tensor, "i64"), _int(0)), _int(tap.channels)
        )
    else:
        values = _reduction(tensor, tap, constants)
    return values if values.get_element_type() == ov.Type.f32 else opset.convert(values, "f32")


def _reduction(tensor: ov.Output, tap: Tap, constants: Constants) -> Any:
    """What is left of the tensor, with its rank.

    Of single values nothing is reduced: OpenVINO (2026.4.1) removes such an operation, and the
    Reshape behind it as well, which is needed. Nor does its CPU plugin compile every reduction of
    a convolution's single channel, so that it is read as a column.
    """
    rank = _rank(tensor)
    channels = _axis(tap, rank)
    axes = [axis for axis in range(rank) if axis != channels]
    shape = tensor.get_partial_shape()
    if tap.reduction is not Part.NORM and all(shape[i] == ov.Dimension(1) for i in axes):
        return tensor
    if tap.reduction is Reduction.MEAN and (some := thinned(tensor, channels or 0)) is not None:
        tensor = some.cut(tensor, constants)
    elif rank > _ROWS and shape[1] == ov.Dimension(1) and channels in (None, 1):
        column = constants([-1] + [1] * (rank - 1))
        tensor, axes = opset.reshape(tensor, column, special_zero=False).output(0), [0]
    return _REDUCE[tap.reduction](tensor, constants(axes), keep_dims=True)


_ROWS = 2
"""Axes of a tensor up to which no convolution computes it."""

_REDUCE = {
    Reduction.MIN: opset.reduce_min,
    Reduction.MAX: opset.reduce_max,
    Reduction.MEAN: opset.reduce_mean,
    Part.NORM: opset.reduce_l2,
}


def _rank(tensor: ov.Output) -> int:
    return int(tensor.get_partial_shape().rank.get_length())


def _axis(tap: Tap, rank: int) -> int | None:
    return None if tap.channel_axis is None else tap.channel_axis % rank


def _quantile(tensor: ov.Output, tap: Tap) -> ov.Node:
    """The linearly interpolated quantile, from the largest (or smallest) values that TopK finds.

    With n values in order from the outside in, the quantile stands at position (n - 1) *
    outlier_prob.
    """
    assert tap.outlier_prob is not None
    rows = _rows(tensor, tap)
    if tap.reduction is Reduction.ABS_QUANTILE:
        rows = opset.absolute(rows)
    count = opset.gather(opset.shape_of(rows, "i64"), _int(1), _int(0))
    last = opset.subtract(count, _int(1))
    position = opset.multiply(
        opset.convert(last, "f64"), opset.constant(np.float64(tap.outlier_prob))
    )
    outer = opset.convert(opset.floor(position), "i64")
    inner = opset.minimum(opset.add(outer, _int(1)), last)
    mode = "min" if tap.reduction is Reduction.LOW_QUANTILE else "max"
    found = opset.topk(rows, opset.add(inner, _int(1)), 1, mode, "value").output(0)
    low, high = opset.gather(found, outer, _int(1)), opset.gather(found, inner, _int(1))
    share = opset.convert(opset.subtract(position, opset.floor(position)), "f32")
    return opset.add(low, opset.multiply(opset.subtract(high, low), share))


def _rows(tensor: ov.Output, tap: Tap) -> ov.Node:
    """The tensor as `[channels, values]` in f32."""
    rank = _rank(tensor)
    axis = _axis(tap, rank)
    if axis is not None and axis != 0:
        order = [axis, *(i for i in range(rank) if i != axis)]
        tensor = opset.transpose(tensor, np.array(order, dtype=np.int64)).output(0)
    rows = opset.reshape(tensor, np.array([tap.channels, -1], dtype=np.int64), special_zero=False)
    return rows if tensor.get_element_type() == ov.Type.f32 else opset.convert(rows, "f32")


def _int(value: int) -> ov.Node:
    return opset.constant(np.int64(value))
