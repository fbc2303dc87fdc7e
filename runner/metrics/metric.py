"""What a metric is: a direction, an outcome per sample, and a value over outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from runner.data.sample import Array, Sample

Outputs = Mapping[str, Array]


class Metric(Protocol):
    """Compares a model's outputs with labels, or with the FP32 model's outputs.

    Attributes:
        higher_is_better: the direction; a drop is always a change for the worse.
        needs_labels: False for metrics that compare with the FP32 model.
    """

    higher_is_better: bool
    needs_labels: bool

    def outcome(self, outputs: Outputs, sample: Sample, reference: Outputs) -> Any:
        """The outcome of one sample; `reference` holds the FP32 model's outputs for it."""

    def value(self, outcomes: Sequence[Any]) -> float | None:
        """The metric over all outcomes, or None where it has no finite value."""

    def drop_interval(
        self, fp32: Sequence[Any], quantized: Sequence[Any]
    ) -> tuple[float, float] | None:
        """The paired 95 % interval of the drop, low before high, or None where there is none."""
