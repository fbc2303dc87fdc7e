from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import UsageError
from runner.harness.shard import Shard, parse_shard, share

SECONDS = st.none() | st.floats(min_value=0, max_value=1e4)
RUNS = st.dictionaries(st.text(max_size=4), SECONDS, max_size=30)
COUNTS = st.integers(min_value=1, max_value=6)


@given(RUNS, COUNTS)
def test_every_run_is_in_one_shard(runs: dict[str, float | None], count: int) -> None:
    parts = [share(runs, Shard(index=i + 1, count=count)) for i in range(count)]
    assert sorted(run for part in parts for run in part) == sorted(runs)


@given(RUNS, COUNTS)
def test_the_order_does_not_matter(runs: dict[str, float | None], count: int) -> None:
    backwards = dict(reversed(runs.items()))
    shard = Shard(index=count, count=count)
    assert share(runs, shard) == share(backwards, shard)


@given(st.dictionaries(st.text(max_size=4), st.floats(min_value=0, max_value=1e4)), COUNTS)
def test_no_shard_is_longer_than_even_and_one_run(runs: dict[str, float], count: int) -> None:
    even, longest = sum(runs.values()) / count, max(runs.values(), default=0)
    for i in range(count):
        part = share(runs, Shard(index=i + 1, count=count))
        assert sum(runs[run] for run in part) <= (even + longest) * (1 + 1e-9)


@pytest.mark.parametrize("text", ["", "3", "0/2", "3/2", "1/0", "-1/2", "a/b", "1/2/3", "1 / 2"])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(UsageError, match="is no shard; expected I/N"):
        parse_shard(text)
