"""Which quantized operations are likely to do the most harm."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from quant.diagnosis.diagnose import SIZE, Diagnosis, LayerDiagnosis, diagnose
from quant.entry import Result
from quant.statistics.passes import Samples


class Part(StrEnum):
    """What of an operation returns to a higher precision."""

    ALL = "all"
    WEIGHTS = "weights"
    ACTIVATIONS = "activations"


def noise(result: Result, samples: Samples, size: int | None) -> Diagnosis:
    """What every quantized operation adds to the noise at the outputs."""
    return diagnose(result, samples, size=size or SIZE, clipping=False)


def harm(found: Diagnosis, part: Part) -> Mapping[str, float]:
    """By operation, how much of the noise at the outputs that part of it makes, 0 to 1; 0 where
    that was not measured."""
    return {each.name: _harm(each, part) for each in found.layers}


def _harm(each: LayerDiagnosis, part: Part) -> float:
    if each.noise_share is None:
        return 0.0
    if part is Part.ALL or each.weights_share is None:
        return each.noise_share
    return each.noise_share * (
        each.weights_share if part is Part.WEIGHTS else 1 - each.weights_share
    )
