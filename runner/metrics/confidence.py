"""How sure a classifier is of its class; not a metric of recipes: it tells which of FP32's answers
can stand in for labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from runner.data.sample import Array, Sample
from runner.metrics.metric import Outputs, Packed
from runner.metrics.outputs import choose_output, is_class_scores

NAME = "confidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """The probability of the best class; NaN where the output has no scores of classes."""

    def answer(self, outputs: Outputs, sample: Sample) -> float:
        scores = choose_output(outputs, None, NAME)
        return best_probability(scores[0]) if is_class_scores(scores) else math.nan

    def pack(self, answer: float) -> Packed:
        return {"probability": np.array([answer])}

    def unpack(self, packed: Packed) -> float:
        return float(packed["probability"][0])


def best_probability(scores: Array) -> float:
    """The largest of scores `[C]` if they are probabilities, else of their softmax.

    >>> best_probability(np.array([0.75, 0.25])), best_probability(np.array([2.0, 2.0]))
    (0.75, 0.5)
    """
    values = scores.astype(float)
    if (values >= 0).all() and math.isclose(values.sum(), 1, abs_tol=1e-3):
        return float(values.max())
    powers = np.exp(values - values.max())
    return float(powers.max() / powers.sum())
