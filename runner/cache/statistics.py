"""Statistics of one model on one dataset, as `quant.collect` keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from cattrs.preconf.json import make_converter

from quant.statistics.need import Need
from quant.statistics.store import unknown
from runner.cache.cache import Cache, Kind
from runner.cache.codec import decode, encode
from runner.cache.use import CacheState
from runner.data.sample import Array

_CONVERTER = make_converter()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptStatistics:
    """The entries of one key; `answers` is what they hold."""

    cache: Cache
    key: str
    answers: Mapping[Need, Array]

    def known(self) -> Mapping[Need, Array]:
        return self.answers

    def keep(self, answers: Mapping[Need, Array]) -> None:
        values: dict[str, list[Array]] = {}
        for each in answers.values():
            values.setdefault(each.dtype.name, []).append(each.reshape(-1))
        needs = [
            [_CONVERTER.unstructure(need), list(each.shape), each.dtype.name]
            for need, each in answers.items()
        ]
        joined = {kind: np.concatenate(parts) for kind, parts in values.items()}
        self.cache.write(Kind.STATISTICS, self.key, encode(needs, joined))

    def state(self, needs: Sequence[Need]) -> CacheState:
        """How many of the needs can be answered."""
        return CacheState.of(len(needs) - len(unknown(needs, self.answers)), len(needs))


def open_statistics(cache: Cache, key: str) -> KeptStatistics:
    """What is kept under a key."""
    answers: dict[Need, Array] = {}
    for content in cache.read(Kind.STATISTICS, key):
        answers |= _answers(content)
    return KeptStatistics(cache=cache, key=key, answers=answers)


def _answers(content: bytes) -> dict[Need, Array]:
    """The answers of one entry, which holds those of each number type one behind the other."""
    needs, arrays = decode(content)
    found: dict[Need, Array] = {}
    starts = dict.fromkeys(arrays, 0)
    for need, shape, kind in needs:
        stop = starts[kind] + int(np.prod(shape))
        found[_CONVERTER.structure(need, Need)] = arrays[kind][starts[kind] : stop].reshape(shape)
        starts[kind] = stop
    return found
