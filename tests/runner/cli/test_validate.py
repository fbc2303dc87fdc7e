"""`recipe validate` for code hosts: annotations, SARIF, and the hook of pre-commit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import recipes
from runner.document.read import read_source
from runner.document.source import source_of
from tests.runner.recipe.written import SMALL, write

ROOT = Path(recipes.__file__).parent.parent
WRONG = SMALL + "benchmrk: {}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, WRONG)
    return tmp_path


def test_annotations_of_github(call: Any, folder: Path) -> None:
    code, out, err = call("validate", "recipe.yaml", "--format", "github")
    assert (code, out) == (
        2,
        "::error file=recipe.yaml,line=8,col=1,endColumn=9,title=RecipeError::"
        "unknown key 'benchmrk' - did you mean 'benchmark'?\n",
    )
    assert err.startswith("recipe.yaml:8:1: unknown key 'benchmrk'")


def test_what_github_would_misread_is_escaped(call: Any, folder: Path) -> None:
    (folder / "a,b:c%.yaml").write_text(SMALL + "x%y: 1\n", encoding="utf-8")
    _, out, _ = call("validate", "a,b:c%.yaml", "--format", "github")
    start = "::error file=a%2Cb%3Ac%25.yaml,line=8,"
    assert out.startswith(start)
    assert "unknown key 'x%25y'%0Avalid keys: " in out
    assert len(out.splitlines()) == 1


def test_sarif(call: Any, folder: Path) -> None:
    code, out, _ = call("validate", folder / "recipe.yaml", "--format", "sarif")
    (run,) = json.loads(out)["runs"]
    (result,) = run["results"]
    (location,) = result["locations"]
    assert (code, result["ruleId"], result["level"]) == (2, "RecipeError", "error")
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "recipe.yaml"},
        "region": {"startLine": 8, "startColumn": 1, "endColumn": 9},
    }
    assert run["tool"]["driver"]["rules"] == [{"id": "RecipeError"}]


def test_errors_of_the_command_line_stand_at_the_recipe(call: Any, folder: Path) -> None:
    edits = ("--set", "~benchmrk", "--set", "name=3")
    _, out, _ = call("validate", "recipe.yaml", *edits, "--format", "github")
    assert out.startswith("::error file=recipe.yaml,title=RecipeError::command line: 'name' is 3")


def test_without_errors(call: Any, folder: Path) -> None:
    write(folder, SMALL)
    assert call("validate", "recipe.yaml", "--format", "github")[:2] == (
        0,
        "recipe.yaml [cpu]: ok\n",
    )
    code, out, _ = call("validate", "recipe.yaml", "--format", "sarif")
    assert (code, json.loads(out)["runs"][0]["results"]) == (0, [])
    code, out, _ = call("validate", "recipe.yaml", "--format", "json")
    assert (code, json.loads(out)["ok"]) == (0, True)


def test_the_hook_of_pre_commit_takes_all_yaml_files(call: Any, folder: Path) -> None:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    hooks = read_source(source_of(Path("hooks"), f"hooks:\n{text}")).value["hooks"]
    program, *arguments = hooks[0]["entry"].split()
    (folder / "other.yaml").write_text("a: 1\n", encoding="utf-8")
    assert program == "recipe"
    assert call(*arguments, "other.yaml")[0] == 0
    assert call(*arguments, "other.yaml", "recipe.yaml")[0] == 2
    assert call(*arguments, "missing.yaml")[0] == 2
    assert call("validate", "other.yaml")[0] == 2
