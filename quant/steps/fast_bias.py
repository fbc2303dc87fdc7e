"""FastBiasCorrection: takes back the mean error that quantization puts on each output channel.

In closed form from the input's per-channel means: with W the weights and Wq the quantized ones,
the mean of the output moves by sum over input channels c and taps k of (W - Wq)[o, c, k] *
mean[c] * share[k], where share[k] is the share of output positions whose tap k lies inside the
input. Rounding and clipping move the input's means too, wherever its values are not spread over
many levels: a Swish has most of its values in the few levels around its minimum. By how much is
seen on a few positions of a few samples; the output moves by Wq times that.
Unlike POT and NNCF: no inference per layer, borders are taken exactly, and depthwise, transposed
and bias-less layers are covered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.fake_quantize import from_integers, quantize
from quant.graph import Graph, Op, attributes
from quant.parameters import Aggregator, FastBiasParameters
from quant.placement.tables import CONVOLUTIONS, LINEAR
from quant.plan import (
    ActivationQuantizer,
    BiasSite,
    FastBiasPlan,
    MinMaxPlan,
    SmoothReader,
    Subset,
    TensorRef,
)
from quant.runtime import ov
from quant.statistics.need import POINTS, Need, Reduction, Statistics
from quant.steps.bias import correct_bias
from quant.work import Work

Array = NDArray[Any]

COARSE = 8
"""Bits up to which the rounding of activations is looked at."""

_SAMPLES = 32
"""Samples of which positions are kept."""


def plan(graph: Graph, parameters: FastBiasParameters, quantization: MinMaxPlan) -> FastBiasPlan:
    """The operations with quantized weights whose input channels are known."""
    quantized = [
        port
        for each in quantization.weights
        if not each.scheme.is_finer_than_f32
        for port in each.consumers
    ]
    sites = [site(graph, graph.by_name[port.op]) for port in quantized if port.port == 1]
    rounding = rounded_by(quantization.activations)
    return FastBiasPlan(
        subset=Subset.of(parameters),
        threshold=parameters.threshold,
        sites=tuple(
            dataclasses.replace(each, quantizer=rounding.get(each.operation))
            for each in sites
            if each is not None
        ),
    )


def rounded_by(activations: Iterable[ActivationQuantizer]) -> Mapping[str, str]:
    """The quantizer that each operation's input goes through, by operation.

    One of several where they share their range, as those above a Concat do; none where they do not.
    """
    found: dict[str, ActivationQuantizer] = {}
    mixed: set[str] = set()
    for each in activations:
        for name in each.operations:
            first = found.setdefault(name, each)
            if first is not each and (first.group is None or first.group != each.group):
                mixed.add(name)
    return {
        name: each.name
        for name, each in found.items()
        if name not in mixed and each.scheme.bits <= COARSE
    }


def site(graph: Graph, op: Op) -> BiasSite | None:
    """The input of a linear operation with constant weights, if its channels are known."""
    weights = graph.shape(op.inputs[1])
    rank = graph.op(op.inputs[0]).ranks[op.inputs[0].port]
    if op.type not in LINEAR or weights is None or rank is None:
        return None
    if op.type == "MatMul":
        kept = attributes(op)
        if len(weights) != 2 or rank < 2:
            return None
        channels = weights[1 if kept["transpose_b"] else 0]
        axis = rank - 2 if kept["transpose_a"] else rank - 1
    else:
        channels, axis = _input_channels(op.type, weights), 1
    assert channels is not None  # constants have static shapes
    tensor = TensorRef(graph.op(op.inputs[0]).name, op.inputs[0].port)
    return BiasSite(operation=op.name, tensor=tensor, channel_axis=axis, channels=channels)


def _input_channels(kind: str, weights: tuple[int | None, ...]) -> int:
    """Input channels of a convolution from its weights' shape."""
    sizes = [size or 0 for size in weights]
    return {
        "Convolution": sizes[1],
        "ConvolutionBackpropData": sizes[0],
        "GroupConvolution": sizes[0] * sizes[2],
        "GroupConvolutionBackpropData": sizes[0] * sizes[1],
    }[kind]


def needs(plan: FastBiasPlan) -> Iterable[Need]:
    """The per-channel mean of every corrected operation's input, and its points where it is
    rounded."""
    for each in plan.sites:
        yield _need(plan, each)
        if each.quantizer is not None:
            yield points_need(plan.subset, each)


def _need(plan: FastBiasPlan, site: BiasSite) -> Need:
    return Need(
        tensor=site.tensor,
        reduction=Reduction.MEAN,
        aggregator=Aggregator.MEAN,
        subset=plan.subset,
        channel_axis=site.channel_axis,
        channels=site.channels,
    )


def points_need(subset: Subset, each: BiasSite | SmoothReader) -> Need:
    """All channels of an operation's input at a few positions of a few samples."""
    return Need(
        tensor=each.tensor,
        reduction=Reduction.POINTS,
        aggregator=None,
        subset=dataclasses.replace(subset, few=_SAMPLES),
        channel_axis=each.channel_axis,
        channels=each.channels,
    )


def apply(work: Work, plan: FastBiasPlan, statistics: Statistics) -> Statistics:
    """Adds each operation's shift to its bias; one is made where there is none."""
    for site in plan.sites:
        node = work.nodes[site.operation]
        quantizer = node.input_value(1).get_node()
        weights = quantizer.input_value(0).get_node().data
        rounded = _rounded(work, quantizer.get_friendly_name(), weights)
        moved = moved_means(work, plan, site, statistics)
        shift = np.zeros(1) if moved is None else -shift_of(node, rounded, moved)
        error = np.subtract(weights, rounded, out=rounded)
        shift = shift + shift_of(node, error, statistics.of(_need(plan, site), site.operation))
        correct_bias(work, node, shift.astype(np.float32), plan.threshold)
    return statistics


def _rounded(work: Work, quantizer: str, weights: Array) -> Array:
    """The weights that a quantizer makes of others."""
    levels, integers = work.levels[quantizer], work.integers.get(quantizer)
    return quantize(weights, levels) if integers is None else from_integers(integers, levels)


def moved_means(
    work: Work, plan: FastBiasPlan, site: BiasSite, statistics: Statistics
) -> Array | None:
    """By how much quantization moves the mean of each channel of an operation's input, `[C_in]`.

    As far as the samples agree: a mean over all positions is mostly one of backgrounds, and what
    differs from sample to sample is not taken back by a constant where it matters.
    """
    if site.quantizer is None or not work.levels[site.quantizer].is_executable:
        return None
    points = statistics.of(points_need(plan.subset, site), site.operation)
    rounded = quantize(points, work.levels[site.quantizer].flat)
    error = (rounded - points).reshape(-1, POINTS, site.channels)
    moved = error.mean(axis=1, dtype=np.float64)
    mean, count = moved.mean(axis=0), len(moved)
    if count == 1:
        return None
    return np.asarray(mean**3 / np.maximum(mean**2 + _SCATTER * moved.var(axis=0), _TINY))


_SCATTER = 0.25
"""How much of the samples' variance a mean is weighed against, the Wiener filter's way. Source:
drops of a detector, see docs/choices.md."""

_TINY = 1e-300
"""So that nothing is divided by zero."""


def shift_of(node: ov.Node, error: Array, means: Array) -> Array:
    """The shift `[C_out]` of a linear operation's output under an error of its weights.

    Args:
        node: a convolution of any kind, or a MatMul.
        error: what is added to the weights, in their layout.
        means: mean of each input channel, `[C_in]`.
    """
    error = error.astype(np.result_type(error.dtype, np.float32), copy=False)
    kind, means = node.get_type_name(), means.astype(error.dtype)
    if kind == "MatMul":
        return np.asarray(
            np.matmul(error if node.get_attributes()["transpose_b"] else error.T, means)
        )
    groups = len(error) if kind.startswith("Group") else 1
    shares = inside_shares(node).astype(error.dtype)
    means = means.reshape(groups, 1, -1)
    if "Backprop" in kind:  # [groups, C_in, C_out, taps]
        first = np.matmul(means, error.reshape(groups, means.shape[2], -1))
        return np.asarray(first.reshape(-1, len(shares)) @ shares)
    reached = (means[..., None] * shares).reshape(groups, -1, 1)
    return np.asarray(np.matmul(error.reshape(groups, -1, reached.shape[1]), reached)).reshape(-1)


def inside_shares(node: ov.Node) -> Array:
    """For each tap of a convolution's kernel, `[taps]`, the share of output positions that it
    reaches from inside the input; see `tap_shares`."""
    weights = node.input(1).get_shape()
    kernel = weights[3 if node.get_type_name().startswith("Group") else 2 :]
    shares = np.ones(1)
    for axis, size in enumerate(kernel):
        shares = np.outer(shares, tap_shares(node, axis, size)).reshape(-1)
    return shares


def tap_shares(node: ov.Node, axis: int, kernel: int) -> Array:
    """Along one spatial axis, the share of output positions that each kernel tap reaches from
    inside the input.

    For a transposed convolution: the share of output positions that each tap contributes to. Ones
    where the sizes are dynamic.
    """
    attributes = node.get_attributes()
    source = node.input(0).get_partial_shape()[2 + axis]
    result = node.output(0).get_partial_shape()[2 + axis]
    if source.is_dynamic or result.is_dynamic:
        return np.ones(kernel)
    stride, dilation = attributes["strides"][axis], attributes["dilations"][axis]
    pad = attributes["pads_begin"][axis]
    inside, outside = source.get_length(), result.get_length()
    steps, bound = (outside, inside) if not _is_transposed(node) else (inside, outside)
    positions = np.arange(steps)[:, None] * stride - pad + np.arange(kernel)[None] * dilation
    return np.asarray(((positions >= 0) & (positions < bound)).mean(axis=0) * steps / outside)


def _is_transposed(node: ov.Node) -> bool:
    return node.get_type_name() in CONVOLUTIONS and "Backprop" in node.get_type_name()
