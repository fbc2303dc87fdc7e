"""Parts of all runs that take about as long as one another, the same on every machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from runner.errors import UsageError

WRITTEN = re.compile(r"([0-9]+)/([0-9]+)")
UNKNOWN_S = 1.0
"""What a run is taken to last where none is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The `index`-th of `count` parts; counts from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def parse_shard(text: str) -> Shard:
    """The part that is written as I/N.

    Raises:
        UsageError: it is written otherwise, or there is no such part.

    >>> parse_shard("2/8")
    Shard(index=2, count=8)
    """
    found = WRITTEN.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        message = f"{text!r} is no shard; expected I/N, such as 2/8: the 2nd of 8 parts"
        raise UsageError(message)
    return Shard(index=int(found[1]), count=int(found[2]))


def share(runs_s: Mapping[str, float | None], shard: Shard) -> frozenset[str]:
    """The runs of this part, given how many seconds each lasted before (None: not known).

    The longest run goes to the part that has least so far, and so on (Graham 1969, LPT: no part
    takes more than 4/3 of the least possible). A run that is not known counts as the median.

    >>> sorted(share({"a": 9.0, "b": 5.0, "c": 5.0, "d": None}, Shard(index=1, count=2)))
    ['a', 'd']
    """
    import statistics  # which takes longer to import than a list of recipes to be made

    known = [each for each in runs_s.values() if each is not None]
    usual = statistics.median(known) if known else UNKNOWN_S
    seconds = {run: usual if each is None else each for run, each in runs_s.items()}
    loads = [(0.0, 0)] * shard.count
    mine = set()
    for run in sorted(seconds, key=lambda each: (-seconds[each], each)):
        part = loads.index(min(loads))
        total, runs = loads[part]
        loads[part] = (total + seconds[run], runs + 1)
        if part == shard.index - 1:
            mine.add(run)
    return frozenset(mine)
