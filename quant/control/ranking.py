"""Which quantized operations are likely to do the most harm."""

from __future__ import annotations

import math

from quant.diagnosis.diagnose import SIZE, diagnose
from quant.entry import Result
from quant.statistics.passes import Samples


def ranking(result: Result, samples: Samples, size: int | None) -> tuple[str, ...]:
    """The quantized operations, those with the most noise at their outputs first; what was not
    measured stands last."""
    found = diagnose(result, samples, size=size or SIZE)
    noise = {each.name: _noise(each.sqnr_db) for each in found.layers}
    return tuple(sorted(noise, key=lambda name: noise[name]))


def _noise(sqnr_db: float | None) -> float:
    return math.inf if sqnr_db is None else sqnr_db
