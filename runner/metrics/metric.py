"""What a metric is: a direction, an outcome per sample, and a value over outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from runner.data.sample import Array, Sample

Outputs = Mapping[str, Array]
Packed = Mapping[str, Array]
"""An answer as arrays by name, whose first axis alone may differ from sample to sample."""


class Metric(Protocol):
    """Compares a model's outputs with labels, or with the FP32 model's outputs.

    What a model answers for one sample is all that is looked at of it; FP32's answers can be kept.

    Attributes:
        higher_is_better: the direction; a drop is always a change for the worse.
        needs_labels: False for metrics that compare with the FP32 model.
    """

    higher_is_better: bool
    needs_labels: bool

    def answer(self, outputs: Outputs, sample: Sample) -> Any:
        """What one model says of one sample."""

    def outcome(self, answer: Any, reference: Any) -> Any:
        """The outcome of one sample; `reference` is the FP32 model's answer for it."""

    def pack(self, answer: Any) -> Packed | None:
        """The answer as arrays, to be kept, or None where it is too large for that."""

    def unpack(self, packed: Packed) -> Any:
        """The answer that was packed."""

    def value(self, outcomes: Sequence[Any]) -> float | None:
        """The metric over all outcomes, or None where it has no finite value."""

    def drop_interval(
        self, fp32: Sequence[Any], quantized: Sequence[Any]
    ) -> tuple[float, float] | None:
        """The paired 95 % interval of the drop, low before high, or None where there is none."""
