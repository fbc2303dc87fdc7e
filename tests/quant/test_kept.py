"""Values of every sample, kept until they are asked for."""

from __future__ import annotations

import tracemalloc
from contextlib import closing

import numpy as np
import pytest

from quant.statistics.kept import KeptRows


def test_columns_are_those_that_were_added() -> None:
    rows = np.arange(60, dtype=np.float32).reshape(6, 10)
    with closing(KeptRows(10)) as kept:
        kept.add(rows[:4])
        kept.add(rows[4:])
        for places in ([0], [9], [3, 4, 5], [8, 2]):
            np.testing.assert_array_equal(kept.columns(np.array(places)), rows[:, places])


@pytest.mark.parametrize("place", [0, 5000, 9999])
def test_a_column_needs_no_memory_for_others(place: int) -> None:
    with closing(KeptRows(10_000)) as kept:
        kept.add(np.ones((100, 10_000), dtype=np.float32))
        tracemalloc.start()
        kept.columns(np.array([place]))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 100_000
