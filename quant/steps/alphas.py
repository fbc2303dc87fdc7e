"""Which shift and factors of a tensor's channels SmoothQuant takes, by the noise at the outputs of
the layers that read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.plan import SmoothGroup, SmoothReader
from quant.steps.alignment import NONE, Alignment, Channels, steps

Array = NDArray[Any]

ALPHAS = (0.15, 0.25, 0.35, 0.5, 0.65, 0.75, 0.85, 0.95)
"""Candidates for alpha. Source: the range that NNCF 3.4.0 and the paper search."""

_SMALLEST = 1e-5
"""Floor of magnitudes, so that dead channels have a finite scale. Source: NNCF 3.4.0."""

_LOW_QUANTILE = 0.1
"""Scales below this quantile are raised to it. Source: NNCF 3.4.0."""


def best_smoothing(
    group: SmoothGroup, channels: Channels, weights: list[Array], alphas: tuple[float, ...]
) -> Alignment:
    """The shift and factors with the least expected noise; none where nothing lowers it.

    Args:
        channels: of the group's tensors.
        weights: `[C_out, C, taps]` of every reader, with the channels that it reads.
    """
    rows = [_Weights.of(each, reader) for each, reader in zip(weights, group.readers, strict=True)]
    largest = np.full(group.channels, _SMALLEST)
    for row in rows:
        np.maximum.at(largest, row.places, row.widest)
    found, least = None, np.inf
    for candidates in _candidates(group, channels, largest, alphas):
        changed = [channels.changed(each.shift, each.factor) for each in candidates]
        each_step = steps(group.scheme, changed)
        for each, after, step in zip(candidates, changed, each_step, strict=True):
            noise = _noise(each, after, float(step), rows, limit=least)
            if found is None or noise < least:
                least, found = noise, each
    assert found is not None
    return found


def _candidates(
    group: SmoothGroup, channels: Channels, largest: Array, alphas: tuple[float, ...]
) -> Iterator[list[Alignment]]:
    """Each shift with each factor; nothing at all comes first."""
    middle = (channels.low + channels.high) / 2
    for name, shift in (("", np.zeros(group.channels)), ("shift", middle))[: 1 + group.is_shifted]:
        peak = np.maximum(np.maximum(channels.high - shift, shift - channels.low), _SMALLEST)
        factors = [_factor(peak, largest, alpha) for alpha in alphas]
        names = [f"{name}, alpha {alpha}" if name else f"alpha {alpha}" for alpha in alphas]
        yield [
            Alignment(name=each, shift=shift, factor=factor)
            for each, factor in zip(
                [name or NONE, *names], [np.ones(group.channels), *factors], strict=True
            )
        ]


def _factor(peak: Array, largest: Array, alpha: float) -> Array:
    """What channels are divided by, the smallest of them raised."""
    factor = peak**alpha / largest ** (1 - alpha)
    place = int(_LOW_QUANTILE * (len(factor) - 1))
    return np.asarray(np.maximum(factor, np.partition(factor, place)[place]))


_ROWS = 128
"""Output channels of a layer that tell the noise of all: single ones differ from its mean by half
of it or so, so many by a twentieth, and in much the same way for all candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weights:
    """What matters of weights `[C_out, C, taps]`.

    Attributes:
        places: of the C channels among those of the group.
        widest: the largest magnitude of each channel that is read, `[C]`.
        largest: of some output channels, for each pair of channels, `[rows, C]`.
        energy: the sum of squares of each channel that is read, `[C]`, as those rows tell it.
        taps: of the kernel.
        share: output channels for each of those rows.
        is_depthwise: whether each output reads one channel, so that the error of weights with a
            scale for each stays what it is, whatever the factor.
    """

    places: Array
    widest: Array
    largest: Array
    energy: Array
    taps: int
    share: float
    is_depthwise: bool

    @classmethod
    def of(cls, weights: Array, reader: SmoothReader) -> _Weights:
        outputs, _, taps = weights.shape
        high, low = (each(weights, axis=0) for each in (np.max, np.min))
        rows = min(outputs, _ROWS)
        chosen = np.random.default_rng(0).choice(outputs, rows, replace=False)
        some = np.abs(weights[np.sort(chosen)])
        largest = some[..., 0]
        for tap in range(1, taps):  # several times faster than over a short axis at once
            largest = np.maximum(largest, some[..., tap])
        energy = np.einsum("oct,oct->c", some, some) * (outputs / rows)
        return cls(
            places=places_of(reader),
            widest=np.maximum(high, -low).max(axis=1),
            largest=largest,
            energy=energy,
            taps=taps,
            share=outputs / rows,
            is_depthwise=reader.is_depthwise,
        )


def _noise(
    found: Alignment, after: Channels, step: float, weights: list[_Weights], limit: float
) -> float:
    """Expected squared error at the outputs, each rounding being uniform: a step's square over 12.

    Activations: one step for the tensor. Weights: one step per output channel, over 8 bits; their
    error counts on what varies, its mean is taken back by bias correction.

    Args:
        after: the channels as the candidate leaves them.
        step: of their range then.
        limit: no more is computed once the error is seen to be above it.
    """
    variance = np.maximum(after.mean_square - after.mean**2, 0)
    total = sum(
        step**2 * float(found.factor[each.places] ** 2 @ each.energy) / 12 for each in weights
    )
    for each in weights:
        if total > limit:
            return total
        if each.is_depthwise:
            continue
        power = float(variance[each.places].sum())
        factors = found.factor[each.places].astype(np.float32)
        widest = (each.largest * factors).max(axis=1) / 127
        total += float(widest @ widest) * each.share * power * each.taps / 12
    return total


def places_of(reader: SmoothReader) -> Array:
    """For each channel that a layer reads, its place among those of the group."""
    return np.concatenate([np.arange(start, stop) for start, stop in reader.places])
