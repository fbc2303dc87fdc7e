from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runner.harness.once import machine, once
from runner.harness.outcome import Outcome


def test_who_asks_meanwhile_waits(tmp_path: Path) -> None:
    made = []

    def make() -> Outcome:
        time.sleep(0.05)
        made.append(1)
        return Outcome(seconds=float(len(made)), exit_code=0)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: once(tmp_path, "a", make), range(8)))
    assert (made, {each.seconds for each in found}) == ([1], {1.0})


def test_each_key_is_made(tmp_path: Path) -> None:
    first = once(tmp_path, "a", lambda: Outcome(seconds=1, exit_code=0))
    second = once(tmp_path, "b", lambda: Outcome(seconds=2, exit_code=0))
    assert (first.seconds, second.seconds) == (1, 2)


def test_what_failed_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        once(tmp_path, "a", lambda: Outcome(seconds=1 / 0, exit_code=0))
    assert once(tmp_path, "a", lambda: Outcome(seconds=1, exit_code=0)).seconds == 1


def test_who_is_alone_waits_for_the_others_and_they_for_it(tmp_path: Path) -> None:
    """Runs say when they begin and end; where one is alone, nothing is in between."""
    told: list[str] = []

    def use(name: str) -> None:
        with machine(tmp_path, is_alone=name == "alone"):
            told.append(name)
            time.sleep(0.02)
            told.append(name)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(use, ["a", "b", "alone", "c", "d"]))
    first = told.index("alone")
    assert told[first + 1] == "alone"
    assert sorted(told) == sorted(["a", "b", "alone", "c", "d"] * 2)
    assert all(told[:first].count(name) in (0, 2) for name in "abcd")
