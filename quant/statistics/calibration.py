"""The calibration model: the model with reductions at the tensors of interest and one output.

All reduced values of a sample leave the graph as one f32 vector, so that no Python object is made
per statistic and sample.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from quant.placement.tables import SIGN_KEEPING, is_nonnegative
from quant.runtime import opset, ov
from quant.statistics.distribution import histogram_node
from quant.statistics.layout import Layout, layout
from quant.statistics.need import POINTS, Need, Reduction
from quant.statistics.tap import Part, Tap, tap


def calibration_model(model: ov.Model, needs: Iterable[Need]) -> tuple[ov.Model, Layout]:
    """A clone of the model whose only output is the vector of all taps' values, and their layout.

    Operations that no tap depends on are not executed. Taps stand in the order of their tensors:
    OpenVINO computes what a Concat reads in this order, so each reduction follows right behind its
    tensor, which is still in the processor's cache then, and need not be kept for later.
    """
    clone = model.clone()
    nodes = {node.get_friendly_name(): node for node in clone.get_ordered_ops()}
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
    sources = (source for each in taps for source in each.sources)
    known = {
        each: value for each in sources if (value := _known(tensor_of(each), each)) is not None
    }
    computed, columns = layout(taps, known)
    return _joined([(tensor_of(each), each) for each in computed]) if computed else None, columns


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


def _joined(tapped: Sequence[tuple[ov.Output, Tap]]) -> ov.Node:
    """All values as one vector.

    A few at once: the time that OpenVINO (2026.4.1) needs to compile a Concat, or a constant with
    many readers, grows with the square of the tensors. 3,000 operations with reductions compile in
    a fifth of the time so.
    """
    parts = [_vector(tapped[i : i + _TOGETHER]) for i in range(0, len(tapped), _TOGETHER)]
    return parts[0] if len(parts) == 1 else opset.concat(parts, 0)


def _vector(tapped: Sequence[tuple[ov.Output, Tap]]) -> ov.Node:
    """The values of a few taps as a vector.

    Reductions of a tensor keep its rank, and most tensors have the same one and the channels on the
    same axis: what is reduced of those is joined as it is, and only the rest is given that shape,
    since every node more takes time to compile.
    """
    forms = [_form(*each) for each in tapped]
    rank, axis = _commonest(forms)
    shape = _ints([-1 if i == axis else 1 for i in range(rank)])
    axes: dict[tuple[int, ...], ov.Node] = {}
    parts = []
    for (tensor, each), form in zip(tapped, forms, strict=True):
        part = _reduced(tensor, each, axes)
        fits = form is not None and form[0] == rank and form[1] in (axis, None)
        parts.append(part if fits else opset.reshape(part, shape, special_zero=False))
    joined = opset.concat(parts, axis)
    return joined if rank == 1 else opset.reshape(joined, _ints([-1]), special_zero=False)


Form = tuple[int, int | None]
"""The rank of a reduced tensor, and the only axis that need not be 1, if there is one."""


def _form(tensor: ov.Output, tap: Tap) -> Form | None:
    """None where what a tap makes of the tensor has a shape of its own."""
    rank = tensor.get_partial_shape().rank.get_length()
    return (rank, _axis(tap, rank)) if tap.reduction in _REDUCE and rank else None


def _commonest(forms: Sequence[Form | None]) -> tuple[int, int]:
    """The rank and the channels' axis that most reductions have, any axis where they are of whole
    tensors; those of a vector without any."""
    found = Counter((form[0], form[1] or 0) for form in forms if form)
    return found.most_common(1)[0][0] if found else (1, 0)


def _reduced(tensor: ov.Output, tap: Tap, axes: dict[tuple[int, ...], ov.Node]) -> ov.Node:
    """The tap's values in f32.

    Args:
        axes: constants that are there already; each is made only once.
    """
    if tap.reduction in (Reduction.LOW_QUANTILE, Reduction.HIGH_QUANTILE, Reduction.ABS_QUANTILE):
        return _quantile(tensor, tap)
    if tap.reduction is Reduction.HISTOGRAM:
        return histogram_node(_rows(tensor, tap), tap.channels)
    if tap.reduction is Reduction.POINTS:
        values = _points(tensor, tap)
    elif tap.reduction is Part.COUNT:
        values = opset.divide(
            opset.reduce_prod(opset.shape_of(tensor, "i64"), _int(0)), _int(tap.channels)
        )
    else:
        rank = tensor.get_partial_shape().rank.get_length()
        channels = _axis(tap, rank)
        reduced = tuple(axis for axis in range(rank) if axis != channels)
        if reduced not in axes:
            axes[reduced] = _ints(reduced)
        values = _REDUCE[tap.reduction](tensor, axes[reduced], keep_dims=True)
    return values if values.get_element_type() == ov.Type.f32 else opset.convert(values, "f32")


_REDUCE = {
    Reduction.MIN: opset.reduce_min,
    Reduction.MAX: opset.reduce_max,
    Reduction.MEAN: opset.reduce_mean,
    Part.NORM: opset.reduce_l2,
}


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
    rank = tensor.get_partial_shape().rank.get_length()
    axis = _axis(tap, rank)
    if axis is not None and axis != 0:
        order = [axis, *(i for i in range(rank) if i != axis)]
        tensor = opset.transpose(tensor, np.array(order, dtype=np.int64)).output(0)
    rows = opset.reshape(tensor, np.array([tap.channels, -1], dtype=np.int64), special_zero=False)
    return rows if tensor.get_element_type() == ov.Type.f32 else opset.convert(rows, "f32")


_SPREAD = np.modf(np.arange(1, POINTS + 1) * (5**0.5 - 1) / 2)[0]
"""Where the points lie, from 0 to 1: evenly, but not in line. Source: the golden-ratio sequence."""


def _points(tensor: ov.Output, tap: Tap) -> ov.Node:
    """All channels at a few positions, `[POINTS, channels]`; where the channels are axis 1, of the
    first item of a batch."""
    rank = tensor.get_partial_shape().rank.get_length()
    axis = _axis(tap, rank)
    places = list(tensor.get_partial_shape())[2:]
    if axis == 1 and rank > 2 and all(each.is_static for each in places):
        return _on_grid(tensor, [each.get_length() for each in places], tap)
    if axis == 1 and rank > 2:  # picked before they are moved: a transposition would cost more
        first = opset.gather(tensor, _int(0), _int(0))
        rows = opset.reshape(first, np.array([tap.channels, -1], np.int64), special_zero=False)
        return _picked(rows, 1)
    if axis != rank - 1:
        order = [*(i for i in range(rank) if i != axis), axis]
        tensor = opset.transpose(tensor, np.array(order, dtype=np.int64)).output(0)
    rows = opset.reshape(tensor, np.array([-1, tap.channels], np.int64), special_zero=False)
    return _picked(rows, 0)


def _on_grid(tensor: ov.Output, sizes: Sequence[int], tap: Tap) -> ov.Node:
    """The points of a picture, or of the like in any dimension, of these sizes: OpenVINO cuts a
    grid from any layout, where it would move the whole tensor for single positions."""
    side = math.ceil(POINTS ** (1 / len(sizes)))
    steps = [max(1, size // side) for size in sizes]
    begin, end = [0, 0, *(step // 2 for step in steps)], [1, 0, *sizes]
    all_channels = [0, 1, *(0 for _ in sizes)]
    grid = opset.strided_slice(tensor, begin, end, [1, 1, *steps], all_channels, all_channels)
    rows = opset.reshape(grid, np.array([tap.channels, -1], np.int64), special_zero=False)
    return _picked(rows, 1)


def _picked(rows: ov.Node, axis: int) -> ov.Node:
    """The points along an axis of a matrix, which becomes the first one."""
    size = rows.get_output_partial_shape(0)[axis]
    if size.is_static:  # few nodes: every one more takes time to compile
        places = _ints(np.floor(size.get_length() * _SPREAD).astype(np.int64))
    else:
        count = opset.gather(opset.shape_of(rows, "i64"), _int(axis), _int(0))
        spread = opset.multiply(opset.convert(count, "f64"), opset.constant(_SPREAD))
        places = opset.convert(opset.floor(spread), "i64")
    found = opset.gather(rows, places, _int(axis))
    return opset.transpose(found, np.array([1, 0], np.int64)) if axis else found


def _int(value: int) -> ov.Node:
    return opset.constant(np.int64(value))


def _ints(values: Iterable[int]) -> ov.Node:
    return opset.constant(np.array(list(values), dtype=np.int64))
