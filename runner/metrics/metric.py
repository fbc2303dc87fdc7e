"""What a metric is: a direction, an outcome per sample, and a value over outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from runner.data.sample import Array, Sample

Outputs = Mapping[str, Array]
Packed = Mapping[str, Array]
"""An answer as arrays by name, whose first axis alone may differ from sample to sample."""


class Reader(Protocol):
    """Reads a model's outputs for one sample; what it makes of FP32's can be kept."""

    def answer(self, outputs: Outputs, sample: Sample) -> Any:
        """What one model says of one sample."""

    def pack(self, answer: Any) -> Packed | None:
        """The answer as arrays, to be kept, or None where it is too large for that."""

    def unpack(self, packed: Packed) -> Any:
        """The answer that was packed."""


class Metric(Reader, Protocol):
    """Compares a model's outputs with labels, or with the FP32 model's outputs.

    What a model answers for one sample is all that is looked at of it; FP32's answers can be kept.

    Attributes:
        higher_is_better: the direction; a drop is always a change for the worse.
        needs_labels: False for metrics that compare with the FP32 model.
        is_share: whether it is the share of samples that are right, so that `n` of them have steps
            of `1 / n`.
    """

    higher_is_better: bool
    needs_labels: bool

    @property
    def is_share(self) -> bool: ...

    def outcome(self, answer: Any, reference: Any) -> Any:
        """The outcome of one sample; `reference` is the FP32 model's answer for it."""

    def value(self, outcomes: Sequence[Any]) -> float | None:
        """The metric over all outcomes, or None where it has no finite value."""

    def contributions(self, outcomes: Sequence[Any]) -> Sequence[float]:
        """One number per sample, or per group of them, whose mean has the metric's error; for a
        mean the outcomes themselves. None where there is no finite value.

        The same number of samples gives the same groups, so models can be compared in pairs.
        """
