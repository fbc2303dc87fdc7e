"""What a diagnosis measures: tensors of a graph, whose means are averaged over the samples."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from quant.plan import TensorRef
from quant.runtime import opset, ov
from quant.statistics.need import Reduction


class Measure(StrEnum):
    """What a probe is the mean of, over a tensor's elements."""

    SIGNAL = "signal"
    """squares of the FP32 model's values"""
    NOISE = "noise"
    """squares of what the quantized model's values differ by"""
    OWN = "own"
    """the same of an operation that alone is quantized"""
    WEIGHTS = "weights"
    """squares of what an operation's values differ by if its weights alone are quantized, before
    the bias"""
    ACTIVATIONS = "activations"
    """squares of what quantizing its activations adds to that"""
    CLIPPED = "clipped"
    """ones where a value lies outside its quantizer's range"""


Subject = str | int | TensorRef


@dataclass(frozen=True, slots=True)
class Key:
    """What a probe is about: an operation or a quantizer, the position of a model output, or any
    other tensor."""

    measure: Measure
    subject: Subject

    @property
    def op(self) -> str:
        """The operation that it is about; empty for a model output."""
        if isinstance(self.subject, TensorRef):
            return self.subject.op
        return "" if isinstance(self.subject, int) else self.subject


@dataclass(frozen=True, slots=True)
class Probe:
    """A tensor in the joined graph and what is taken of each sample's, or the reason why there is
    none."""

    key: Key
    tensor: ov.Output | None
    reason: str = ""
    reduction: Reduction = Reduction.MEAN


def probe(key: Key, tensor: ov.Output, reduction: Reduction = Reduction.MEAN) -> Probe:
    """A probe of a tensor whose rank has to be known."""
    if tensor.get_partial_shape().rank.is_dynamic:
        return Probe(key, None, "the rank of its output is dynamic")
    return Probe(key, tensor, reduction=reduction)


def squares(key: Key, tensor: ov.Output) -> Probe:
    """A probe of the squares of a tensor."""
    return probe(key, tensor, Reduction.MEAN_SQUARE)


def difference(key: Key, one: ov.Output, other: ov.Output) -> Probe:
    """A probe of the squares of what two tensors differ by.

    OpenVINO's CPU plugin (2026.4.1) crashes on an attention layer where it fuses a Subtract into
    what computes the tensors; a SquaredDifference it does not fuse.
    """
    return probe(key, opset.squared_difference(one, other).output(0))
