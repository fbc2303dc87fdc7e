"""From a target's candidate schemes to one: the user's overrides, what consumers share, the
preset."""

from __future__ import annotations

import dataclasses
from functools import reduce
from typing import Any

from quant.parameters import Request
from quant.scheme import Granularity, Mode, Preset, Scheme, grid

Candidates = tuple[Scheme, ...]


def override(candidates: Candidates, wanted: Request, *, is_weights: bool) -> Candidates:
    """The candidates that agree with what the user asked for; levels narrow a candidate's grid.

    What takes activations per channel takes them per tensor as well.
    """
    if wanted.granularity is Granularity.PERTENSOR and not is_weights:
        candidates = only_per_tensor(candidates)
    kept = [
        candidate
        for candidate in candidates
        if wanted.bits in (None, candidate.bits)
        and wanted.mode in (None, candidate.mode)
        and wanted.granularity in (None, candidate.granularity)
    ]
    if wanted.level_low is None or wanted.level_high is None:
        return tuple(kept)
    inside = []
    for candidate in kept:
        low, high = grid(candidate, is_weights=is_weights)
        if low <= wanted.level_low < wanted.level_high <= high:
            narrowed = dataclasses.replace(
                candidate, level_low=wanted.level_low, level_high=wanted.level_high
            )
            inside.append(narrowed)
    return tuple(inside)


def unmet(allowed: Candidates, wanted: Request, *, is_weights: bool) -> Request:
    """The keys of a request that no candidate agrees with; all of them where each alone is met."""
    missed: dict[str, Any] = {}
    for keys in (("bits",), ("mode",), ("granularity",), ("level_low", "level_high")):
        part = {key: getattr(wanted, key) for key in keys}
        if not override(allowed, Request(**part), is_weights=is_weights):
            missed |= part
    return Request(**missed) if missed else wanted


def shared(lists: list[Candidates], primary_bitwidth: int) -> Candidates:
    """The candidates that all consumers of a tensor can take, in order; empty where there are none.

    Where lists don't meet, each is extended by weaker equivalents: per-tensor for per-channel,
    symmetric for asymmetric. Source: POT 2023.0.2, intersection of configurations.
    """
    met = reduce(lambda a, b: _meet(a, b, primary_bitwidth), lists)
    if met or len(lists) == 1:
        return met
    return reduce(lambda a, b: _meet(a, b, primary_bitwidth), [_extend(each) for each in lists])


def _meet(left: Candidates, right: Candidates, primary_bitwidth: int) -> Candidates:
    met = []
    for a in left:
        match = next((b for b in right if (a.mode, a.granularity) == (b.mode, b.granularity)), None)
        if match is not None:
            met.append(_preferred(a, match, primary_bitwidth))
    return tuple(met)


def _preferred(a: Scheme, b: Scheme, primary_bitwidth: int) -> Scheme:
    """The one of the device's primary width, else the narrower one."""
    for scheme in (a, b):
        if scheme.bits == primary_bitwidth:
            return scheme
    return min(a, b, key=lambda scheme: scheme.bits)


def _extend(candidates: Candidates) -> Candidates:
    """Weaker equivalents ahead of the candidates themselves."""
    flat = [dataclasses.replace(c, granularity=Granularity.PERTENSOR) for c in candidates]
    symmetric = [dataclasses.replace(c, mode=Mode.SYMMETRIC) for c in (*flat, *candidates)]
    return tuple(dict.fromkeys((*symmetric, *flat, *candidates)))


def only_per_tensor(candidates: Candidates) -> Candidates:
    """The candidates that are per tensor; per-channel ones made so where there are no others."""
    flat = tuple(c for c in candidates if c.granularity is Granularity.PERTENSOR)
    return flat or tuple(
        dict.fromkeys(dataclasses.replace(c, granularity=Granularity.PERTENSOR) for c in candidates)
    )


def choose(candidates: Candidates, preset: Preset, *, is_weights: bool) -> Scheme:
    """The candidate that a preset takes: performance the first, accuracy the last, mixed the first
    for weights and the last for activations. Source: POT 2023.0.2, preset rule."""
    first = preset is Preset.PERFORMANCE or (preset is Preset.MIXED and is_weights)
    return candidates[0] if first else candidates[-1]
