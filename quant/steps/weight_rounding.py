"""WeightRounding: rounds weights so that the errors of a layer's output cancel out.

Inputs of a layer go up and down together, so what rounding one weight does to the output, rounding
another one the other way takes back in part. How they do is seen on a few positions of a few
samples, the same that FastBiasCorrection looks at: for MatMuls and convolutions of one tap those
are the layers' inputs. Errors of what varies count; a bias correction takes back the mean.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.fake_quantize import Levels, from_integers, quantize
from quant.graph import Graph, Op
from quant.parameters import WeightRoundingParameters
from quant.plan import BiasSite, MinMaxPlan, Subset, WeightQuantizer, WeightRoundingPlan
from quant.runtime import opset, ov
from quant.statistics.need import POINTS, Need, Statistics
from quant.steps.fast_bias import points_need, rounded_by, site
from quant.steps.nearest_plane import OUTPUTS, Covariances, closest, covariances
from quant.work import Work

Array = NDArray[Any]

WIDEST = {"MatMul": 512, "Convolution": 128, "GroupConvolution": 128}
"""Inputs per output up to which a layer is rounded so: wider ones take long, and the noise of a
convolution's many positions averages out in what reads it. Source: docs/choices.md."""

_SMALL = 1 << 18
"""Weights up to which a MatMul is rounded so, whatever its inputs: the last layer of many a net."""

_AT_ONCE = 1 << 19
"""Weights that are worked on at a time, of layers of one shape."""

_BITS = 8
"""Of finer weights the rounding does not matter."""

_KERNEL = {"MatMul": 2, "Convolution": 2, "GroupConvolution": 3}
"""The axis of weights at which the taps begin."""


def plan(
    graph: Graph, parameters: WeightRoundingParameters, quantization: MinMaxPlan
) -> WeightRoundingPlan:
    """The layers whose inputs the points of a tensor are."""
    inputs = rounded_by(quantization.activations)
    found = (_site(graph, each) for each in quantization.weights)
    return WeightRoundingPlan(
        subset=Subset.of(parameters),
        sites=tuple(
            dataclasses.replace(each, quantizer=inputs.get(each.operation))
            for each in found
            if each is not None
        ),
    )


def _site(graph: Graph, quantizer: WeightQuantizer) -> BiasSite | None:
    """Where the inputs of a quantizer's layer are seen; None of layers that are left alone."""
    port, op = quantizer.consumers[0], graph.by_name[quantizer.consumers[0].op]
    is_shared = len(quantizer.consumers) > 1 or quantizer.group is not None
    if is_shared or port.port != 1 or quantizer.scheme.bits > _BITS or op.type not in _KERNEL:
        return None
    found = site(graph, op)
    return found if found is not None and _is_narrow(graph, op, found.channels) else None


def _is_narrow(graph: Graph, op: Op, channels: int) -> bool:
    sizes = [size or 0 for size in graph.shape(op.inputs[1]) or ()]
    taps = int(np.prod(sizes[_KERNEL[op.type] :]))
    width = channels // (sizes[0] if op.type == "GroupConvolution" else 1)
    is_small = op.type == "MatMul" and math.prod(sizes) <= _SMALL
    return taps == 1 and width > 1 and (width <= WIDEST[op.type] or is_small)


def needs(plan: WeightRoundingPlan) -> Iterable[Need]:
    """The points of every layer's input."""
    return (points_need(plan.subset, each) for each in plan.sites)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """A layer's weights in units of their scale, `[G, D, O]`, the covariances of its inputs, and
    the least and the largest integer of its nearest ones."""

    name: str
    real: Array
    inputs: Covariances
    ends: tuple[float, float]


def apply(work: Work, plan: WeightRoundingPlan, statistics: Statistics) -> Statistics:
    """Moves weights onto levels of their quantizers, layers of one shape at once."""
    alike: dict[tuple[int, ...], list[BiasSite]] = {}
    for each in plan.sites:
        node = work.nodes[each.operation]
        shape = _columns(node, _constant(work, node)[0].data).shape
        alike.setdefault(shape, []).append(each)
    for shape, sites in alike.items():
        groups, _, outputs = shape
        count = max(min(_AT_ONCE // math.prod(shape), OUTPUTS // (groups * outputs)), 1)
        for start in range(0, len(sites), count):
            some = [_layer(work, plan, each, statistics) for each in sites[start : start + count]]
            for layer, integers in zip(some, _together(some), strict=True):
                _keep(work, layer.name, integers)
    if plan.sites:
        work.outcomes["weights rounded by covariances"] = f"{len(plan.sites)} layers"
    return statistics


def _layer(work: Work, plan: WeightRoundingPlan, each: BiasSite, statistics: Statistics) -> _Layer:
    node = work.nodes[each.operation]
    constant, levels = _constant(work, node)
    real = np.divide(constant.data, levels.scale, dtype=np.float32)
    real += levels.zero_point
    columns = _columns(node, real)
    last = levels.first + levels.levels - 1
    low, high = np.clip(np.rint([real.min(), real.max()]), levels.first, last)
    points = statistics.of(points_need(plan.subset, each), each.operation)
    if each.quantizer is not None:
        points = quantize(points, work.levels[each.quantizer].flat)
    groups, width = columns.shape[:2]
    return _Layer(
        name=each.operation,
        real=columns,
        inputs=covariances(points.reshape(-1, POINTS, groups, width).transpose(2, 0, 1, 3)),
        ends=(float(low), float(high)),
    )


def _together(layers: Sequence[_Layer]) -> Array:
    """The integers of layers of one shape, `[layers, G, D, O]`."""
    shape = (len(layers), *layers[0].real.shape)
    ends = np.repeat(np.array([each.ends for each in layers], np.float32), shape[1], axis=0)
    low, high = ends[:, :1, None], ends[:, 1:, None]
    real, rows, own = (
        np.concatenate(parts) if len(parts) > 1 else parts[0]
        for parts in zip(*((x.real, x.inputs.rows, x.inputs.own) for x in layers), strict=True)
    )
    return closest(real, Covariances(rows, own), low, high).reshape(shape)


def _keep(work: Work, name: str, integers: Array) -> None:
    """Has a layer's weights become these integers, which are a quarter of their size."""
    node = work.nodes[name]
    constant, levels = _constant(work, node)
    quantizer = node.input_value(1).get_node().get_friendly_name()
    small = integers.astype(np.int8 if levels.first < 0 else np.uint8)
    own = _from_columns(node, small, constant.data.shape)
    work.integers[quantizer] = np.ascontiguousarray(own)


def settle(work: Work) -> None:
    """Has quantizers read weights that lie on their levels, for steps that infer the model."""
    for name, integers in work.integers.items():
        quantizer, levels = work.nodes[name], work.levels[name]
        constant = quantizer.input_value(0).get_node()
        changed = opset.constant(from_integers(integers, levels).astype(constant.data.dtype))
        changed.set_friendly_name(constant.get_friendly_name())
        quantizer.input(0).replace_source_output(changed.output(0))
        (reader,) = quantizer.output(0).get_target_inputs()
        work.unrounded[reader.get_node().get_friendly_name()] = constant.data
    work.integers.clear()


def _constant(work: Work, node: ov.Node) -> tuple[Any, Levels]:
    """The weights that a layer's quantizer reads, and its levels."""
    quantizer = node.input_value(1).get_node()
    return quantizer.input_value(0).get_node(), work.levels[quantizer.get_friendly_name()]


def _columns(node: ov.Node, weights: Array) -> Array:
    """Weights in a layer's own layout as `[G, D, O]`."""
    if node.get_type_name() == "MatMul":
        return (weights.T if node.get_attributes()["transpose_b"] else weights)[None]
    groups = len(weights) if node.get_type_name() == "GroupConvolution" else 1
    inputs = weights.shape[_KERNEL[node.get_type_name()] - 1]
    return weights.reshape(groups, -1, inputs).swapaxes(1, 2)


def _from_columns(node: ov.Node, columns: Array, shape: tuple[int, ...]) -> Array:
    """The opposite of `_columns`."""
    if node.get_type_name() == "MatMul":
        return np.asarray(columns[0].T if node.get_attributes()["transpose_b"] else columns[0])
    return columns.swapaxes(1, 2).reshape(shape)
