"""LayerwiseTuning: weights, their scales and biases that bring each layer's outputs to FP32's.

Layer by layer, least squares on second moments: x as the quantized model computes it, y as FP32
does, so that a layer also takes back what those above it did. Both models run side by side, piece
by piece, and only moments leave a piece. A channel is changed where the error falls on samples that
the tuning has not seen. No gradients: nothing to tune but the number of samples.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.fake_quantize import Levels, to_integers
from quant.graph import Graph, Op, attributes
from quant.inference import Inference
from quant.parameters import LayerwiseParameters
from quant.placement.walks import uneven
from quant.plan import (
    ActivationQuantizer,
    MinMaxPlan,
    Subset,
    TuningPlan,
    TuningSite,
    WeightQuantizer,
)
from quant.runtime import opset, ov
from quant.scheme import grid
from quant.steps.bias import add_to_bias, bias_of, biased, output_axis
from quant.steps.fast_bias import COARSE
from quant.steps.moments import moments_of
from quant.steps.range_tuning import tune_ranges
from quant.steps.relay import Relay
from quant.steps.rounding import Moments, Weights, squared_error, tuned, with_best_bias
from quant.steps.seen import Seen
from quant.steps.stages import stages
from quant.steps.weight_rounding import settle
from quant.work import Work

Array = NDArray[Any]

WIDEST = 2500
"""Inputs per output up to which a layer is tuned: its moments are the square of that."""

LEAST = 4
"""Positions per input from which on weights are tuned: of pooled vectors, of which a sample has
one, fewer fit by chance, and those that are held out are too few to tell (DenseNet, 16 samples:
53.5 -> 48.8 dB)."""


SAMPLES = 64
"""Samples that are read where no number is asked for. Source: docs/choices.md."""

ENOUGH = 32
"""Positions per input in all samples beyond which more don't tell: least squares on n positions
of noise lose 1/n per input."""

FEWEST = 256
"""Positions of each sample, besides."""


def plan(graph: Graph, parameters: LayerwiseParameters, quantization: MinMaxPlan) -> TuningPlan:
    """The layers to tune, those of equal depth together."""
    sites: dict[int, TuningSite] = {}
    skipped: dict[str, str] = {}
    lengths = uneven(graph)
    for quantizer in quantization.weights:
        op = graph.by_name[quantizer.consumers[0].op]
        reason = _reason(graph, op, quantizer)
        if op.name in lengths:
            reason = "how many rows it reads depends on values"
        if reason:
            skipped |= {port.op: reason for port in quantizer.consumers}
        else:
            sites[op.index] = _site(graph, op, quantizer)
    return TuningPlan(
        subset=Subset(
            size=parameters.num_samples_for_tuning,
            shuffle=parameters.shuffle_data,
            seed=parameters.seed,
            few=SAMPLES if parameters.num_samples_for_tuning is None else None,
        ),
        sweeps=parameters.tuning_iterations,
        decay=parameters.weight_decay,
        ranges=tuple(filter(_is_sizable, quantization.activations)),
        stages=stages(graph, sites),
        skipped=tuple(skipped.items()),
    )


def _is_sizable(quantizer: ActivationQuantizer) -> bool:
    """Whether a range may be resized: not where it has to hold certain values, where steps are so
    fine that only clipping would be gained, nor with a part of the levels, which stay within bounds
    of their own."""
    first, last = grid(quantizer.scheme, is_weights=False)
    is_whole = last - first == 2**quantizer.scheme.bits - 1
    return quantizer.covers is None and is_whole and quantizer.scheme.bits <= COARSE


def _reason(graph: Graph, op: Op, quantizer: WeightQuantizer) -> str:
    """Why a layer can't be tuned; empty where it can."""
    if op.type not in ("Convolution", "GroupConvolution", "MatMul"):
        return f"{op.type} is not tuned"
    if len(quantizer.consumers) > 1 or quantizer.consumers[0].port != 1:
        return "shared weights are not tuned"
    if quantizer.group is not None:
        return "weights that share their ranges are not tuned"
    x, weights = (graph.shape(tensor) for tensor in op.inputs)
    if op.type == "MatMul" and (len(weights or ()) != 2 or attributes(op)["transpose_a"]):
        return "only plain matrices of weights are tuned"
    if x is None or (op.type != "MatMul" and None in x):
        return "its input's sizes are dynamic"
    width = _width(graph, op)
    return "" if width <= WIDEST else f"its {width} inputs per output are too many"


def _width(graph: Graph, op: Op) -> int:
    """Inputs per output."""
    weights = [size or 0 for size in graph.shape(op.inputs[1]) or ()]
    if op.type == "MatMul":
        return weights[1 if attributes(op)["transpose_b"] else 0]
    return int(np.prod(weights[2 if op.type == "GroupConvolution" else 1 :]))


def _site(graph: Graph, op: Op, quantizer: WeightQuantizer) -> TuningSite:
    weights = [size or 0 for size in graph.shape(op.inputs[1]) or ()]
    groups = weights[0] if op.type == "GroupConvolution" else 1
    channels = op.node.output(0).get_partial_shape()[output_axis(op.node)].get_length()
    return TuningSite(
        operation=op.name,
        quantizer=quantizer.name,
        groups=groups,
        channels=channels // groups,
        width=_width(graph, op),
    )


def refine(work: Work, plan: TuningPlan, infer: Inference) -> None:
    """Tunes the layers stage by stage."""
    work.notes |= {name: f"not tuned: {reason}" for name, reason in plan.skipped}
    if work.model.get_sinks():
        work.outcomes["LayerwiseTuning"] = "nothing: the model keeps a state between samples"
        return
    settle(work)
    tune_ranges(work, plan.ranges, plan.subset, infer)
    with Relay(infer, plan.subset) as relay:
        for number, stage in enumerate(plan.stages):
            later = [site for each in plan.stages[number + 1 :] for site in each]
            seen = _seen(relay, work, stage, later)
            if not seen.is_split:
                work.outcomes["LayerwiseTuning"] = "nothing: it takes two samples at least"
                return
            for i, site in enumerate(stage):
                train, held_out = (_moments(part, i, site) for part in seen.sums)
                _tune(work, plan, site, train, held_out)


def _seen(
    relay: Relay, work: Work, stage: Sequence[TuningSite], later: Sequence[TuningSite]
) -> Seen:
    """The moments of a stage's layers, of inputs as the quantized model computes them and of
    outputs as FP32 does."""
    ours, theirs = relay.cut(work.model.clone(), relay.infer.reference.clone())

    def ends(sites: Sequence[TuningSite]) -> list[tuple[ov.Output, ov.Output]]:
        return [
            (
                ours[each.operation].input_value(0),
                biased(theirs[each.operation], each.groups * each.channels),
            )
            for each in sites
        ]

    results = [
        result
        for site, (x, y) in zip(stage, ends(stage), strict=True)
        for result in moments_of(x, y, ours[site.operation], site, _positions(site, relay))
    ]
    seen = Seen()
    relay.run(chain(*ends(stage)), chain(*ends(later)), results, seen.add)
    return seen


def _positions(site: TuningSite, relay: Relay) -> int:
    """Positions of a sample that a layer is tuned on."""
    samples = min(relay.subset.size or SAMPLES, relay.infer.sample_count)
    return -(-ENOUGH * site.width // samples) + FEWEST


def _moments(part: list[Array], number: int, site: TuningSite) -> Moments:
    """The moments of a stage's n-th site."""
    products, squares = part[2 * number], part[2 * number + 1]
    return Moments(
        inputs=products[..., : site.width + 1],
        cross=products[..., site.width + 1 :].swapaxes(1, 2),
        outputs=squares,
    )


def _tune(
    work: Work, plan: TuningPlan, site: TuningSite, train: Moments, held_out: Moments
) -> None:
    """Changes the channels of a layer whose error falls on the samples that were held out."""
    if not (train.count and held_out.count):
        work.outcomes[f"tune {site.operation}"] = "nothing: too few samples reach it"
        return
    node = work.nodes[site.operation]
    old, original = _weights(work, node, site)
    levels = work.levels[site.quantizer]  # wider ones may have been scaled against overflow
    rescales = levels.low.size == old.scale.size and levels.levels <= 1 << 8
    candidates = [with_best_bias(train, old)]
    if train.count >= LEAST * site.width:
        candidates.append(
            tuned(train, original, old, sweeps=plan.sweeps, decay=plan.decay, rescales=rescales)
        )
    best, least = old, squared_error(held_out, old.values, old.bias)
    before = float(least.mean())
    for each in candidates:
        error = squared_error(held_out, each.values, each.bias)
        best, least = _where(error < least, each, best), np.minimum(error, least)
    work.outcomes[f"tune {site.operation}"] = f"mse {before:.3e} -> {float(least.mean()):.3e}"
    _write(work, node, site, old, best)


def _where(mask: Array, new: Weights, old: Weights) -> Weights:
    return Weights(
        integers=np.where(mask[..., None], new.integers, old.integers),
        scale=np.where(mask, new.scale, old.scale),
        zero=np.where(mask, new.zero, old.zero),
        bias=np.where(mask, new.bias, old.bias),
    )


def _weights(work: Work, node: ov.Node, site: TuningSite) -> tuple[Weights, Array]:
    """The layer's weights as they are, and the constant that they were rounded from."""
    constant = node.input_value(1).get_node().input_value(0).get_node().data
    levels = work.levels[site.quantizer]
    original = work.unrounded.get(site.operation, constant).astype(np.float32)
    integers = to_integers(constant.astype(np.float32), levels)
    rows = [
        _to_rows(node, np.broadcast_to(each, constant.shape), site).astype(np.float64)
        for each in (integers, levels.scale, levels.zero_point)
    ]
    channels = site.groups * site.channels
    found = bias_of(node, output_axis(node), channels)
    bias = np.zeros(channels) if found is None else found[1].data.reshape(-1).astype(np.float64)
    start = Weights(
        integers=rows[0],
        scale=rows[1][..., 0],
        zero=rows[2][..., 0],
        bias=bias.reshape(site.groups, site.channels),
    )
    return start, _to_rows(node, original, site).astype(np.float64)


def _to_rows(node: ov.Node, w: Array, site: TuningSite) -> Array:
    """Weights in a layer's own layout as `[G, O, D]`, D in the order [tap, channel]."""
    if node.get_type_name() == "MatMul":
        return np.asarray((w if node.get_attributes()["transpose_b"] else w.T)[None])
    taps = int(np.prod(w.shape[-len(node.get_attributes()["strides"]) :]))
    split = w.reshape(site.groups, site.channels, -1, taps)
    return np.asarray(split.swapaxes(2, 3).reshape(site.groups, site.channels, -1))


def _from_rows(node: ov.Node, rows: Array, shape: tuple[int, ...]) -> Array:
    """The opposite of `_to_rows`."""
    if node.get_type_name() == "MatMul":
        return np.asarray(rows[0] if node.get_attributes()["transpose_b"] else rows[0].T)
    taps = int(np.prod(shape[-len(node.get_attributes()["strides"]) :]))
    split = rows.reshape(*rows.shape[:2], taps, -1)
    return np.asarray(split.swapaxes(2, 3).reshape(shape))


def _write(work: Work, node: ov.Node, site: TuningSite, old: Weights, new: Weights) -> None:
    """Puts weights, scales and biases into the model."""
    quantizer = node.input_value(1).get_node()
    constant = quantizer.input_value(0).get_node()
    levels = _rescaled(work.levels[site.quantizer], new.scale / old.scale)
    kind = constant.data.dtype
    values = _from_rows(node, new.values, constant.data.shape)
    for port, each in enumerate((values, levels.low, levels.high, levels.low, levels.high)):
        changed = opset.constant(np.ascontiguousarray(each).astype(kind))
        changed.set_friendly_name(quantizer.input_value(port).get_node().get_friendly_name())
        quantizer.input(port).replace_source_output(changed.output(0))
    work.levels[site.quantizer] = levels
    shift = (new.bias - old.bias).reshape(-1)
    if shift.any():
        add_to_bias(node, output_axis(node), shift.astype(np.float32))


def _rescaled(levels: Levels, ratios: Array) -> Levels:
    if levels.low.size != ratios.size:
        return levels
    factor = ratios.reshape(levels.low.shape).astype(np.float32)
    return dataclasses.replace(levels, low=levels.low * factor, high=levels.high * factor)
