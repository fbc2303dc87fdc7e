"""What a user is told to change, from the graph and from statistics that are there anyway."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping

import numpy as np

from quant.fake_quantize import Levels, activation_levels, asymmetric
from quant.graph import Graph
from quant.parameters import Aggregator, Estimator, MinMaxParameters
from quant.placement.attention import first_attention
from quant.plan import ActivationQuantizer, MinMaxPlan
from quant.scheme import Mode
from quant.statistics.need import Need, Reduction, Statistics

LEAST_GAIN_BITS = 0.9
"""What asymmetric has to gain before it is advised: about the whole bit that it gains where nothing
is above zero."""

FAR = 0.5
"""A recurrent cell's range holds the hidden state too, so that its width does not tell where the
input lies. There the mean decides: beyond this share of the way from zero to the lowest value."""


def attention_advice(graph: Graph, parameters: MinMaxParameters) -> Iterator[str]:
    """A warning where there is attention and nobody said that the model is a transformer."""
    found = first_attention(graph) if parameters.model_type is None else None
    if found is not None:
        yield (
            f"the model has attention, {found.type} {found.name!r} the first, and no model_type; "
            "write `model_type: transformer`, which smooths outliers and keeps in floating point "
            "what attention is sensitive to"
        )


def is_examined(quantizer: ActivationQuantizer) -> bool:
    """Whether a quantizer could be asymmetric, and both ends of its tensor are measured anyway."""
    return (
        quantizer.has_asymmetric
        and quantizer.scheme.mode is Mode.SYMMETRIC
        and quantizer.channels is None
        and quantizer.estimators.max.type is Estimator.ABS_MAX
    )


def needs(plan: MinMaxPlan, quantizer: ActivationQuantizer) -> tuple[Need, ...]:
    """The lowest and the highest value, as asymmetric quantization aggregates them by default, and
    for recurrent cells the mean."""
    reductions = (Reduction.MIN, Reduction.MAX, Reduction.MEAN)
    return tuple(
        Need(
            tensor=quantizer.tensor,
            reduction=reduction,
            aggregator=Aggregator.MEAN,
            subset=plan.subset,
        )
        for reduction in reductions[: 2 if quantizer.covers is None else 3]
    )


def asymmetric_advice(
    plan: MinMaxPlan, levels: Mapping[str, Levels], statistics: Statistics
) -> Iterator[str]:
    """One warning about all tensors that lie far below zero under a symmetric scheme."""
    gains: dict[str, float] = {}
    for quantizer in filter(is_examined, plan.activations):
        gain = _gain_bits(plan, quantizer, levels[quantizer.name], statistics)
        if gain > 0:
            gains |= dict.fromkeys(quantizer.operations, gain)
    if gains:
        names = ", ".join(map(_quoted, gains))
        first, more = next(iter(gains)), len(gains) - 1
        others = f" and {more} more" if more else ""
        bits = max(gains.values())
        yield (
            f"the activations of {first!r}{others} lie far below zero, and a symmetric range "
            f"spends levels above zero that are hardly used: asymmetric gains up to {bits:.1f} "
            f"bits ({bits * _DB_PER_BIT:.1f} dB) for them; write "
            f"`activations: {{layers: [{{names: [{names}], mode: asymmetric}}]}}`"
        )


def _quoted(name: str) -> str:
    """A name as YAML takes it inside of a list."""
    return json.dumps(name, ensure_ascii=False)


_DB_PER_BIT = 20 * math.log10(2)


def _gain_bits(
    plan: MinMaxPlan, quantizer: ActivationQuantizer, found: Levels, statistics: Statistics
) -> float:
    """How many bits of resolution asymmetric gains on a tensor far below zero; 0 on any other."""
    reader = quantizer.operations[0]
    low, high, *mean = (statistics.of(need, reader) for need in needs(plan, quantizer))
    if -low.min() <= high.max():
        return 0.0
    is_far = any(float(each.min()) <= FAR * float(low.min()) for each in mean)
    if quantizer.covers is not None:
        low, high = np.minimum(low, quantizer.covers[0]), np.maximum(high, quantizer.covers[1])
    usual = activation_levels(quantizer.scheme, low, np.maximum(-low, high))
    better = asymmetric(low, high, found.first, found.first + found.levels - 1)
    gain = float(np.log2(usual.scale.max() / better.scale.max()))
    return gain if is_far or gain >= LEAST_GAIN_BITS else 0.0
