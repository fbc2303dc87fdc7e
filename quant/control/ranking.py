"""Which quantized operations are likely to do the most harm."""

from __future__ import annotations

from quant.diagnosis.diagnose import SIZE, diagnose
from quant.entry import Result
from quant.statistics.passes import Samples


def ranking(result: Result, samples: Samples, size: int | None) -> tuple[str, ...]:
    """The quantized operations, those that make most of the noise at the outputs first; what
    was not measured stands last."""
    found = diagnose(result, samples, size=size or SIZE)
    measured = [each.name for each in found.worst]
    return tuple(dict.fromkeys((*measured, *(each.name for each in found.layers))))
