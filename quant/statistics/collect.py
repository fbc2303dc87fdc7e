"""The one calibration pass: all needs answered from reductions inside the graph."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from numpy.typing import NDArray

from quant.errors import SamplesError
from quant.runtime import ov
from quant.statistics.accumulate import NO_RANGE, Accumulator
from quant.statistics.calibration import calibration_model
from quant.statistics.chunk import Chunk
from quant.statistics.need import Need, Statistics
from quant.statistics.passes import Progress, Samples, infer
from quant.statistics.tap import Tap


def collect_needs(
    model: ov.Model, needs: Sequence[Need], samples: Samples, progress: Progress | None = None
) -> Statistics:
    """The answers of all needs from one pass over the samples.

    Args:
        samples: arrays, lists in input order, or mappings by input name; batch axis included.
        progress: called with the number of samples that are done.

    Raises:
        SamplesError: there are none, one does not fit, or a shuffle was asked of an iterator.
    """
    if not needs:
        return Statistics(values={}, sample_count=0)
    subsets = list(dict.fromkeys(need.subset for need in needs))
    calibration, layout = calibration_model(model, needs)
    values: dict[Need, NDArray[Any]] = {}
    with ExitStack() as stack:
        accumulators = [
            stack.enter_context(
                Accumulator([n for n in dict.fromkeys(needs) if n.subset == subset], layout)
            )
            for subset in subsets
        ]
        chunk = Chunk(layout, accumulators)
        total = infer(calibration, samples, subsets, chunk.add, progress)
        chunk.flush()
        if chunk.broken is not None:
            raise _broken(*chunk.broken)
        for accumulator in accumulators:
            values |= accumulator.answers()
    return Statistics(values=values, sample_count=total)


def _broken(index: int, tap: Tap) -> SamplesError:
    fault = "holds NaN or infinity"
    if tap.outlier_prob is not None:
        fault += ", or no elements to take a quantile of"
    return SamplesError(f"the result of {tap.op!r} {fault}{NO_RANGE}", index)
