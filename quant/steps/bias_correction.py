"""BiasCorrection: each output channel's mean in the quantized model becomes that of FP32.

Where FastBiasCorrection computes what quantized weights do to a mean, this measures what all of
quantization does: the quantized model runs up to the layers, which are corrected in topological
order, so that each is measured on inputs that are corrected already. Layers of equal depth share
a pass. Only means leave the graph, so no tensor is kept, however many samples there are.
Source: Nagel et al. 2019, "Data-free quantization", section 4.2, on data; POT 2023.0.2, whose
sequence has no quantized activations.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from quant.graph import Graph, Op
from quant.inference import Inference
from quant.parameters import Aggregator, BiasParameters
from quant.placement.tables import LINEAR
from quant.plan import BiasPlan, BiasSite, MinMaxPlan, Subset, TensorRef
from quant.runtime import ov
from quant.statistics.need import Need, Reduction
from quant.steps.bias import biased, correct_bias, output_axis
from quant.steps.stages import stages
from quant.work import Work

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
    work.notes |= dict.fromkeys(plan.skipped, "bias not corrected: not a layer with one bias")
    size = infer.sample_count if plan.subset.size is None else plan.subset.size
    subset = dataclasses.replace(plan.subset, size=max(int(SHARE * size), 1))
    floats = {node.get_friendly_name(): node for node in infer.reference.get_ordered_ops()}
    wanted = {
        s: _need(s, _biased(floats[s.operation], s.channels), subset)
        for stage in plan.stages
        for s in stage
    }
    means = infer.collect(infer.reference, tuple(wanted.values()))
    for stage in plan.stages:
        nodes = {site: work.nodes[site.operation] for site in stage}
        needs = {s: _need(s, _biased(node, s.channels), subset) for s, node in nodes.items()}
        found = infer.collect(work.model, tuple(needs.values()))
        for site, node in nodes.items():
            shift = means.values[wanted[site]] - found.values[needs[site]]
            correct_bias(work, node, shift.astype(np.float32), plan.threshold)


def _need(site: BiasSite, tensor: TensorRef, subset: Subset) -> Need:
    return Need(
        tensor=tensor,
        reduction=Reduction.MEAN,
        aggregator=Aggregator.MEAN,
        subset=subset,
        channel_axis=site.channel_axis,
        channels=site.channels,
    )
