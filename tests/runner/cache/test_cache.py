"""Entries survive processes and damage: what is read is what was written, or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from runner.cache.cache import DAY_S, Cache, Kind
from runner.cache.codec import decode, encode
from runner.cache.folder import cache_folder

KEY = "0" * 32


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(path=tmp_path / "cache")


def write(cache: Cache, *contents: bytes, key: str = KEY) -> None:
    """Writes entries, each used a day later than the one before; the last one now."""
    for i, content in enumerate(contents):
        before = set(cache.entries())
        cache.write(Kind.STATISTICS, key, content)
        (entry,) = set(cache.entries()) - before
        used = time.time() - (len(contents) - 1 - i) * DAY_S
        os.utime(entry.path, (used, used))


def test_what_was_written_is_read(cache: Cache) -> None:
    assert cache.read(Kind.STATISTICS, KEY) == []
    write(cache, b"one", b"two")
    assert sorted(cache.read(Kind.STATISTICS, KEY)) == [b"one", b"two"]
    assert cache.read(Kind.BASELINE, KEY) == []
    assert cache.read(Kind.STATISTICS, "1" * 32) == []
    assert cache.notes == []


@pytest.mark.parametrize("damage", [b"", b"on", b"onE", b"one more"])
def test_damage_is_a_miss(cache: Cache, damage: bytes) -> None:
    write(cache, b"one")
    (entry,) = cache.entries()
    entry.path.write_bytes(damage)
    assert cache.read(Kind.STATISTICS, KEY) == []
    assert cache.notes == [f"a damaged entry of the cache was removed: {entry.path}"]
    assert cache.entries() == ()
    cache.write(Kind.STATISTICS, KEY, b"one")
    assert cache.read(Kind.STATISTICS, KEY) == [b"one"]


def test_verify_removes_what_is_damaged(cache: Cache) -> None:
    write(cache, b"one", b"two")
    first, _ = cache.entries()
    first.path.write_bytes(b"?")
    assert [each.path for each in cache.verify()] == [first.path]
    assert cache.verify() == ()
    assert len(cache.entries()) == 1


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"older_than_days": 1.5}, [b"two", b"three"]),
        ({"max_bytes": 5}, [b"three"]),
        ({"max_bytes": 8}, [b"two", b"three"]),
        ({"max_bytes": 0}, []),
        ({"older_than_days": 9, "max_bytes": 99}, [b"one", b"two", b"three"]),
    ],
    ids=["old", "much", "less", "all", "none"],
)
def test_what_was_not_used_for_longest_goes(
    cache: Cache, options: dict[str, int], left: list[bytes]
) -> None:
    write(cache, b"one", b"two", b"three")
    removed = cache.prune(**options)
    assert len(removed) == 3 - len(left)
    assert sorted(cache.read(Kind.STATISTICS, KEY)) == sorted(left)
    assert (cache.path / Kind.STATISTICS / KEY).exists() == bool(left)


def test_reading_is_use_and_checking_is_not(cache: Cache) -> None:
    write(cache, b"one", b"now")
    cache.verify()
    (old,) = (each for each in cache.entries() if time.time() - each.used_s > DAY_S / 2)
    cache.read(Kind.STATISTICS, KEY)
    assert cache.prune(older_than_days=0.5) == ()
    assert old.path.exists()


def test_what_a_killed_process_left_goes_a_day_later(cache: Cache) -> None:
    write(cache, b"one")
    aside = cache.entries()[0].path.with_name("1-00.writing")
    aside.write_bytes(b"half")
    assert cache.read(Kind.STATISTICS, KEY) == [b"one"]
    cache.prune()
    assert aside.exists()
    os.utime(aside, (0, 0))
    cache.prune()
    assert not aside.exists()


def test_a_cache_that_can_not_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    cache = Cache(path=tmp_path / "file")
    cache.write(Kind.STATISTICS, KEY, b"one")
    assert cache.read(Kind.STATISTICS, KEY) == []
    assert len(cache.notes) == 1
    assert cache.notes[0].startswith("the cache can't be written: ")


RACE = """
import sys
from pathlib import Path
from runner.cache.cache import Cache, Kind

cache, seed = Cache(path=Path(sys.argv[1])), int(sys.argv[2])
written = set()
for i in range(150):
    content = f"{seed if i % 2 else 'both'} {i}".encode() * 500
    cache.write(Kind.STATISTICS, "0" * 32, content)
    found = cache.read(Kind.STATISTICS, "0" * 32)
    assert len(set(found)) == len(found)
    if i % 50 == 49:
        cache.prune(max_bytes=100_000)
print(len(cache.notes))
"""


def test_two_processes_at_once(cache: Cache) -> None:
    """They write the same and other entries, read all of them, and remove some."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(cache.path), str(seed)], stdout=subprocess.PIPE
        )
        for seed in (1, 2)
    ]
    told = [process.communicate(timeout=120)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert told == [[b"0"], [b"0"]]
    assert cache.verify() == ()


def test_arrays_come_back_as_they_were() -> None:
    arrays = {"a": np.array([[0.1, np.inf]], np.float32), "none": np.zeros((0, 4))}
    plain, found = decode(encode({"b": [1, "two"]}, arrays))
    assert plain == {"b": [1, "two"]}
    assert found.keys() == arrays.keys()
    for name, each in arrays.items():
        assert found[name].dtype == each.dtype
        np.testing.assert_array_equal(found[name], each)


def test_nothing_in_an_entry_is_executed() -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        encode({}, {"a": np.array([print])})


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    users = {"XDG_CACHE_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path / "windows")}
    assert cache_folder(users) == tmp_path / "recipe-runner"
    assert cache_folder({**users, "RECIPE_CACHE": "a/../here"}) == Path.cwd() / "here"
    assert cache_folder({"XDG_CACHE_HOME": "relative"}) == Path.home() / ".cache/recipe-runner"
    monkeypatch.setattr(sys, "platform", "win32")
    assert cache_folder(users) == tmp_path / "windows" / "recipe-runner"
