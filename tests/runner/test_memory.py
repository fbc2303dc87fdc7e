from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runner import memory

MEGABYTE = 1_000_000


@pytest.mark.skipif(not (memory.PROCESS / "clear_refs").exists(), reason="peaks are in /proc")
def test_a_peak_is_that_since_the_restart() -> None:
    large = np.ones(100 * MEGABYTE, np.uint8)
    before = memory.peak_bytes()
    del large
    assert memory.restart_peak()
    assert memory.peak_bytes() < before - 50 * MEGABYTE
    after = memory.peak_bytes()
    np.ones(100 * MEGABYTE, np.uint8)
    assert memory.peak_bytes() > after + 50 * MEGABYTE


def test_where_the_system_has_no_way_there_is_no_peak(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "PROCESS", tmp_path / "nothing")
    assert not memory.restart_peak()
