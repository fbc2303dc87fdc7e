"""BiasCorrection: each output channel's mean in the quantized model becomes that of FP32.

Where FastBiasCorrection computes what quantized weights do to a mean, this measures what all of
quantization does: the quantized model runs up to the layers, which are corrected in topological
order, so that each is measured on inputs that are corrected already: piece by piece, where layers
of equal depth share a piece.
Source: Nagel et al. 2019, "Data-free quantization", section 4.2, on data; POT 2023.0.2, whose
sequence has no quantized activations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.clones import by_name
from quant.graph import Graph, Op
from quant.inference import Inference
from quant.parameters import Aggregator, BiasParameters
from quant.placement.tables import LINEAR
from quant.plan import BiasPlan, BiasSite, MinMaxPlan, Subset, TensorRef
from quant.runtime import opset, ov
from quant.statistics.need import Need, Reduction
from quant.steps.bias import biased, correct_bias, output_axis
from quant.steps.relay import Relay
from quant.steps.stages import stages
from quant.steps.weight_rounding import settle
from quant.work import Work

Array = NDArray[Any]

SHARE = 0.2
"""Share of the samples that is inferred again. Source: POT 2023.0.2 and NNCF 3.4.0."""


def plan(graph: Graph, parameters: BiasParameters, quantization: MinMaxPlan) -> BiasPlan:
    """The layers to correct, those of equal depth together."""
    quantized = {port.op for each in quantization.weights for port in each.consumers}
    sites: dict[int, BiasSite] = {}
    skipped: list[str] = []
    for op in graph.ops:
        site = _site(graph, op)
        if site is not None and (op.name in quantized or parameters.apply_for_all_nodes):
            sites[op.index] = site
        elif site is None and op.name in quantized and op.type != "Gather":
            skipped.append(op.name)
    return BiasPlan(
        subset=Subset.of(parameters),
        threshold=parameters.threshold,
        stages=stages(graph, sites),
        skipped=tuple(skipped),
    )


def _site(graph: Graph, op: Op) -> BiasSite | None:
    """A linear operation with constant weights, with its output behind the bias if it has one."""
    if op.type not in LINEAR or not graph.is_constant(op.inputs[1]) or op.ranks[0] is None:
        return None
    if op.type == "MatMul" and len(graph.shape(op.inputs[1]) or ()) != 2:
        return None
    axis = output_axis(op.node)
    channels = op.node.output(0).get_partial_shape()[axis]
    if channels.is_dynamic:
        return None
    return BiasSite(
        operation=op.name,
        tensor=_biased(op.node, channels.get_length()),
        channel_axis=axis,
        channels=channels.get_length(),
    )


def _biased(node: ov.Node, channels: int) -> TensorRef:
    return TensorRef(biased(node, channels).get_node().get_friendly_name())


def refine(work: Work, plan: BiasPlan, infer: Inference) -> None:
    """Corrects the layers stage by stage."""
    settle(work)
    work.notes |= dict.fromkeys(plan.skipped, "bias not corrected: not a layer with one bias")
    size = infer.sample_count if plan.subset.size is None else plan.subset.size
    subset = dataclasses.replace(plan.subset, size=max(int(SHARE * size), 1))
    floats = by_name(infer.reference)
    wanted = {
        s: _need(s, _biased(floats[s.operation], s.channels), subset)
        for stage in plan.stages
        for s in stage
    }
    means = infer.collect(infer.reference, tuple(wanted.values()))
    with Relay(infer, subset) as relay:
        for number, stage in enumerate(plan.stages):
            later = [site for each in plan.stages[number + 1 :] for site in each]
            for site, mean in zip(stage, _means(relay, work, stage, later), strict=True):
                shift = (means.values[wanted[site]] - mean).astype(np.float32)
                correct_bias(work, work.nodes[site.operation], shift, plan.threshold)


def _means(
    relay: Relay, work: Work, stage: Sequence[BiasSite], later: Sequence[BiasSite]
) -> list[Array]:
    """The means of the channels of a stage's layers over the samples, in f64."""
    (nodes,) = relay.cut(work.model.clone())
    inputs, below = (
        [value for site in sites for value in nodes[site.operation].input_values()]
        for sites in (stage, later)
    )
    results = [_mean(biased(nodes[site.operation], site.channels), site) for site in stage]
    totals: list[Array] = [np.zeros(site.channels) for site in stage]
    count = 0

    def add(_: int, values: list[Array]) -> None:
        nonlocal count
        count += 1
        for total, value in zip(totals, values, strict=True):
            total += value

    relay.run(inputs, below, results, add)
    return [total / count for total in totals]


def _mean(x: ov.Output, site: BiasSite) -> ov.Node:
    rank = x.get_partial_shape().rank.get_length()
    others = np.array([i for i in range(rank) if i != site.channel_axis], dtype=np.int64)
    return opset.reduce_mean(opset.convert(x, "f32"), others, keep_dims=False)


def _need(site: BiasSite, tensor: TensorRef, subset: Subset) -> Need:
    return Need(
        tensor=tensor,
        reduction=Reduction.MEAN,
        aggregator=Aggregator.MEAN,
        subset=subset,
        channel_axis=site.channel_axis,
        channels=site.channels,
    )
