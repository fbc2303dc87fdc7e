"""ActivationChannelAlignment: evens out the channels between two layers, inside their constants.

A convolution reads what another linear operation P computes, x = P(..), with no more than a bias in
between. Channel c of x becomes (x - m[c]) / f[c]: P's weights and bias are divided by f, m goes
from P's bias into the convolution's, and the convolution's weights are multiplied by f. The model
computes the same, and one range for all channels of x wastes fewer levels.
Source: POT 2023.0.2 and NNCF 3.4.0: m the middle, f the width of a channel's range; Nagel et al.
2019, "Data-Free Quantization Through Weight Equalization and Bias Correction": f between
activations and weights. Here each pair takes the m and f with the least expected noise, or none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.graph import Graph
from quant.parameters import Aggregator, ChannelAlignmentParameters
from quant.plan import AlignedPair, ChannelAlignmentPlan, MinMaxPlan, Subset
from quant.runtime import opset, ov
from quant.statistics.need import Need, Reduction, Statistics, by_tensor
from quant.steps import room
from quant.steps.alignment import NONE, Alignment, Channels, best_alignment
from quant.steps.bias import add_to_bias, bias_of
from quant.steps.pairs import pairs
from quant.work import Work

Array = NDArray[Any]


def plan(
    graph: Graph, parameters: ChannelAlignmentParameters, quantization: MinMaxPlan
) -> ChannelAlignmentPlan:
    """The pairs that may be aligned, in the order of the graph."""
    return ChannelAlignmentPlan(
        subset=Subset.of(parameters),
        pairs=tuple(pairs(graph, quantization)),
    )


def needs(plan: ChannelAlignmentPlan) -> Iterable[Need]:
    """What tells the reach, the mean and the mean square of every channel between the pairs."""
    for pair in plan.pairs:
        yield from _extremes(plan, pair)
        yield from _moments(plan, pair)


def _extremes(plan: ChannelAlignmentPlan, pair: AlignedPair) -> Iterable[Need]:
    return room.needs(pair.tensor, plan.subset, 1, pair.channels)


def _moments(plan: ChannelAlignmentPlan, pair: AlignedPair) -> Iterable[Need]:
    for reduction in (Reduction.MEAN, Reduction.MEAN_SQUARE):
        yield Need(
            tensor=pair.tensor,
            reduction=reduction,
            aggregator=Aggregator.MEAN,
            subset=plan.subset,
            channel_axis=1,
            channels=pair.channels,
        )


def apply(work: Work, plan: ChannelAlignmentPlan, statistics: Statistics) -> Statistics:
    """Aligns each pair where that lowers the noise; returns statistics as they are after it."""
    replaced, asked = dict(statistics.replaced), by_tensor(statistics)
    for pair in plan.pairs:
        tensor = work.nodes[pair.tensor.op].output(pair.tensor.port)
        wanted = _extremes(plan, pair)
        low, high = room.reach(wanted, statistics, pair.consumer, tensor, is_open=pair.is_open)
        mean, square = (statistics.values[each] for each in _moments(plan, pair))
        channels = Channels(low=low, high=high, mean=mean, mean_square=square)
        found = best_alignment(pair, channels, _columns(work, pair))
        work.outcomes[f"align {pair.producer} -> {pair.consumer}"] = found.name
        if found.name != NONE:
            _edit(work, pair, found)
            answers = {need: statistics.values[need] for need in asked[pair.tensor]}
            replaced |= _replaced(pair, answers, channels, found)
    return dataclasses.replace(statistics, replaced=replaced)


def _replaced(
    pair: AlignedPair, answers: Mapping[Need, Array], channels: Channels, found: Alignment
) -> dict[tuple[str, Need], Array]:
    """The answers to all needs of the tensor, as they are after alignment, for both operations."""
    after = channels.changed(found.shift, found.factor)
    replaced: dict[tuple[str, Need], Array] = {}
    for need, value in answers.items():
        answer = after.answer(need)
        new = (value - found.shift) / found.factor if answer is None else answer
        replaced |= {(name, need): new for name in (pair.producer, pair.consumer)}
    return replaced


def _columns(work: Work, pair: AlignedPair) -> Array:
    """The consumer's weights as `[C_out, C, taps]`."""
    weights: Array = work.nodes[pair.consumer].input_value(1).get_node().data
    return weights.reshape(*weights.shape[:2], -1)


def _edit(work: Work, pair: AlignedPair, found: Alignment) -> None:
    """Moves shift and factor from the producer's constants into the consumer's."""
    producer, consumer = work.nodes[pair.producer], work.nodes[pair.consumer]
    if found.shift.any():
        moved = _columns(work, pair).astype(np.float64).sum(axis=2) @ found.shift
        add_to_bias(consumer, 1, moved)
    bias = bias_of(producer, 1, pair.channels)
    old = np.zeros(pair.channels) if bias is None else bias[1].data.reshape(-1).astype(np.float64)
    if bias is not None or found.shift.any():
        add_to_bias(producer, 1, (old - found.shift) / found.factor - old)
    _scale(work, producer, 1 / found.factor, is_output=True)
    _scale(work, consumer, found.factor, is_output=False)


def _scale(work: Work, node: ov.Node, factor: Array, *, is_output: bool) -> None:
    """Multiplies an operation's weights, by output or input channel."""
    port = 0 if node.get_type_name() == "MatMul" else 1
    constant = node.input_value(port).get_node()
    shape = _spread(node, constant.data.shape, is_output=is_output)
    changed = opset.constant((constant.data * factor.reshape(shape)).astype(constant.data.dtype))
    changed.set_friendly_name(constant.get_friendly_name())
    node.input(port).replace_source_output(changed.output(0))
    work.nodes[constant.get_friendly_name()] = changed


def _spread(node: ov.Node, shape: tuple[int, ...], *, is_output: bool) -> list[int]:
    """The shape in which one value per channel goes over the weights."""
    kept = {0} if is_output else {1}
    if node.get_type_name() == "GroupConvolution":
        kept = {0, 1}
    elif node.get_type_name() == "MatMul" and node.get_attributes()["transpose_a"]:
        kept = {1}
    return [size if axis in kept else 1 for axis, size in enumerate(shape)]
