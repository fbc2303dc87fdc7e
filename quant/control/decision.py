"""Whether a model keeps its limit, for certain and from as few samples as that takes.

Where every sample is right or wrong, those that were not read can at best all be right. A model is
given up as soon as that would not be enough. Those that FP32 has wrong are read first, since only
they can gain, together with those that other models have lost; the rest can only lose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from quant.control.verdict import Array, Limit, Verdict, verdict
from quant.drop import Values

PARTS = 4
"""In how many parts the samples are read that nobody suspects."""


def is_right_or_wrong(fp32: Array) -> bool:
    """Whether every sample is right or wrong.

    >>> is_right_or_wrong(np.array([0.0, 1.0])), is_right_or_wrong(np.array([0.5]))
    (True, False)
    """
    return bool(np.isin(fp32, (0, 1)).all())


def worse(limit: Limit, fp32: Array, found: Array) -> Array:
    """How much worse each sample is than FP32's."""
    return fp32 - found if limit.higher_is_better else found - fp32


def telling_parts(
    limits: Mapping[str, Limit], fp32: Mapping[str, Array], suspects: Sequence[int]
) -> list[list[int]]:
    """All samples in the parts in which they are read: first those that can gain, and suspects."""
    total = len(next(iter(fp32.values())))
    can_gain = np.zeros(total, bool)
    for name, values in fp32.items():
        can_gain |= values != float(limits[name].higher_is_better)
    first = list(dict.fromkeys([*np.flatnonzero(can_gain).tolist(), *suspects]))
    held = set(first)
    rest = [i for i in range(total) if i not in held]
    return [part for part in (first, *(rest[i::PARTS] for i in range(PARTS))) if part]


def best_case(
    limits: Mapping[str, Limit],
    fp32: Mapping[str, Array],
    read: Sequence[int],
    found: Mapping[str, Values],
) -> Verdict:
    """The verdict on a model if all samples that were not read were right: it misses the limit for
    certain where that exceeds it."""
    values: dict[str, Array] = {}
    for name, before in fp32.items():
        values[name] = np.full(len(before), float(limits[name].higher_is_better))
        values[name][list(read)] = found[name]
    return verdict(
        limits,
        {name: float(each.mean()) for name, each in values.items()},
        {name: (before, values[name]) for name, before in fp32.items()},
        samples=len(read),
        lost=lost(limits, fp32, read, found),
        is_whole=len(read) == len(next(iter(fp32.values()))),
    )


def lost(
    limits: Mapping[str, Limit],
    fp32: Mapping[str, Array],
    read: Sequence[int],
    found: Mapping[str, Values],
) -> tuple[int, ...]:
    """Which of the samples that were read are worse than FP32's, sorted."""
    is_lost = np.zeros(len(read), bool)
    for name, before in fp32.items():
        after = np.asarray(found[name], float)
        is_lost |= worse(limits[name], before[list(read)], after) > 0
    return tuple(sorted(np.asarray(read)[is_lost].tolist()))
