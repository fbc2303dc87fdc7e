"""Every quantized operation by itself: what it makes of FP32's tensors, with nothing above it
quantized."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.clones import Nodes, by_name, join
from quant.diagnosis.pair import Pair
from quant.diagnosis.probe import Key, Measure, Probe, difference, squares
from quant.diagnosis.sketch import Rows, sketch
from quant.emulation import taken_off, unrounded
from quant.entry import OperationResult, Result
from quant.fold import unfolded
from quant.placement.tables import LINEAR
from quant.plan import Status
from quant.runtime import opset, ov
from quant.steps.bias import output_axis
from quant.steps.fast_bias import shift_of

Array = NDArray[Any]


def alone(pair: Pair, result: Result) -> Mapping[str, list[Probe]]:
    """The noise that each quantized operation makes of the FP32 model's tensors, bias included; of
    those with quantized weights and activations, also how both add to it.

    From copies of the quantized model whose operations read FP32's tensors.
    """
    layers = [each for each in result.operations if each.plan.status is Status.QUANTIZED]
    whole, weights = _copy(pair, result), _copy(pair, result)
    _unround(weights, result)
    own = {each.plan.name: pair.biased(each.plan.name, whole) for each in layers}
    for copy in (whole, weights):
        for before, after in list(_computed(pair, copy, result)):
            after.replace(before)
    rows, found = Rows(), dict[str, list[Probe]]()
    for each in layers:
        name = each.plan.name
        if not has_both(each):
            found[name] = [difference(Key(Measure.OWN, name), *own[name])]
            continue
        copies, lost = (pair.fp32[name], weights[name], whole[name]), _lost(whole[name])
        made = sketch(*copies, own[name], lost, rows)
        if made is None:
            found[name] = _differences(name, copies, own[name], lost)
        else:
            found[name] = [
                squares(Key(Measure.OWN, name), made.own),
                squares(Key(Measure.WEIGHTS, name), made.weights),
                squares(Key(Measure.ACTIVATIONS, name), made.activations),
            ]
    return found


def _differences(
    name: str,
    copies: tuple[ov.Node, ov.Node, ov.Node],
    own: tuple[ov.Output, ov.Output],
    lost: Array | None,
) -> list[Probe]:
    """The same of all results of an operation."""
    fp32, weights, both = copies[0].output(0), copies[1].output(0), _plain(copies[2], lost)
    return [
        difference(Key(Measure.OWN, name), *own),
        difference(Key(Measure.WEIGHTS, name), fp32, weights),
        difference(Key(Measure.ACTIVATIONS, name), weights, both),
    ]


def has_both(operation: OperationResult) -> bool:
    """Whether both an operation's weights and its activations are quantized."""
    return operation.plan.weights is not None and bool(operation.ranges)


def _lost(node: ov.Node) -> Array | None:
    """What a shift of a layer's input takes off its results, `[C]`: its bias makes up for it."""
    sources = node.input_values()[:2]
    means = _taken_off(sources[0]) if node.get_type_name() in LINEAR else None
    weights = unfolded(sources[1].get_node()) if means is not None else None
    if means is None or weights is None:
        return None
    return shift_of(node, weights.data, means).astype(np.float32)


def _taken_off(tensor: ov.Output) -> Array | None:
    """What shifts take off the channels of a tensor, `[C]`, in its quantizer or in those above what
    keeps channels apart; None where there is none."""
    node = tensor.get_node()
    if node.get_type_name() == "Concat":
        sources = node.input_values()
        rank = tensor.get_partial_shape().rank.get_length()
        if node.get_attributes()["axis"] not in (1, 1 - rank):
            return None
        parts = [_taken_off(each) for each in sources]
        if all(part is None for part in parts):
            return None
        sizes = [each.get_partial_shape()[1].get_length() for each in sources]
        return np.concatenate(
            [
                np.zeros(n) if p is None else np.broadcast_to(p, n)
                for p, n in zip(parts, sizes, strict=True)
            ]
        )
    if node.get_type_name() in ("MaxPool", "Interpolate"):
        return _taken_off(node.input_value(0))
    return taken_off(node)


def _plain(node: ov.Node, lost: Array | None) -> ov.Output:
    """A layer's result before the bias, with what was lost."""
    if lost is None:
        return node.output(0)
    rank, axis = node.output(0).get_partial_shape().rank.get_length(), output_axis(node)
    shape = [-1 if place == axis else 1 for place in range(rank)]
    kind = node.output(0).get_element_type().to_dtype()
    return opset.add(node, opset.constant(lost.reshape(shape).astype(kind))).output(0)


def _copy(pair: Pair, result: Result) -> Nodes:
    """A copy that reads the pair's Parameters, and the state that its FP32 model keeps."""
    copy = result.model.clone()
    join(copy, pair.parameters)
    nodes = by_name(copy)
    for name, node in nodes.items():
        if node.get_type_name() == "ReadValue":
            node.output(0).replace(pair.fp32[name].output(0))
    return nodes


def _unround(copy: Nodes, result: Result) -> None:
    """Takes the quantizers of activations away, and turns integer weights into f32.

    OpenVINO's CPU plugin would quantize on its own where integers meet no quantizer.
    """
    for name in dict.fromkeys(name for each in result.operations for name in each.ranges):
        source = unrounded(copy[name]) if name in copy else None
        if source is not None:
            copy[name].output(0).replace(source)
    for node in copy.values():
        constant = unfolded(node)
        if constant is not None:
            node.output(0).replace(constant.output(0))


def _computed(pair: Pair, copy: Nodes, result: Result) -> Iterator[tuple[ov.Output, ov.Output]]:
    """The tensors of FP32 with those of a copy that they stand for: all that operations compute.

    What an operation only moves is still its quantizer's, which may stand above it.
    """
    for each in result.operations:
        name = each.plan.name
        if each.plan.status is Status.PASSTHROUGH or name not in copy:
            continue
        before, after = pair.biased(name, copy)
        if each.plan.status is Status.QUANTIZED and after.get_node() != copy[name]:
            yield before, after
        else:
            yield from zip(pair.fp32[name].outputs(), copy[name].outputs(), strict=True)
