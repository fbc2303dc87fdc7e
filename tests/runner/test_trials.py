"""Trials on disk: what comes back is what was added, and a line that was cut off is not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from quant.control.candidate import Candidate
from quant.control.control import Trial
from quant.control.verdict import Verdict
from quant.scheme import Preset
from runner.trials import TrialFile


def trial(*names: str, drop: float = 0.25) -> Trial:
    verdict = Verdict(
        values={"accuracy": 0.5}, drops={"accuracy": drop}, excess=drop, meets=False, samples=9
    )
    return Trial(candidate=Candidate(preset=Preset.MIXED, fp32=names), verdict=verdict, seconds=1.5)


@pytest.fixture
def file(tmp_path: Path) -> TrialFile:
    opened = TrialFile(path=tmp_path / "build" / ".out.trials.jsonl", key="k")
    assert opened.trials() == []
    return opened


def test_what_was_added_comes_back(file: TrialFile) -> None:
    added = [trial(), trial("a", "b"), trial("a", drop=math.inf)]
    for each in added:
        file.add(each)
    assert file.trials() == added


def test_a_line_that_was_cut_off_is_left_out_and_written_over(file: TrialFile) -> None:
    file.add(trial())
    with file.path.open("a", encoding="utf-8") as stream:
        stream.write('{"candidate": {"pre')
    assert file.trials() == [trial()]
    file.add(trial("a"))
    assert file.trials() == [trial(), trial("a")]


def test_trials_of_anything_else_are_not_taken(file: TrialFile) -> None:
    file.add(trial())
    other = TrialFile(path=file.path, key="other")
    assert other.trials() == []
    other.add(trial("b"))
    assert other.trials() == [trial("b")]
