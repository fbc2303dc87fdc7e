"""What is measured on a pair of models. An observer is a function that yields probes: tensors of
the graph whose means are averaged over the samples. Another measure is another row of `ALL`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from quant.diagnosis.alone import alone
from quant.diagnosis.pair import Pair
from quant.diagnosis.probe import Key, Measure, Probe, Subject, difference, probe, squares
from quant.diagnosis.shares import joined
from quant.emulation import bounded
from quant.entry import OperationResult, Result
from quant.graph import view
from quant.plan import Status
from quant.runtime import opset, ov

_ROUNDED_WHERE_READ = frozenset({"AvgPool"})
"""OpenVINO's low-precision transformations round its result to integers as soon as anything but one
quantizer reads it, so that reading it costs accuracy (0.9 dB at the output of a ResNet-8)."""

_ROUNDED = "reading its result would change how it is executed; see the operations below it"

Observer = Callable[[Pair, Result], Iterator[Probe]]


def operation_noise(pair: Pair, result: Result) -> Iterator[Probe]:
    """Signal and noise at the output of every quantized operation, its bias included."""
    for each in _quantized(result):
        name = each.plan.name
        before, after = pair.biased(name, pair.quantized)
        if each.plan.type in _ROUNDED_WHERE_READ:
            yield Probe(Key(Measure.SIGNAL, name), None, _ROUNDED)
        else:
            yield from _noise(pair, name, before, after)


def own_noise(pair: Pair, result: Result) -> Iterator[Probe]:
    """What of this noise each operation makes by itself, and with which of its inputs."""
    made = alone(pair, result)
    for each in _quantized(result):
        name = each.plan.name
        before, _ = pair.biased(name, pair.quantized)
        is_read = each.plan.type not in _ROUNDED_WHERE_READ and name not in pair.uneven
        if not (is_read and before.get_element_type().is_real()):
            continue
        yield from made[name]


def joined_noise(pair: Pair, result: Result) -> Iterator[Probe]:
    """Signal and noise of tensors that operations join, where they are not measured already."""
    kinds = {each.plan.name: each.plan.type for each in _quantized(result)}
    ends = {pair.biases.get(name, name) for name in kinds}
    for tensor in joined(view(result.fp32)):
        is_rounded = kinds.get(tensor.op) in _ROUNDED_WHERE_READ
        if tensor.op in pair.quantized and tensor.op not in ends and not is_rounded:
            before, after = (
                nodes[tensor.op].output(tensor.port) for nodes in (pair.fp32, pair.quantized)
            )
            yield from _noise(pair, tensor, before, after)


def output_noise(pair: Pair, result: Result) -> Iterator[Probe]:
    """Signal and noise at every output of the model."""
    outputs = zip(pair.fp32_outputs, pair.quantized_outputs, strict=True)
    for position, (before, after) in enumerate(outputs):
        yield from _noise(pair, position, before, after)


def clipped(pair: Pair, result: Result) -> Iterator[Probe]:
    """The share of values outside the range of every quantizer of activations in the model."""
    for name in dict.fromkeys(name for each in result.operations for name in each.ranges):
        found = bounded(pair.quantized[name]) if name in pair.quantized else None
        if found is None:
            continue
        x, low, high = found
        outside = opset.logical_or(opset.less(x, low), opset.greater(x, high))
        yield probe(Key(Measure.CLIPPED, name), opset.convert(outside, "f32").output(0))


NOISE: tuple[Observer, ...] = (operation_noise, own_noise, joined_noise, output_noise)
"""What tells whose the noise at the outputs is."""

ALL: tuple[Observer, ...] = (*NOISE, clipped)


def _quantized(result: Result) -> Iterator[OperationResult]:
    return (each for each in result.operations if each.plan.status is Status.QUANTIZED)


def _noise(pair: Pair, subject: Subject, before: ov.Output, after: ov.Output) -> Iterator[Probe]:
    if before.get_node().get_friendly_name() in pair.uneven:
        yield Probe(Key(Measure.SIGNAL, subject), None, "its length depends on values")
        return
    kind = before.get_element_type()
    if not kind.is_real():
        reason = f"its values are {kind.to_string()}, no floating-point numbers"
        yield Probe(Key(Measure.SIGNAL, subject), None, reason)
        return
    yield squares(Key(Measure.SIGNAL, subject), before)
    yield difference(Key(Measure.NOISE, subject), before, after)
