"""One run, whoever asks for it first: items and processes of a session share what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, ReadWriteLock

from runner.harness.outcome import Outcome, outcome_from_json, outcome_to_json
from runner.text_file import write_text


def once(folder: Path, key: str, make: Callable[[], Outcome]) -> Outcome:
    """The outcome that the session's folder holds under the key; made where it does not.

    Whoever asks meanwhile waits. The lock of a process that dies is free again.
    """
    path = folder / f"{key}.json"
    with FileLock(folder / f"{key}.lock"):
        if not path.exists():
            write_text(path, outcome_to_json(make()))
        return outcome_from_json(path.read_text(encoding="utf-8"))


@contextmanager
def machine(folder: Path, *, is_alone: bool) -> Iterator[None]:
    """The use of this machine, which processes of a session share, or one of them has alone."""
    lock = ReadWriteLock(folder / "machine.db", is_singleton=False)
    try:
        with lock.write_lock() if is_alone else lock.read_lock():
            yield
    finally:
        lock.close()
