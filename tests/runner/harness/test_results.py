from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.errors import UsageError
from runner.harness.history import Last, add_to_history, load_history
from runner.harness.results import Results, merged, read_results, write_results


def item(name: str, **words: Any) -> dict[str, Any]:
    return {"id": name, "status": "pass", "exit_code": 0, "run_s": 1.0, **words}


def part(shard: str | None, *names: str, selection: str = "s") -> tuple[Path, Results]:
    items = tuple(item(name) for name in names)
    return Path(f"of-{shard}"), Results(shard=shard, selection=selection, items=items)


def test_shards_become_one() -> None:
    whole = merged([part("2/2", "b"), part("1/2", "a", "c")])
    assert (whole.shard, [each["id"] for each in whole.items]) == (None, ["a", "b", "c"])


def test_a_shard_may_be_empty() -> None:
    assert [each["id"] for each in merged([part("1/2", "a"), part("2/2")]).items] == ["a"]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([part("1/2", "a")], "shard 2 is missing"),
        ([part("1/1", "a"), part("1/1", "b")], "shard 1 is there more than once"),
        ([part("1/2", "a"), part("2/3", "b")], "shards of 2 and 3 parts"),
        ([part("1/2", "a"), part("2/2", "b", selection="t")], "of different selections"),
        ([part("1/2", "a"), part("2/2", "a")], "'a' is in more than one shard"),
        ([part(None, "a")], "is of no shard"),
    ],
)
def test_what_can_not_be_merged(parts: list[tuple[Path, Results]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        merged(parts)


def test_written_and_read(tmp_path: Path) -> None:
    _, results = part("1/2", "a")
    write_results(tmp_path / "new", results)
    assert read_results(tmp_path / "new") == results
    assert load_history(tmp_path / "new") == {"a": Last(status="pass", run_s=1.0)}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "recipe.test/1"}', "1"])
def test_no_results(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(UsageError, match="it holds no results"):
        read_results(tmp_path)


def test_results_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"schema": "recipe.test/9"}')
    with pytest.raises(UsageError, match=r"'recipe.test/9'; expected 'recipe.test/1'"):
        read_results(tmp_path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read: No such file"):
        read_results(tmp_path)


def test_history_keeps_what_did_not_run(tmp_path: Path) -> None:
    add_to_history(tmp_path, [item("a"), item("b", status="fail")])
    add_to_history(tmp_path, [item("b", run_s=3.0)])
    assert load_history(tmp_path) == {
        "a": Last(status="pass", run_s=1.0),
        "b": Last(status="pass", run_s=3.0),
    }


def test_what_did_not_run_is_worth_another_try(tmp_path: Path) -> None:
    add_to_history(tmp_path, [item("a"), item("b")])
    add_to_history(tmp_path, [], missing=["b", "c"])
    assert load_history(tmp_path) == {
        "a": Last(status="pass", run_s=1.0),
        "b": Last(status="crashed", run_s=1.0),
        "c": Last(status="crashed"),
    }


@pytest.mark.parametrize("text", ["", "{", "[]", '{"items": {"a": {}}}', '{"items": [1]}'])
def test_a_damaged_history_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "history.json").write_text(text)
    assert load_history(tmp_path) == {}
    add_to_history(tmp_path, [item("a")])
    assert json.loads((tmp_path / "history.json").read_text())["items"].keys() == {"a"}
