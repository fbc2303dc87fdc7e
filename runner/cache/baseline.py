"""FP32's answers to metrics on one dataset, as `evaluate` keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runner.cache.cache import Cache, Kind
from runner.cache.codec import decode, encode
from runner.cache.use import CacheState
from runner.data.sample import Array
from runner.metrics.metric import Packed


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBaseline:
    """An entry per metric: `keys` and `answers`, packed, by the metrics' names."""

    cache: Cache
    keys: Mapping[str, str]
    answers: Mapping[str, Sequence[Packed]]

    def known(self) -> Mapping[str, Sequence[Packed]]:
        return self.answers

    def keep(self, name: str, answers: Sequence[Packed]) -> None:
        lengths = {key: [len(each[key]) for each in answers] for key in answers[0]}
        arrays = {key: np.concatenate([each[key] for each in answers]) for key in answers[0]}
        self.cache.write(Kind.BASELINE, self.keys[name], encode(lengths, arrays))

    @property
    def state(self) -> CacheState:
        return CacheState.of(len(self.answers), len(self.keys))


def open_baseline(cache: Cache, keys: Mapping[str, str]) -> KeptBaseline:
    """What is kept under the keys of metrics."""
    found = {name: cache.read(Kind.BASELINE, key) for name, key in keys.items()}
    answers = {name: _answers(contents[0]) for name, contents in found.items() if contents}
    return KeptBaseline(cache=cache, keys=keys, answers=answers)


def _answers(content: bytes) -> list[dict[str, Array]]:
    lengths, arrays = decode(content)
    parts = {key: np.split(arrays[key], np.cumsum(counts)[:-1]) for key, counts in lengths.items()}
    return [dict(zip(parts, each, strict=True)) for each in zip(*parts.values(), strict=True)]
