"""OverflowCorrection: keeps sums of products within 32 bits where weights have more than 8.

A device that multiplies integers of 16 bits adds the products up in 32. The largest sum that
calibration saw, in units of input scale times weight scale, has to stay below 2^31: where it does
not, the weights get a wider scale, and so smaller integers. Source: POT 2023.0.2,
OverflowCorrection (for GNA).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from quant.emulation import fake_quantize
from quant.fake_quantize import Levels
from quant.graph import Graph
from quant.parameters import Aggregator, OverflowParameters
from quant.placement.tables import LINEAR, bias_add
from quant.plan import (
    MinMaxPlan,
    OverflowPlan,
    OverflowSite,
    Subset,
    TensorRef,
    WeightQuantizer,
)
from quant.statistics.need import Need, Reduction, Statistics
from quant.work import Work

LARGEST_SUM = 2**31 - 1

_SAFE_BITS = 8
"""Weights of so many bits can't fill 32 with sums of products of 16 bits before 2^8 of them are at
their largest; POT leaves them alone."""


def plan(graph: Graph, parameters: OverflowParameters, quantization: MinMaxPlan) -> OverflowPlan:
    """The linear operations with integer weights of more than 8 bits and integer inputs."""
    found = (
        _site(graph, quantization, weights, port.op)
        for weights in quantization.weights
        if weights.scheme.bits > _SAFE_BITS and not weights.scheme.is_finer_than_f32
        for port in weights.consumers
    )
    return OverflowPlan(
        subset=Subset.of(parameters),
        sites=tuple(site for site in found if site is not None),
    )


def _site(
    graph: Graph, quantization: MinMaxPlan, weights: WeightQuantizer, name: str
) -> OverflowSite | None:
    op = graph.by_name[name]
    output = TensorRef((bias_add(graph, op) or op).name)
    inputs = tuple(
        each.name
        for each in quantization.activations
        if name in each.operations and each.tensor != output
    )
    if op.type not in LINEAR or not inputs:
        return None
    return OverflowSite(operation=name, weights=weights.name, inputs=inputs, output=output)


def needs(plan: OverflowPlan) -> Iterable[Need]:
    """The largest magnitude of every result, bias included, over all samples."""
    return (_need(plan, site) for site in plan.sites)


def _need(plan: OverflowPlan, site: OverflowSite) -> Need:
    return Need(
        tensor=site.output,
        reduction=Reduction.ABS_MAX,
        aggregator=Aggregator.MAX,
        subset=plan.subset,
    )


def apply(work: Work, plan: OverflowPlan, statistics: Statistics) -> Statistics:
    """Widens the scale of weights whose sums would not fit."""
    count = 0
    for site in plan.sites:
        largest = float(statistics.of(_need(plan, site), site.operation).max())
        excess = largest / unit(work, site) / LARGEST_SUM
        if excess > 1:
            _widen(work, site.weights, excess)
            work.notes[site.operation] = f"scale of weights times {excess:.3g} against overflow"
            count += 1
    work.outcomes["overflow"] = f"{count} of {len(plan.sites)} layers corrected"
    return statistics


def unit(work: Work, site: OverflowSite) -> float:
    """What one unit of an operation's integer sums stands for."""
    inputs = max(float(work.levels[name].scale.max()) for name in site.inputs)
    return inputs * float(work.levels[site.weights].scale.max())


def _widen(work: Work, name: str, factor: float) -> None:
    levels = work.levels[name]
    low, high = (end * levels.low.dtype.type(factor) for end in (levels.low, levels.high))
    changed: Levels = dataclasses.replace(levels, low=low, high=high)
    old = work.nodes[name]
    new = fake_quantize(old.input_value(0), changed)
    new.set_friendly_name(name)
    old.output(0).replace(new.output(0))
    work.nodes[name], work.levels[name] = new, changed
