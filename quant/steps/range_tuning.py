"""Ranges of activations by the squared error that their quantizers make on FP32's tensors.

A first pass finds the ranges that samples reach beyond, which are few; for those a second one
scores a few sizes at once. Zero points stay, so that a range grows about zero.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.clones import by_name
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
    short = _short(work, quantizers, subset, infer)
    if not short:
        return
    seen = Seen()
    infer.each(_scoring(work, short, infer.reference), subset, seen.add)
    if not seen.is_split:
        return
    scores: dict[str, Array] = {}
    for i, each in enumerate(short):
        rows = np.stack([part[0].reshape(-1, len(RATIOS))[i] for part in seen.sums])
        key = each.group or each.name
        scores[key] = scores[key] + rows if key in scores else rows
    for each in short:
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
    return f"{quantizer.name}/smooth" in work.nodes


def _short(
    work: Work, quantizers: tuple[ActivationQuantizer, ...], subset: Subset, infer: Inference
) -> tuple[ActivationQuantizer, ...]:
    """Those whose range a sample exceeds by more than rounding makes anyway, with their groups."""
    if not quantizers:
        return ()
    model, tensors = _tensors(work, quantizers, infer.reference)
    beyond: list[ov.Node] = []
    for each, x in zip(quantizers, tensors, strict=True):
        low, high = _ends(work, each, 1.0)
        rest = opset.subtract(x, opset.minimum(opset.maximum(x, low), high))
        step = opset.constant(work.levels[each.name].scale.astype(np.float32))
        beyond.append(_whole(opset.reduce_max, opset.abs(opset.divide(rest, step))))
    most = np.zeros(len(quantizers))

    def add(_: int, values: list[Array]) -> None:
        np.maximum(most, values[0], out=most)

    infer.each(_model(beyond, model), subset, add)
    groups = {each.group or each.name for each, m in zip(quantizers, most, strict=True) if m > 0.5}
    return tuple(each for each in quantizers if (each.group or each.name) in groups)


def _scoring(
    work: Work, quantizers: tuple[ActivationQuantizer, ...], reference: ov.Model
) -> ov.Model:
    """The model whose output holds, per quantizer and ratio, the summed squared error."""
    model, tensors = _tensors(work, quantizers, reference)
    errors: list[ov.Node] = []
    for each, x in zip(quantizers, tensors, strict=True):
        for ratio in RATIOS:
            low, high = _ends(work, each, ratio)
            levels = work.levels[each.name].levels
            rounded = opset.fake_quantize(x, low, high, low, high, levels)
            errors.append(_whole(opset.reduce_sum, opset.squared_difference(rounded, x)))
    return _model(errors, model)


def _tensors(
    work: Work, quantizers: tuple[ActivationQuantizer, ...], reference: ov.Model
) -> tuple[ov.Model, list[ov.Node]]:
    """A clone of FP32, and what each quantizer would read there, in f32."""
    model = reference.clone()
    nodes = by_name(model)
    found = []
    for each in quantizers:
        source = nodes.get(_source(work, each), nodes[each.tensor.op])  # with alignment's bias
        x = opset.convert(source.output(each.tensor.port), "f32")
        found.append(stretched(x, work.stretches.get(each.name, PLAIN)))
    return model, found


def _ends(work: Work, quantizer: ActivationQuantizer, ratio: float) -> tuple[ov.Node, ov.Node]:
    levels = work.levels[quantizer.name]
    low, high = (
        opset.constant(end.astype(np.float32) * np.float32(ratio))
        for end in (levels.low, levels.high)
    )
    return low, high


def _whole(reduce: Callable[..., ov.Node], x: ov.Node) -> ov.Node:
    """`[1]`, over all of a tensor."""
    axes = np.arange(x.get_output_partial_shape(0).rank.get_length(), dtype=np.int64)
    return opset.reshape(reduce(x, axes, keep_dims=False), np.array([1]), special_zero=False)


def _model(numbers: list[ov.Node], model: ov.Model) -> ov.Model:
    return ov.Model([opset.result(opset.concat(numbers, 0))], model.get_parameters(), "ranges")


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
