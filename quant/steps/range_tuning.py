"""Ranges of activations by the squared error that their quantizers make on FP32's tensors.

One pass scores a few sizes of every range at once. Zero points stay, so that a range grows about
zero.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.emulation import PLAIN, stretched
from quant.inference import Inference
from quant.plan import ActivationQuantizer, Subset
from quant.runtime import opset, ov
from quant.steps.seen import Seen
from quant.work import Work

Array = NDArray[Any]

RATIOS = (1.0, 1.1, 1.25, 1.4, 1.6, 1.8, 2.0)
"""Candidates for a range, times the range as it is; the first of equal ones is taken. None is
smaller: how far ranges reach beyond what the samples hold was decided with the range, and samples
without large values would take it back (a spotter of wake words 25 -> 13 dB)."""


def tune_ranges(
    work: Work, quantizers: tuple[ActivationQuantizer, ...], subset: Subset, infer: Inference
) -> None:
    """Resizes the ranges of the quantizers where that lowers the error on held-out samples.

    Quantizers of one group get one size.
    """
    quantizers = tuple(each for each in quantizers if not _is_divided(work, each))
    if not quantizers:
        return
    seen = Seen()
    infer.each(_scoring(work, quantizers, infer.reference), subset, seen.add)
    if not seen.is_split:
        return
    scores: dict[str, Array] = {}
    for i, each in enumerate(quantizers):
        rows = np.stack([part[0].reshape(-1, len(RATIOS))[i] for part in seen.sums])
        key = each.group or each.name
        scores[key] = scores[key] + rows if key in scores else rows
    for each in quantizers:
        train, held_out = scores[each.group or each.name]
        best = int(train.argmin())
        if held_out[best] < held_out[0]:
            _resize(work, each.name, RATIOS[best])
            work.outcomes[f"range {each.name}"] = (
                f"{RATIOS[best]:g} times, mse x {held_out[best] / held_out[0]:.3f}"
            )


def _source(work: Work, quantizer: ActivationQuantizer) -> str:
    """The name of the operation that a quantizer reads."""
    node = work.nodes[quantizer.name].input_value(0).get_node()
    return str(node.get_friendly_name())


def _is_divided(work: Work, quantizer: ActivationQuantizer) -> bool:
    """Whether SmoothQuant put an operation above the quantizer, which FP32 does not have."""
    return _source(work, quantizer) == f"{quantizer.name}/smooth"


def _scoring(
    work: Work, quantizers: tuple[ActivationQuantizer, ...], reference: ov.Model
) -> ov.Model:
    """The model whose output holds, per quantizer and ratio, the summed squared error."""
    model = reference.clone()
    nodes = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
    errors: list[ov.Node] = []
    for each in quantizers:
        source = nodes.get(_source(work, each), nodes[each.tensor.op])  # with alignment's bias
        x = opset.convert(source.output(each.tensor.port), "f32")
        x = stretched(x, work.stretches.get(each.name, PLAIN))
        axes = np.arange(x.get_output_partial_shape(0).rank.get_length(), dtype=np.int64)
        levels = work.levels[each.name]
        for ratio in RATIOS:
            low, high = (
                opset.constant(end.astype(np.float32) * np.float32(ratio))
                for end in (levels.low, levels.high)
            )
            rounded = opset.fake_quantize(x, low, high, low, high, levels.levels)
            error = opset.squared_difference(rounded, x)
            total = opset.reduce_sum(error, axes, keep_dims=False)
            errors.append(opset.reshape(total, np.array([1]), special_zero=False))
    result = opset.result(opset.concat(errors, 0))
    return ov.Model([result], model.get_parameters(), "ranges")


def _resize(work: Work, name: str, ratio: float) -> None:
    """Multiplies all ends of a quantizer's range; those of its input about what is taken off."""
    node, levels = work.nodes[name], work.levels[name]
    shift = work.stretches.get(name, PLAIN).shift
    for port in range(1, 5):
        end = node.input_value(port).get_node().data
        about = shift if port < 3 else 0.0
        changed = opset.constant(((end - about) * ratio + about).astype(end.dtype))
        node.input(port).replace_source_output(changed.output(0))
    factor = np.float32(ratio)
    work.levels[name] = dataclasses.replace(
        levels, low=levels.low * factor, high=levels.high * factor
    )
