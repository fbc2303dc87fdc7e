"""The one calibration pass: all needs answered from reductions inside the graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quant.errors import SamplesError
from quant.runtime import ov
from quant.statistics.accumulate import Accumulator
from quant.statistics.need import Need, Statistics
from quant.statistics.passes import Array, Progress, Samples, infer
from quant.statistics.taps import Layout, calibration_model


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
    accumulators = [
        Accumulator(tuple(n for n in dict.fromkeys(needs) if n.subset == subset), layout)
        for subset in subsets
    ]
    broken: list[tuple[int, int]] = []

    def add(index: int, members: tuple[bool, ...], outputs: list[Array]) -> None:
        vector = outputs[0] if layout.length else np.zeros(0, dtype=np.float32)
        if not broken and not np.isfinite(vector).all():
            broken.append((index, int(np.flatnonzero(~np.isfinite(vector))[0])))
        vector = layout.completed(vector)
        for accumulator, is_member in zip(accumulators, members, strict=True):
            if is_member:
                accumulator.add(vector)

    total = infer(calibration, samples, subsets, add, progress)
    if broken:
        raise _not_finite(layout, *broken[0])
    values: dict[Need, NDArray[np.float64]] = {}
    for accumulator in accumulators:
        values |= accumulator.answers()
    return Statistics(values=values, sample_count=total)


def _not_finite(layout: Layout, index: int, place: int) -> SamplesError:
    found = next(tap for tap, slot in layout.slots.items() if slot.start <= place < slot.stop)
    message = (
        f"the result of {found.op!r} holds NaN or infinity, so it has no range; check the sample, "
        "or put the operations that read it into ignored"
    )
    return SamplesError(message, index)
