"""The results of a session of tests, `"schema": "recipe.test/1"`, and those of shards as one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runner.cli.exits import CRASHED, worst
from runner.document.names import listed
from runner.errors import UsageError
from runner.harness.history import add_to_history
from runner.harness.junit import NAME as JUNIT
from runner.harness.settings import Settings
from runner.harness.shard import Shard, parse_shard
from runner.pytest_plugin import SCHEMA, Recorder
from runner.text_file import write_text

NAME = "results.json"
ID = "{recipe}::{target}::{check}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What a session found.

    Attributes:
        shard: the part of the selected checks that it was to run, as I/N; None: all.
        selection: the digest of the ids of all selected checks.
        items: a mapping per check, in the order of their ids.
        errors: what could not be read, by id.
        missing: the ids of checks that were to run, and of which nothing is known: the session
            was interrupted, a worker died, or it stopped after a failure.
        codes: the exit codes that errors, and what is missing, lead to.
    """

    shard: str | None
    selection: str
    items: tuple[Mapping[str, Any], ...]
    errors: tuple[Mapping[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    codes: tuple[int, ...] = ()
    schema: str = SCHEMA


def exit_code_of(found: Results | Recorder) -> int:
    """The worst that an item or an error leads to."""
    return worst([*found.codes, *(each["exit_code"] for each in found.items)])


def keep(heard: Recorder, settings: Settings, *, stops_early: bool) -> None:
    """Writes the results of a session, and adds them to the history.

    Where nothing else tells why a check has no outcome, it counts as crashed. `stops_early`: the
    session was to stop after a failure, which is reason enough.
    """
    items = _sorted({**each, "id": ID.format(**each)} for each in heard.items)
    missing = tuple(sorted({*heard.selected} - {each["id"] for each in items}))
    is_told = bool(exit_code_of(heard)) and stops_early
    if (missing and not is_told) or (heard.errors and not heard.codes):
        heard.codes.add(CRASHED)
    write_results(
        settings.results,
        Results(
            shard=None if settings.shard is None else str(settings.shard),
            selection=heard.selection or "",
            items=items,
            errors=_sorted(heard.errors),
            missing=missing,
            codes=tuple(sorted(heard.codes)),
        ),
    )


def forget(folder: Path) -> None:
    """Removes the results of an earlier session, so that they are not taken for those of one that
    is killed; the history stays."""
    if (folder / NAME).exists():
        for name in (NAME, JUNIT):
            (folder / name).unlink(missing_ok=True)


def write_results(folder: Path, results: Results) -> None:
    """Writes results into a folder, and adds them to its history."""
    text = json.dumps(asdict(results), indent=1, sort_keys=True, allow_nan=False)
    write_text(folder / NAME, f"{text}\n")
    add_to_history(folder, results.items, results.missing)


def read_results(folder: Path) -> Results:
    """The results in a folder.

    Raises:
        UsageError: there are none, or not of this format.
    """
    path = folder / NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] == SCHEMA:
            return Results(**{key: _frozen(value) for key, value in content.items()})
        fault = f"its schema is {content['schema']!r}; expected {SCHEMA!r}"
    except OSError as error:
        fault = f"it can't be read: {error.strerror}"
    except (ValueError, KeyError, TypeError):
        fault = "it holds no results of `recipe test`"
    message = f"{path}: {fault}"
    raise UsageError(message)


def merged(parts: Sequence[tuple[Path, Results]]) -> Results:
    """The results of all shards of one selection as one.

    Raises:
        UsageError: a shard is missing or there twice, or they are shards of different selections.
    """
    selections = {each.selection for _, each in parts}
    if len(selections) > 1:
        message = f"{_named(parts)} are of different selections; merge the shards of one"
        raise UsageError(message)
    _expect_all([(folder, _shard(folder, each)) for folder, each in parts])
    items = [item for _, each in parts for item in each.items]
    twice = [name for name, count in Counter(each["id"] for each in items).items() if count > 1]
    if twice:
        message = f"{twice[0]!r} is in more than one shard; give all of them the same history.json"
        raise UsageError(message)
    return Results(
        shard=None,
        selection=selections.pop(),
        items=_sorted(items),
        errors=_unique(error for _, each in parts for error in each.errors),
        missing=tuple(sorted(name for _, each in parts for name in each.missing)),
        codes=tuple(sorted({code for _, each in parts for code in each.codes})),
    )


def _shard(folder: Path, results: Results) -> Shard:
    if results.shard is None:
        message = f"{folder / NAME} is of no shard; there is nothing to merge it with"
        raise UsageError(message)
    return parse_shard(results.shard)


def _expect_all(shards: Sequence[tuple[Path, Shard]]) -> None:
    counts = {shard.count for _, shard in shards}
    if len(counts) > 1:
        message = f"shards of {listed(sorted(counts), 'and')} parts can't be merged"
        raise UsageError(message)
    found = Counter(shard.index for _, shard in shards)
    for index in range(1, counts.pop() + 1):
        if found[index] != 1:
            words = "is missing" if not found[index] else "is there more than once"
            message = f"shard {index} {words}"
            raise UsageError(message)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _named(parts: Iterable[tuple[Path, Results]]) -> str:
    return listed((str(folder) for folder, _ in parts), "and")


def _unique(errors: Iterable[Mapping[str, str]]) -> tuple[Mapping[str, str], ...]:
    """Each error once: every shard meets them all."""
    return _sorted({each["id"]: each for each in errors}.values())


def _sorted(items: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    return tuple(sorted(items, key=lambda each: str(each["id"])))
