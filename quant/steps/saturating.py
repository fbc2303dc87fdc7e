"""Which layers of a target that saturates are at risk, from the calibration pass.

One statistic more per layer: all channels of its input at a few positions of a few samples, from
which the pair sums of the layer's own integers are computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.fake_quantize import Levels, to_integers
from quant.graph import Graph
from quant.plan import BiasSite, MinMaxPlan, WeightQuantizer
from quant.runtime import ov
from quant.saturation import Saturation, saturation
from quant.statistics.need import Need, Statistics
from quant.steps.fast_bias import points_need, site
from quant.work import Work

Array = NDArray[Any]

_BITS = 8


def sites(graph: Graph, weights: tuple[WeightQuantizer, ...]) -> tuple[BiasSite, ...]:
    """The inputs of the layers that sum products in pairs."""
    ports = [p for each in weights if each.is_saturable for p in each.consumers if p.port == 1]
    found = (site(graph, graph.by_name[port.op]) for port in ports)
    return tuple(each for each in found if each is not None)


def needs(plan: MinMaxPlan) -> Iterable[Need]:
    """The points of every site."""
    return (points_need(plan.subset, each) for each in plan.saturable)


def measure(
    work: Work, plan: MinMaxPlan, levels: Mapping[str, Levels], statistics: Statistics
) -> dict[str, Saturation]:
    """What saturation would do to each layer whose weights have their whole range.

    Args:
        levels: of all quantizers, by name.
    """
    inputs = {name: each for each in reversed(plan.activations) for name in each.operations}
    weights = {p.op: each for each in plan.weights for p in each.consumers if p.port == 1}
    found = {}
    for each in plan.saturable:
        x, w = inputs.get(each.operation), weights[each.operation]
        if x is None or x.scheme.bits != _BITS or w.scheme.bits != _BITS:
            continue
        points = statistics.of(points_need(plan.subset, each), each.operation)
        node = work.nodes[each.operation]
        constant = to_integers(work.nodes[w.constant].data, levels[w.name])
        grouped = _grouped(node, constant)
        integers = to_integers(points, levels[x.name]) - levels[x.name].first
        found[each.operation] = saturation(
            integers.reshape(len(integers), len(grouped), -1),
            grouped,
            float(levels[x.name].zero_point.max()) - levels[x.name].first,
        )
    return found


def _grouped(node: ov.Node, weights: Array) -> Array:
    """The weights of a linear operation as `[groups, C_out, C_in, taps]`."""
    kind = node.get_type_name()
    if kind == "MatMul":
        weights = weights if node.get_attributes()["transpose_b"] else weights.T
    if not kind.startswith("Group"):
        weights = weights[None]
    if "Backprop" in kind:
        weights = np.swapaxes(weights, 1, 2)
    return weights.reshape(*weights.shape[:3], -1)
