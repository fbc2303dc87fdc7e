"""Plain pytest over recipes, in this process; runs are those of `child.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest

from runner.harness import once
from tests.runner.harness.builders import PLUGIN, answer, calls, check, failed, write_answers
from tests.runner.tiny import DROP, IMPOSSIBLE, write_recipe

Run = Callable[..., pytest.RunResult]
ALL = ["a.yaml::cpu::drop", "b.yaml::cpu::drop", "b.yaml::npu::drop"]


@pytest.fixture
def run(project: Path, pytester: pytest.Pytester) -> Run:
    """Calls pytest on `recipes` of the project."""
    return lambda *words: pytester.runpytest_inprocess(*PLUGIN, "recipes", *words)


def collected(result: pytest.RunResult) -> list[str]:
    """The ids that `--collect-only -q` lists, without the folder."""
    return [line.removeprefix("recipes/") for line in result.outlines if ".yaml::" in line]


def with_tags(folder: Path, name: str, tags: str, **changes: str) -> Path:
    path = write_recipe(folder / "recipes", name, out=f"build/{name}/${{target}}", **changes)
    path.write_text(path.read_text().replace("tags: [test]", f"tags: [{tags}], owner: me"))
    return path


def test_an_item_per_recipe_target_and_check(run: Run, project: Path) -> None:
    write_recipe(project / "recipes", "a.yaml", checks=f"{DROP}\n{IMPOSSIBLE}", out="build/a")
    found = collected(run("--collect-only", "-q"))
    assert found == ["a.yaml::cpu::drop", "a.yaml::cpu::floor", *ALL[1:]]
    assert calls(project) == []


def test_all_pass(run: Run, project: Path) -> None:
    run().assert_outcomes(passed=3)
    assert calls(project) == ["a", "b", "b"]


def test_one_run_for_all_checks(run: Run, project: Path) -> None:
    write_recipe(project / "recipes", "a.yaml", checks=f"{DROP}\n{IMPOSSIBLE}", out="build/a")
    write_answers(project, {"a": answer(check(), check("floor", "fail")), "b": answer()})
    run("-k", "a.yaml").assert_outcomes(passed=1, failed=1, deselected=2)
    assert calls(project) == ["a"]


def test_other_files_are_left_alone(run: Run, project: Path) -> None:
    (project / "recipes" / "other.yaml").write_text("services: {web: {image: x}}\n")
    (project / "recipes" / "base.yaml").write_text("recipe: 1\nname: base\nabstract: true\n")
    (project / "recipes" / "empty.yml").touch()
    assert collected(run("--collect-only", "-q")) == ALL


def test_a_recipe_that_expects_nothing_is_run(run: Run, project: Path) -> None:
    path = project / "recipes" / "a.yaml"
    path.write_text(path.read_text().replace(f"expect:\n{DROP}\n", ""))
    assert collected(run("--collect-only", "-q")) == ["a.yaml::cpu::runs", *ALL[1:]]
    run("-k", "runs").assert_outcomes(passed=1, deselected=2)


def test_an_id_selects(run: Run, pytester: pytest.Pytester) -> None:
    for words, count in (("b.yaml", 2), ("b.yaml::npu", 1), ("b.yaml::npu::drop", 1)):
        pytester.runpytest_inprocess(*PLUGIN, f"recipes/{words}").assert_outcomes(passed=count)


def test_a_missed_bound(run: Run, project: Path) -> None:
    missed = check(status="fail", message="absolute drop of accuracy is 0.3, expected at most 0.1")
    write_answers(project, {"a": answer(missed, exit_code=1), "b": answer()})
    result = run()
    result.assert_outcomes(passed=2, failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*recipes/a.yaml [[]cpu[]] drop*",
            "recipes/a.yaml:17:44: drop on cpu: absolute drop of accuracy is 0.3, expected*",
            "*^^^*",
            "95 % interval of the absolute drop: *, n=200",
            "FAILED recipes/a.yaml::cpu::drop*",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_a_crash_fails_its_items_and_the_rest_finish(run: Run, project: Path) -> None:
    write_answers(project, {"a": {"signal": "SIGSEGV"}, "b": answer()})
    result = run()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["the run of recipes/a.yaml on cpu was killed by SIGSEGV before its report"]
    )


def test_a_hang_fails_its_items(run: Run, project: Path) -> None:
    write_answers(project, {"a": {**answer(), "sleep_s": 60}, "b": answer()})
    result = run("--recipe-timeout", "0.5", "-k", "a.yaml")
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["*was stopped after 0.5 s", "try: a longer --timeout*"])


@pytest.mark.parametrize(
    ("status", "outcome"), [("skipped", "skipped"), ("xfail", "xfailed"), ("pass", "passed")]
)
def test_statuses(run: Run, project: Path, status: str, outcome: str) -> None:
    write_answers(project, {"a": answer(check(status=status))})
    result = run("-k", "a.yaml", "-ra")
    result.assert_outcomes(deselected=2, **{outcome: 1})
    if status != "pass":
        result.stdout.fnmatch_lines(["*drop was measured*"])


def test_what_is_inconclusive_passes_with_a_warning(run: Run, project: Path) -> None:
    write_answers(project, {"a": answer(check(status="inconclusive"))})
    result = run("-k", "a.yaml", "-W", "default")
    result.assert_outcomes(passed=1, warnings=1, deselected=2)
    result.stdout.fnmatch_lines(["*RecipeWarning: inconclusive: *drop was measured"])
    run("-k", "a.yaml", "--recipe-strict").assert_outcomes(failed=1, deselected=2)


def test_what_is_only_a_warning(run: Run, project: Path) -> None:
    minor = check(status="fail", severity="warning", is_warning=True)
    write_answers(project, {"a": answer(minor)})
    run("-k", "a.yaml", "-W", "default").assert_outcomes(passed=1, warnings=1, deselected=2)
    run("-k", "a.yaml", "--recipe-strict").assert_outcomes(failed=1, deselected=2)


def test_tags_are_markers(run: Run, project: Path) -> None:
    with_tags(project, "c.yaml", "cnn, slow-one")
    for words in (["-m", "cnn"], ["-m", "slow-one and not test"], ["-k", "cnn"]):
        result = run("--collect-only", "-q", "--strict-markers", *words)
        assert collected(result) == ["c.yaml::cpu::drop"]


def test_tags_that_can_be_no_markers_are_keywords(run: Run, project: Path) -> None:
    write_answers(project, {"c": answer()})
    with_tags(project, "c.yaml", 'skip, "two words", _x, "a(b)", "a:b", xfail')
    run("--strict-markers", "-k", "skip").assert_outcomes(passed=1, deselected=3)


def test_pytests_own_last_failed(run: Run, project: Path) -> None:
    write_answers(project, {"a": answer(check(status="fail")), "b": answer()})
    run().assert_outcomes(failed=1, passed=2)
    assert collected(run("--lf", "--collect-only", "-q")) == ["a.yaml::cpu::drop"]


def test_pytests_own_first_failure(run: Run, project: Path) -> None:
    write_answers(project, {"a": answer(check(status="fail")), "b": answer()})
    run("-x").assert_outcomes(failed=1)
    assert calls(project) == ["a"]


def test_an_invalid_recipe_is_an_error_at_its_place(run: Run, project: Path) -> None:
    write_recipe(project / "recipes", "bad.yaml", parameters="presett: mixed")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR collecting recipes/bad.yaml*",
            "recipes/bad.yaml:11:12: unknown key 'presett' * did you mean 'preset'?",
            "*^^^^^^^*",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_two_recipes_for_one_folder(run: Run, project: Path) -> None:
    write_recipe(project / "recipes", "c.yaml", out="build/a/${target}")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["recipes/c.yaml:18:16: the results of recipes/a.yaml on cpu go to 'build/a/cpu', too"]
    )


def test_what_only_the_graph_tells(run: Run, project: Path) -> None:
    place = {"path": "recipes/a.yaml", "line": 11, "column": 12}
    write_answers(project, {"a": failed("no operation is named 'x'", 2, **place)})
    result = run("-k", "a.yaml")
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["recipes/a.yaml:11:12: no operation is named 'x'"])


def test_junit_has_figures(run: Run, project: Path) -> None:
    write_answers(project, {"a": answer(check(status="fail")), "b": answer()})
    run("--junitxml", "junit.xml")
    case = ElementTree.parse(project / "junit.xml").getroot().find(".//testcase")
    assert case is not None
    assert (case.get("classname"), case.get("name")) == ("recipes.a.yaml.cpu", "drop")
    found = {each.get("name"): each.get("value") for each in case.iter("property")}
    assert found.pop("run_s")
    assert found == {
        "schema": "recipe.test/1",
        "recipe": "recipes/a.yaml",
        "target": "cpu",
        "check": "drop",
        "status": "fail",
        "exit_code": "1",
        "message": "drop was measured",
        "recipe_digest": "d1",
        "environment": "CPU avx2 openvino 2026.4",
        "metric": "accuracy",
        "kind": "max_drop",
        "value": "0.01",
        "bound": "0.02",
        "where": "recipes/a.yaml:17:44",
        "n": "200",
        "against": "fp32",
        "severity": "error",
        "confidence": "0.95",
        "interval_low": "0.002",
        "interval_high": "0.018",
    }


def test_selection(run: Run, project: Path) -> None:
    with_tags(project, "c.yaml", "cnn")
    write_answers(project, {"a": answer(check(status="fail")), "b": answer(), "c": answer()})
    run()
    for words, expected in (
        (["tag:cnn"], ["c.yaml::cpu::drop"]),
        (["target:npu tag:cnn"], ["b.yaml::npu::drop", "c.yaml::cpu::drop"]),
        (["owner:me,target:npu"], []),
        (["status:fail"], ["a.yaml::cpu::drop"]),
    ):
        options = [f"--recipe-select={each}" for each in words]
        assert collected(run("--collect-only", "-q", *options)) == expected
    assert collected(run("--collect-only", "-q", "--recipe-retry")) == ["a.yaml::cpu::drop"]


def test_shards_are_all_and_keep_runs_together(run: Run, project: Path) -> None:
    write_recipe(project / "recipes", "a.yaml", checks=f"{DROP}\n{IMPOSSIBLE}", out="build/a")
    parts = [collected(run("--collect-only", "-q", f"--recipe-shard={i}/2")) for i in (1, 2)]
    assert sorted([*parts[0], *parts[1]]) == ["a.yaml::cpu::drop", "a.yaml::cpu::floor", *ALL[1:]]
    assert [len({each.startswith("a") for each in part}) for part in parts].count(1) >= 1


def test_shards_are_even_by_earlier_runs(run: Run, project: Path) -> None:
    items = {f"recipes/{name}": {"status": "pass", "run_s": 1.0} for name in ALL}
    items[f"recipes/{ALL[0]}"]["run_s"] = 5.0
    (project / "build/recipe-test").mkdir(parents=True)
    (project / "build/recipe-test/history.json").write_text(json.dumps({"items": items}))
    assert collected(run("--collect-only", "-q", "--recipe-shard=1/2")) == ALL[:1]
    assert collected(run("--collect-only", "-q", "--recipe-shard=2/2")) == ALL[1:]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--recipe-shard=3/2", "*'3/2' is no shard*"),
        ("--recipe-select=x:y", "*can't select by 'x:y'*"),
        ("--recipe-apply=--nope", "*--recipe-apply: No such option*"),
        ("--recipe-select=state:modified", "*is in no repository*"),
    ],
)
def test_wrong_options(run: Run, option: str, message: str) -> None:
    result = run(option)
    assert result.ret == 4
    result.stderr.fnmatch_lines([message])


def test_options_of_apply_are_passed_on(run: Run, project: Path) -> None:
    run("-k", "a.yaml", "--recipe-apply=--no-benchmark --set=benchmark.seconds=1")
    assert " apply --target cpu --no-benchmark" in f" {(project / 'calls.txt').read_text()}"


def test_who_measures_speed_is_alone(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    @contextmanager
    def machine(folder: Path, *, is_alone: bool) -> Iterator[None]:
        told.append(is_alone)
        yield

    monkeypatch.setattr(once, "machine", machine)
    write_recipe(project / "recipes", "a.yaml", out="build/a", benchmark="benchmark: {}\n")
    run().assert_outcomes(passed=3)
    run("--recipe-apply=--no-benchmark").assert_outcomes(passed=3)
    assert told == [True, False, False, False, False, False]


def test_other_tests_in_the_same_session(run: Run, project: Path) -> None:
    (project / "test_x.py").write_text("def test_x(): pass\n")
    run("test_x.py", "-k", "test_x").assert_outcomes(passed=1, deselected=3)
    content = json.loads((project / "build/recipe-test/results.json").read_text())
    assert content["items"] == []


def test_a_session_without_recipes_loads_and_writes_nothing(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[3]))
    pytester.makeconftest(
        "import sys\n"
        "def pytest_unconfigure():\n"
        "    print('loaded', *(m for m in sys.modules if m.split('.')[0] in ('runner', 'quant')))\n"
    )
    pytester.makepyfile("def test_x(): pass")
    (pytester.path / "other.yaml").write_text("a: 1\n")
    result = pytester.runpytest_subprocess(*PLUGIN, "-s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["loaded runner runner.recipe runner.recipe.sniff runner.pytest_plugin"]
    )
    assert not (pytester.path / "build").exists()
