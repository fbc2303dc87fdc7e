"""BiasCorrection: each output channel's mean in the quantized model becomes that of FP32.

Where FastBiasCorrection computes what quantized weights do to a mean, this measures what all of
quantization does: the quantized model runs up to the layers, which are corrected in topological
order, so that each is measured on inputs that are corrected already. Layers of equal depth share
a pass, and several passes a compiled model, which takes the corrections so far as inputs. Only
means leave the graph, so no tensor is kept, however many samples there are.
Source: Nagel et al. 2019, "Data-free quantization", section 4.2, on data; POT 2023.0.2, whose
sequence has no quantized activations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.graph import Graph, Op
from quant.inference import Inference
from quant.parameters import Aggregator, BiasParameters
from quant.placement.tables import LINEAR
from quant.plan import BiasPlan, BiasSite, MinMaxPlan, Subset, TensorRef
from quant.runtime import opset, ov
from quant.statistics.need import Need, Reduction
from quant.statistics.passes import compiled
from quant.steps.bias import biased, correct_bias, output_axis
from quant.steps.stages import stages
from quant.steps.weight_rounding import settle
from quant.work import Work

Array = NDArray[Any]

TOGETHER = 8
"""Stages that share a compiled model; with more, the first ones would infer much in vain."""

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
    floats = {node.get_friendly_name(): node for node in infer.reference.get_ordered_ops()}
    wanted = {
        s: _need(s, _biased(floats[s.operation], s.channels), subset)
        for stage in plan.stages
        for s in stage
    }
    means = infer.collect(infer.reference, tuple(wanted.values()))
    for first in range(0, len(plan.stages), TOGETHER):
        together = plan.stages[first : first + TOGETHER]
        sites = [site for stage in together for site in stage]
        ready = compiled(_correctable(work.model, sites))
        shifts = {_input(site): np.zeros(site.channels, np.float32) for site in sites}
        for stage in together:
            found = dict(zip(sites, _means(ready, infer, subset, shifts), strict=True))
            for site in stage:
                shift = (means.values[wanted[site]] - found[site]).astype(np.float32)
                if correct_bias(work, work.nodes[site.operation], shift, plan.threshold):
                    shifts[_input(site)] = shift


def _correctable(model: ov.Model, sites: Sequence[BiasSite]) -> ov.Model:
    """A clone of the model with one more input for each site, in their order, which is added to the
    site's channels, and as outputs the means of the sums, `[C]`."""
    clone = model.clone()
    nodes = {node.get_friendly_name(): node for node in clone.get_ordered_ops()}
    results, inputs = [], clone.get_parameters()
    for site in sites:
        output = biased(nodes[site.operation], site.channels)
        shift = opset.parameter([site.channels], output.get_element_type())
        shift.output(0).set_names({_input(site)})
        inputs.append(shift)
        results.append(opset.result(_mean(_shifted(output, shift, site), site)))
    return ov.Model(results, clone.get_sinks(), inputs, "correctable")


def _input(site: BiasSite) -> str:
    return f"{site.operation}/shift"


def _shifted(output: ov.Output, shift: ov.Node, site: BiasSite) -> ov.Node:
    """The sum, which all that read the output read from then on."""
    readers = list(output.get_target_inputs())
    below = output.get_partial_shape().rank.get_length() - site.channel_axis
    shape = np.array([site.channels, *[1] * (below - 1)], dtype=np.int64)
    total = opset.add(output, opset.reshape(shift, shape, special_zero=False))
    for reader in readers:
        reader.replace_source_output(total.output(0))
    return total


def _mean(x: ov.Node, site: BiasSite) -> ov.Node:
    rank = x.get_output_partial_shape(0).rank.get_length()
    others = np.array([i for i in range(rank) if i != site.channel_axis], dtype=np.int64)
    return opset.reduce_mean(opset.convert(x, "f32"), others, keep_dims=False)


def _means(
    model: ov.CompiledModel, infer: Inference, subset: Subset, shifts: Mapping[str, Array]
) -> list[Array]:
    """The mean of each of the model's outputs over the samples, in f64."""
    totals: list[Array] = [np.zeros(output.get_shape()) for output in model.outputs]

    def add(_: int, values: list[Array]) -> None:
        for total, value in zip(totals, values, strict=True):
            total += value

    count = infer.each(model, subset, add, shifts)
    return [total / count for total in totals]


def _need(site: BiasSite, tensor: TensorRef, subset: Subset) -> Need:
    return Need(
        tensor=tensor,
        reduction=Reduction.MEAN,
        aggregator=Aggregator.MEAN,
        subset=subset,
        channel_axis=site.channel_axis,
        channels=site.channels,
    )
