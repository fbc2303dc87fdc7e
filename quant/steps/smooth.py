"""SmoothQuant: moves the spread between channels from activations into the weights that read them.

Where layers read one tensor, channel c of it is divided by s[c] and column c of their weights
multiplied by it, with s = a^alpha / w^(1 - alpha) of the largest magnitudes a of the channel and
w of its weights. Where nothing is padded, the middle m[c] of the channel is taken off first, and
goes into the layers' biases: a symmetric range has no levels then that one-sided channels, such as
a Swish's or a Gelu's, never use.
Source: Xiao et al. 2023, "SmoothQuant", equation 4; Wei et al. 2023, "Outlier Suppression+",
equation 3 for the shift. Both are chosen per group from the statistics: those with the least
expected noise at the layers' outputs, or none where none lowers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.emulation import Stretch
from quant.fake_quantize import activation_levels, quantize
from quant.graph import Graph
from quant.parameters import Aggregator, SmoothParameters
from quant.plan import (
    MinMaxPlan,
    SmoothGroup,
    SmoothPart,
    SmoothPlan,
    SmoothReader,
    Subset,
    TensorRef,
)
from quant.runtime import opset
from quant.scheme import Mode
from quant.statistics.need import Need, Reduction, Statistics, by_tensor
from quant.steps import room
from quant.steps.alignment import NONE, Alignment, Channels
from quant.steps.alphas import ALPHAS, best_smoothing, places_of
from quant.steps.bias import add_to_bias, output_axis
from quant.steps.fast_bias import points_need, shift_of
from quant.steps.smoothable import groups
from quant.work import Work

Array = NDArray[Any]

_EXACT = 1e-3
"""Of a step: how far from a level a value may be that the level holds."""


def plan(graph: Graph, parameters: SmoothParameters, quantization: MinMaxPlan) -> SmoothPlan:
    """The groups of MatMuls and of convolutions that are quantized later."""
    return SmoothPlan(
        subset=Subset.of(parameters),
        alphas=ALPHAS if parameters.alpha is None else (parameters.alpha,),
        groups=tuple(groups(graph, quantization)),
    )


def needs(plan: SmoothPlan) -> Iterable[Need]:
    """What tells the reach of every channel of the groups' tensors, and the mean and points of what
    their readers read."""
    for group in plan.groups:
        for part in group.parts:
            yield from _extremes(plan, part)
        for reader in group.readers:
            yield _mean(plan, reader)
            yield points_need(plan.subset, reader)


def _extremes(plan: SmoothPlan, part: SmoothPart) -> Iterable[Need]:
    return room.needs(part.tensor, plan.subset, part.channel_axis, part.channels)


def _mean(plan: SmoothPlan, reader: SmoothReader) -> Need:
    return Need(
        tensor=reader.tensor,
        reduction=Reduction.MEAN,
        aggregator=Aggregator.MEAN,
        subset=plan.subset,
        channel_axis=reader.channel_axis,
        channels=reader.channels,
    )


def apply(work: Work, plan: SmoothPlan, statistics: Statistics) -> Statistics:
    """Smooths each group where that lowers the noise; returns statistics as they are after it."""
    replaced, asked = dict(statistics.replaced), by_tensor(statistics)
    for group in plan.groups:
        outcome = f"smooth {group.parts[0].quantizer}"
        if _is_held(plan, group, statistics):
            work.outcomes[outcome] = f"{NONE}: its levels hold every value"
            continue
        channels = _group_channels(work, plan, group, statistics)
        weights = [_rows(work, reader) for reader in group.readers]
        found = best_smoothing(group, channels, weights, plan.alphas)
        work.outcomes[outcome] = found.name
        if found.name != NONE:
            _stretch(work, group, found)
            for reader in group.readers:
                _absorb(work, reader, _at(found, places_of(reader)))
            replaced |= _smoothed(group, asked, statistics, channels, found)
    return Statistics(
        values=statistics.values, sample_count=statistics.sample_count, replaced=replaced
    )


def _group_channels(
    work: Work, plan: SmoothPlan, group: SmoothGroup, statistics: Statistics
) -> Channels:
    """What is known of a group's channels; the readers' points tell how they vary, which takes
    another look at whole tensors otherwise."""
    reaches = [
        room.reach(
            _extremes(plan, part),
            statistics,
            part.operations[0],
            work.nodes[part.tensor.op].output(part.tensor.port),
            is_open=part.is_open,
        )
        for part in group.parts
    ]
    low, high = (np.concatenate(ends) for ends in zip(*reaches, strict=True))
    mean, variance = np.zeros(group.channels), np.zeros(group.channels)
    for reader in reversed(group.readers):
        points = statistics.of(points_need(plan.subset, reader), reader.operation)
        places = places_of(reader)
        mean[places] = statistics.of(_mean(plan, reader), reader.operation)
        variance[places] = points.var(axis=0, dtype=np.float64)
    return Channels(low=low, high=high, mean=mean, mean_square=mean**2 + variance)


def _is_held(plan: SmoothPlan, group: SmoothGroup, statistics: Statistics) -> bool:
    """Whether the levels of one range hold every value that was seen: bytes of pictures, and shares
    of 255. Such tensors lose nothing, and would once their channels are scaled."""
    low, high = np.inf, -np.inf
    for part in group.parts:
        least, _, most, _ = (statistics.of(n, part.operations[0]) for n in _extremes(plan, part))
        low, high = min(low, float(least.min())), max(high, float(most.max()))
    if group.scheme.mode is Mode.SYMMETRIC:
        high = max(high, -low)
    levels = activation_levels(group.scheme, np.array([low]), np.array([high]))
    slack = _EXACT * float(levels.scale[0])
    return all(
        bool((np.abs(quantize(points, levels) - points) <= slack).all())
        for reader in group.readers
        for points in [statistics.of(points_need(plan.subset, reader), reader.operation)]
    )


def _at(found: Alignment, places: Array | slice) -> Alignment:
    """What is done to some of the channels."""
    return Alignment(name=found.name, shift=found.shift[places], factor=found.factor[places])


def _slices(group: SmoothGroup) -> Iterator[tuple[SmoothPart, slice]]:
    """The parts and the places of their channels."""
    start = 0
    for part in group.parts:
        yield part, slice(start, start + part.channels)
        start += part.channels


def _rows(work: Work, reader: SmoothReader) -> Array:
    """A layer's weights as `[C_out, C_in, taps]`; a depthwise one's as `[1, C, taps]`."""
    node = work.nodes[reader.operation]
    weights: Array = node.input_value(1).get_node().data
    if reader.is_depthwise:
        return weights.reshape(1, len(weights), -1)
    if node.get_type_name() == "MatMul":
        weights = weights if node.get_attributes()["transpose_b"] else weights.T
    return weights.reshape(*weights.shape[:2], -1)


def _stretch(work: Work, group: SmoothGroup, found: Alignment) -> None:
    """Stretches the channels on the way in.

    The quantizers do: their input ranges are per channel, their output range is not. Where one
    can't, a division is an operation of its own.
    """
    for part, places in _slices(group):
        source = work.nodes[part.tensor.op].output(part.tensor.port)
        rank = source.get_partial_shape().rank.get_length()
        spread = [-1 if axis == part.channel_axis else 1 for axis in range(rank)]
        factor, shift = (each[places].reshape(spread) for each in (found.factor, found.shift))
        if group.is_stretched:
            work.stretches[part.quantizer] = Stretch(factor=factor, shift=shift)
        else:
            _divide(work, part, factor)


def _divide(work: Work, part: SmoothPart, factor: Array) -> None:
    source = work.nodes[part.operations[0]].input_value(0)
    kind = source.get_element_type().to_dtype()
    divided = opset.multiply(source, opset.constant((1 / factor).astype(kind)))
    divided.set_friendly_name(f"{part.quantizer}/smooth")
    work.nodes[f"{part.quantizer}/smooth"] = divided
    for name in part.operations:
        work.nodes[name].input(0).replace_source_output(divided.output(0))


def _absorb(work: Work, reader: SmoothReader, found: Alignment) -> None:
    """Has a layer make up for what became of its channels."""
    node = work.nodes[reader.operation]
    constant = node.input_value(1).get_node()
    if found.shift.any():
        moved = shift_of(node, constant.data, found.shift)
        add_to_bias(node, output_axis(node), moved)
    is_transposed = node.get_type_name() == "MatMul" and not node.get_attributes()["transpose_b"]
    axis = 0 if reader.is_depthwise or is_transposed else 1
    shape = [-1 if i == axis else 1 for i in range(constant.data.ndim)]
    scaled = constant.data * found.factor.reshape(shape).astype(constant.data.dtype)
    changed = opset.constant(scaled, shared_memory=True)  # which holds the array
    changed.set_friendly_name(constant.get_friendly_name())
    node.input(1).replace_source_output(changed.output(0))
    work.nodes[constant.get_friendly_name()] = changed


def _smoothed(
    group: SmoothGroup,
    asked: Mapping[TensorRef, list[Need]],
    statistics: Statistics,
    channels: Channels,
    found: Alignment,
) -> dict[tuple[str, Need], Array]:
    """What later steps asked of the tensors, as they are after smoothing, for the layers that read
    them: of the parts, and of what a reader reads of them, joined and pooled.

    Ranges become what the channels are expected to reach.
    """
    replaced: dict[tuple[str, Need], Array] = {}
    for part, places in _slices(group):
        for name in part.operations:
            some = _chosen(channels, places)
            replaced |= _answers(asked, part, name, statistics, some, _at(found, places))
    parts = {part.tensor for part in group.parts}
    for reader in group.readers:
        if reader.tensor not in parts:
            read = places_of(reader)
            some, change = _chosen(channels, read), _at(found, read)
            replaced |= _answers(asked, reader, reader.operation, statistics, some, change)
    return replaced


def _chosen(channels: Channels, places: Array | slice) -> Channels:
    fields = (channels.low, channels.high, channels.mean, channels.mean_square)
    low, high, mean, square = (each[places] for each in fields)
    return Channels(low=low, high=high, mean=mean, mean_square=square)


def _answers(
    asked: Mapping[TensorRef, list[Need]],
    place: SmoothPart | SmoothReader,
    name: str,
    statistics: Statistics,
    channels: Channels,
    found: Alignment,
) -> Iterator[tuple[tuple[str, Need], Array]]:
    """The answers to what was asked of a tensor, for one layer."""
    after = channels.changed(found.shift, found.factor)
    for need in asked[place.tensor]:
        if need.channel_axis not in (None, place.channel_axis):
            continue  # of other readers, which take another axis for the channels
        is_linear = need.reduction in (Reduction.POINTS, Reduction.MEAN)
        if is_linear and need.channel_axis is not None:
            yield (name, need), (statistics.of(need, name) - found.shift) / found.factor
        else:
            answer = after.answer(need)
            assert answer is not None
            yield (name, need), answer
