"""`recipe test` and `recipe report merge`, in this process; runs are those of `child.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from runner.cli.main import main
from runner.harness.results import read_results
from tests.runner.harness.builders import answer, calls, check, failed, write_answers
from tests.runner.tiny import DROP, IMPOSSIBLE, write_recipe

Call = Callable[..., tuple[int, str]]
ALL = ["recipes/a.yaml::cpu::drop", "recipes/b.yaml::cpu::drop", "recipes/b.yaml::npu::drop"]
KEPT = Path("build/recipe-test")


@pytest.fixture
def call(project: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls `recipe` in the project; returns the exit code and stdout."""

    def run(*words: str) -> tuple[int, str]:
        code = main(words)
        return code, capsys.readouterr().out

    return run


def test_all_pass(call: Call, project: Path) -> None:
    code, out = call("test")
    assert (code, calls(project)) == (0, ["a", "b", "b"])
    assert "3 passed" in out
    assert sorted(each.name for each in (project / KEPT).iterdir()) == [
        *("history.json", "junit.xml", "logs", "results.json")
    ]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (answer(check(status="fail")), 1),
        (answer(check(status="inconclusive")), 0),
        (failed("no operation is named 'x'", 2), 2),
        (failed("out of memory", 3), 3),
        ({"signal": "SIGSEGV"}, 3),
        (failed("no device", 4), 4),
        (failed("the limit was missed", 1), 1),
    ],
    ids=["fail", "inconclusive", "invalid", "error", "crash", "missing", "limit"],
)
def test_exit_codes(call: Call, project: Path, document: dict[str, Any], code: int) -> None:
    write_answers(project, {"a": document, "b": answer()})
    assert call("test")[0] == code
    assert calls(project) == ["a", "b", "b"]


def test_strict(call: Call, project: Path) -> None:
    write_answers(project, {"a": answer(check(status="inconclusive")), "b": answer()})
    assert call("test", "--strict")[0] == 1


def test_an_invalid_recipe_does_not_stop_the_others(call: Call, project: Path) -> None:
    write_recipe(project / "recipes", "bad.yaml", parameters="presett: mixed")
    code, out = call("test")
    assert (code, calls(project)) == (2, ["a", "b", "b"])
    assert "recipes/bad.yaml:11:12: unknown key 'presett'" in out
    assert call("test", "--collect-only")[0] == 2


def test_a_root_that_is_not_set(call: Call, project: Path) -> None:
    write_recipe(project / "recipes", "c.yaml", model="nowhere://tiny.xml", out="build/c")
    assert call("test")[0] == 4
    root = f"nowhere={project / 'recipes'}"
    write_answers(project, {"a": answer(), "b": answer(), "c": answer()})
    assert call("test", "--root", root)[0] == 0
    assert f"--root={root}" in (project / "calls.txt").read_text()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nowhere"], 2),
        (["recipes/a.yaml", "recipes/data.npz"], 2),
        (["--shard", "3/2"], 2),
        (["--select", "x:y"], 2),
        (["--timeout", "0"], 2),
        (["--pytest-args", "--nope"], 2),
        (["-k", "nope"], 5),
        (["--select", "tag:nothing"], 5),
        (["--retry"], 5),
        (["recipes/a.yaml::gpu"], 2),
    ],
)
def test_wrong_usage_and_nothing_selected(
    call: Call, project: Path, words: list[str], code: int
) -> None:
    assert call("test", *words)[0] == code
    assert calls(project) == []


def test_interrupted(call: Call, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("runner.harness.outcome.subprocess.run", interrupt)
    assert call("test")[0] == 130


def test_retry_runs_what_did_not_pass(call: Call, project: Path) -> None:
    write_answers(project, {"a": answer(check(status="fail")), "b": answer()})
    call("test")
    write_answers(project, {"a": answer(), "b": answer()})
    assert call("test", "--retry")[0] == 0
    assert calls(project) == ["a", "b", "b", "a"]
    assert call("test", "--lf")[0] == 5


@pytest.mark.parametrize("words", [(), ("-n", "1")], ids=["here", "worker"])
def test_first_failure(call: Call, project: Path, words: tuple[str, ...]) -> None:
    write_recipe(project / "recipes", "a.yaml", checks=IMPOSSIBLE, out="build/a")
    write_answers(project, {"a": answer(check("floor", "fail")), "b": answer()})
    assert call("test", "-x", *words)[0] == 1
    assert read_results(KEPT).missing == tuple(ALL[1:])
    assert read_results(KEPT).codes == ()


def test_collect_only(call: Call, project: Path) -> None:
    code, out = call("test", "--collect-only")
    assert (code, [line for line in out.splitlines() if "::" in line]) == (0, ALL)
    assert (calls(project), (project / KEPT).exists()) == ([], False)


def test_json(call: Call, project: Path) -> None:
    write_recipe(project / "recipes", "bad.yaml", parameters="presett: mixed")
    write_answers(project, {"a": answer(check(status="fail")), "b": answer()})
    code, out = call("test", "--json")
    content = json.loads(out)
    assert (code, content["exit_code"], content["ok"]) == (2, 2, False)
    assert content["selected"] == ALL
    assert [each["status"] for each in content["items"]] == ["fail", "pass", "pass"]
    assert "unknown key 'presett'" in content["errors"][0]["message"]
    assert json.loads(call("test", "--collect-only", "--json")[1])["selected"] == ALL


def test_the_projects_own_configuration_and_code_do_not_count(call: Call, project: Path) -> None:
    (project / "pytest.ini").write_text("[pytest]\naddopts = --nope\n")
    (project / "recipes" / "conftest.py").write_text("raise SystemExit(9)\n")
    (project / "recipes" / "test_x.py").write_text("raise SystemExit(9)\n")
    assert call("test")[0] == 0


def test_more_options_for_pytest(call: Call) -> None:
    assert "recipes/a.yaml::cpu::drop PASSED" in call("test", "--pytest-args", "-v")[1]


def test_state_modified(call: Call, project: Path) -> None:
    base = project / "recipes" / "base.yaml"
    base.write_text("recipe: 1\nname: base\nabstract: true\nmetadata: {owner: me}\n")
    extending = write_recipe(project / "recipes", "c.yaml", out="build/c")
    extending.write_text(extending.read_text().replace("metadata: ", "extends: ./base.yaml\n#"))
    git(project, "init", "-q")
    git(project, "add", "recipes")
    git(project, "commit", "-q", "-m", "all")
    assert selected(call) == []
    base.write_text(base.read_text().replace("owner: me", "owner: you"))
    assert selected(call) == ["recipes/c.yaml::cpu::drop"]
    git(project, "commit", "-q", "-a", "-m", "another owner")
    assert selected(call) == []
    assert selected(call, "--since", "HEAD~1") == ["recipes/c.yaml::cpu::drop"]
    (project / "recipes" / "data.npz").touch()
    with (project / "recipes" / "data.npz").open("ab") as data:
        data.write(b"x")
    assert selected(call) == [*ALL, "recipes/c.yaml::cpu::drop"]


def test_weights_beside_a_model_count(call: Call, project: Path) -> None:
    write_recipe(project / "recipes", "c.yaml", out="build/c", model="x.pdmodel")
    for name in ("x.pdmodel", "x.pdiparams"):
        (project / "recipes" / name).touch()
    git(project, "init", "-q")
    git(project, "add", "recipes")
    git(project, "commit", "-q", "-m", "all")
    assert selected(call) == []
    (project / "recipes" / "x.pdiparams").write_text("other")
    assert selected(call) == ["recipes/c.yaml::cpu::drop"]


def test_accepted_results_count(call: Call, project: Path) -> None:
    write_recipe(project / "recipes", "net[1].yaml", out="build/c")
    accepted = project / "recipes" / "baselines" / "net[1].cpu.cpu-vnni-2026.4.json"
    accepted.parent.mkdir()
    accepted.write_text("{}")
    git(project, "init", "-q")
    git(project, "add", "recipes")
    git(project, "commit", "-q", "-m", "all")
    assert selected(call) == []
    accepted.write_text("{ }")
    assert selected(call) == ["recipes/net[1].yaml::cpu::drop"]


def test_no_such_revision(call: Call, project: Path) -> None:
    git(project, "init", "-q")
    assert call("test", "--select", "state:modified", "--since", "nope")[0] == 2


def selected(call: Call, *words: str) -> list[str]:
    out = call("test", "--collect-only", "--json", "--select", "state:modified", *words)[1]
    found: list[str] = json.loads(out)["selected"]
    return found


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=tests", "-c", "user.email=tests@example.org")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def without_times(folder: Path) -> list[dict[str, Any]]:
    return [{**each, "run_s": None} for each in read_results(folder).items]


def cases(folder: Path) -> list[tuple[str | None, ...]]:
    suite = ElementTree.parse(folder / "junit.xml").getroot()
    return [
        (case.get("classname"), case.get("name"), *(child.tag for child in case))
        for case in suite.iter("testcase")
    ]


def test_two_shards_merged_are_one_run(call: Call, project: Path) -> None:
    write_recipe(project / "recipes", "a.yaml", checks=f"{DROP}\n{IMPOSSIBLE}", out="build/a")
    answers = {"a": answer(check(), check("floor", "fail")), "b": answer()}
    write_answers(project, answers)
    assert call("test", "--results", "whole")[0] == 1
    codes = [call("test", "--shard", f"{i}/2", "--results", f"part{i}")[0] for i in (1, 2)]
    assert sorted(codes) == [0, 1]
    code, out = call("report", "merge", "part1", "part2", "--results", "merged")
    assert (code, out) == (1, "4 checks of 2 shards: merged\n")
    assert without_times(Path("merged")) == without_times(Path("whole"))
    assert read_results(Path("merged")).selection == read_results(Path("whole")).selection
    assert cases(Path("merged")) == sorted(cases(Path("whole")))


def test_a_missing_shard(call: Call) -> None:
    call("test", "--shard", "1/2", "--results", "part1")
    assert call("report", "merge", "part1")[0] == 2
    assert call("report", "merge", "nowhere")[0] == 2


def test_an_interrupted_shard_is_no_pass(
    call: Call, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipe(project / "recipes", "c.yaml", out="build/c")
    write_answers(project, {"a": answer(), "b": answer(), "c": answer()})
    codes = [call("test", "--shard", f"{i}/2", "--results", f"part{i}")[0] for i in (1, 2)]
    assert codes == [0, 0]
    run, runs = subprocess.run, iter([subprocess.run])

    def interrupt(*words: Any, **options: Any) -> Any:
        return next(runs, stop)(*words, **options)

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("runner.harness.outcome.subprocess.run", interrupt)
    assert call("test", "--shard", "1/2", "--results", "part1")[0] == 130
    monkeypatch.setattr("runner.harness.outcome.subprocess.run", run)
    assert call("report", "merge", "part1", "part2", "--results", "merged")[0] == 130
    missing = read_results(Path("merged")).missing
    assert missing == read_results(Path("part1")).missing != ()
    out = call("test", "--collect-only", "--json", "--retry", "--results", "merged")[1]
    assert tuple(json.loads(out)["selected"]) == missing


def test_what_a_dead_worker_did_not_tell_is_no_pass(call: Call, project: Path) -> None:
    (project / "die.py").write_text(
        "import os\n"
        "def pytest_runtest_protocol(item):\n"
        "    if 'b.yaml::npu' in item.nodeid:\n"
        "        os._exit(9)\n"
    )
    words = ("--pytest-args", "-p die", "-n", "1", "--shard", "1/1", "--results", "part1")
    done = subprocess.run(
        [sys.executable, "-m", "runner", "test", *words],
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 3
    assert read_results(Path("part1")).missing == (ALL[2],)
    assert call("report", "merge", "part1", "--results", "merged")[0] == 3


def test_results_of_an_earlier_session_are_gone_once_another_begins(
    call: Call, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is killed outright leaves none, so nothing can be taken for its results."""
    assert call("test")[0] == 0
    there = []

    def look(*words: Any, **options: Any) -> Any:
        there.extend(each.name for each in (project / KEPT).iterdir())
        return run(*words, **options)

    run = subprocess.run
    monkeypatch.setattr("runner.harness.outcome.subprocess.run", look)
    assert call("test", "recipes/a.yaml")[0] == 0
    assert sorted(there) == ["history.json", "logs"]


def test_workers_know_what_was_selected(call: Call, project: Path) -> None:
    for i in (1, 2):
        call("test", "-n", "1", "--shard", f"{i}/2", "--results", f"part{i}")
    call("test", "--results", "whole")
    selections = {read_results(Path(each)).selection for each in ("part1", "part2", "whole")}
    assert (len(selections), "" in selections) == (1, False)
