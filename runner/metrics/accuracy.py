"""Metric `accuracy`: the share of samples whose class is among the `top_k` highest scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runner.data.sample import Array, Sample
from runner.errors import DataError, ModelError
from runner.metrics.metric import Outputs, Packed
from runner.metrics.outputs import choose_output, is_class_scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Top-k accuracy on an output `[1, C]`; each outcome is 1.0 or 0.0."""

    higher_is_better = True
    needs_labels = True
    is_share = True

    top_k: int = 1
    output: str | None = None

    def answer(self, outputs: Outputs, sample: Sample) -> float:
        """1.0 where the label is among the best, of equal scores the first; NaN is never right."""
        scores = choose_output(outputs, self.output, "accuracy")
        if not is_class_scores(scores):
            message = (
                f"accuracy found an output of shape {list(scores.shape)}; "
                "expected [1, C] with a score per class"
            )
            raise ModelError(message)
        label = _class_index(sample, scores.shape[1])
        if np.isnan(scores).any():
            return 0.0
        return float(label in best(scores[0], self.top_k))

    def outcome(self, answer: float, reference: float) -> float:
        return answer

    def pack(self, answer: float) -> Packed:
        return {"right": np.array([answer])}

    def unpack(self, packed: Packed) -> float:
        return float(packed["right"][0])

    def value(self, outcomes: Sequence[float]) -> float | None:
        return float(np.mean(outcomes)) if outcomes else None

    def contributions(self, outcomes: Sequence[float]) -> Sequence[float]:
        return outcomes


def best(scores: Array, k: int) -> Array:
    """Indices of the `k` highest scores `[C]`, highest first, of equal ones the first.

    >>> best(np.array([0.1, 0.7, 0.2, 0.7]), 2).tolist()
    [1, 3]
    """
    return np.argsort(-scores.astype(float), kind="stable")[:k]


def _class_index(sample: Sample, classes: int) -> int:
    label = sample.label
    is_integer = isinstance(label, int | np.integer) and not isinstance(label, bool)
    if not is_integer or not 0 <= label < classes:
        message = (
            f"sample {sample.id!r} has the label {label!r}; "
            f"accuracy expects a class index from 0 to {classes - 1}"
        )
        raise DataError(message)
    return int(label)
