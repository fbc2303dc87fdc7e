"""What is measured on a pair of models. An observer is a function that yields probes: tensors of
the graph whose means are averaged over the samples. Another measure is another row of `OBSERVERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from quant.diagnosis.pair import Pair
from quant.emulation import bounded
from quant.entry import Result
from quant.plan import Status
from quant.runtime import opset, ov
from quant.statistics.need import Reduction
from quant.steps import bias


class Measure(StrEnum):
    """What a probe is the mean of, over a tensor's elements."""

    SIGNAL = "signal"
    """squares of the FP32 model's values"""
    NOISE = "noise"
    """squares of what the quantized model's values differ by"""
    CLIPPED = "clipped"
    """ones where a value lies outside its quantizer's range"""


@dataclass(frozen=True, slots=True)
class Key:
    """What a probe is about: an operation, a quantizer, or the position of a model output."""

    measure: Measure
    subject: str | int


@dataclass(frozen=True, slots=True)
class Probe:
    """A tensor in the joined graph that is measured, or the reason why there is none."""

    key: Key
    tensor: ov.Output | None
    reason: str = ""

    @property
    def reduction(self) -> Reduction:
        """What is taken of each sample's tensor."""
        is_share = self.key.measure is Measure.CLIPPED
        return Reduction.MEAN if is_share else Reduction.MEAN_SQUARE


_ROUNDED_WHERE_READ = frozenset({"AvgPool"})
"""OpenVINO's low-precision transformations round its result to integers as soon as anything but one
quantizer reads it, so that reading it costs accuracy (0.9 dB at the output of a ResNet-8)."""

_ROUNDED = "reading its result would change how it is executed; see the operations below it"

Observer = Callable[[Pair, Result], Iterator[Probe]]


def operation_noise(pair: Pair, result: Result) -> Iterator[Probe]:
    """Signal and noise at the output of every quantized operation, its bias included."""
    for each in result.operations:
        if each.plan.status is Status.QUANTIZED:
            name = each.plan.name
            if each.plan.type in _ROUNDED_WHERE_READ:
                yield Probe(Key(Measure.SIGNAL, name), None, _ROUNDED)
            else:
                yield from _noise(name, *_biased(pair, name))


def output_noise(pair: Pair, result: Result) -> Iterator[Probe]:
    """Signal and noise at every output of the model."""
    outputs = zip(pair.fp32_outputs, pair.quantized_outputs, strict=True)
    for position, (before, after) in enumerate(outputs):
        yield from _noise(position, before, after)


def clipped(pair: Pair, result: Result) -> Iterator[Probe]:
    """The share of values outside the range of every quantizer of activations in the model."""
    for name in dict.fromkeys(name for each in result.operations for name in each.ranges):
        found = bounded(pair.quantized[name]) if name in pair.quantized else None
        if found is None:
            continue
        x, low, high = found
        outside = opset.logical_or(opset.less(x, low), opset.greater(x, high))
        yield _probe(Key(Measure.CLIPPED, name), opset.convert(outside, "f32").output(0))


OBSERVERS: tuple[Observer, ...] = (operation_noise, output_noise, clipped)


def _biased(pair: Pair, name: str) -> tuple[ov.Output, ov.Output]:
    """An operation's output in both models; behind the Add of a constant where that alone reads
    it, since the Add is what bias correction changes."""
    before = after = name
    readers = list(pair.fp32[name].output(0).get_target_inputs())
    if len(readers) == 1 and _is_bias(readers[0]):
        before = after = readers[0].get_node().get_friendly_name()
    made = f"{name}/{bias.MADE}"
    return pair.fp32[before].output(0), pair.quantized[
        made if made in pair.quantized else after
    ].output(0)


def _is_bias(port: Any) -> bool:
    add = port.get_node()
    if add.get_type_name() != "Add":
        return False
    return bool(add.input_value(1 - port.get_index()).get_node().get_type_name() == "Constant")


def _noise(subject: str | int, before: ov.Output, after: ov.Output) -> Iterator[Probe]:
    kind = before.get_element_type()
    if not kind.is_real():
        reason = f"its values are {kind.to_string()}, no floating-point numbers"
        yield Probe(Key(Measure.SIGNAL, subject), None, reason)
        return
    yield _probe(Key(Measure.SIGNAL, subject), before)
    yield _probe(Key(Measure.NOISE, subject), opset.subtract(before, after).output(0))


def _probe(key: Key, tensor: ov.Output) -> Probe:
    is_known = tensor.get_partial_shape().rank.is_static
    return Probe(key, tensor if is_known else None, "" if is_known else _DYNAMIC_RANK)


_DYNAMIC_RANK = "the rank of its output is dynamic"
