"""The plugin in a project that merely installs us: real runs, with pytest-xdist."""

from __future__ import annotations

import tomllib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from quant.runtime import opset, ov
from tests.runner.tiny import CLASSES, DROP, IMPOSSIBLE, write_recipe

ROOT = Path(__file__).resolve().parents[3]
CRASHING = """\
import os, signal, sys
from runner.cli.main import main
if "crashing" in sys.argv[-1]:
    import runner.run
    runner.run.evaluate = lambda *_, **__: os.kill(os.getpid(), signal.SIGSEGV)
sys.exit(main())
"""
CONFTEST = """\
import sys
from runner.harness import outcome
outcome.COMMAND = (sys.executable, "-P", "crashing.py")
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution with the entry points of ours is on the path, and nothing else of ours."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    site = tmp_path / "site"
    about = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    about.mkdir(parents=True)
    entries = project["entry-points"]["pytest11"].items()
    lines = "".join(f"{name} = {value}\n" for name, value in entries)
    (about / "entry_points.txt").write_text(f"[pytest11]\n{lines}")
    (about / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    monkeypatch.setenv("PYTHONPATH", f"{site}:{ROOT}")


@pytest.fixture
def project(pytester: pytest.Pytester, tiny: Path) -> Path:
    """A folder with recipes that work, on a net of which there is a damaged copy."""
    recipes = pytester.path / "recipes"
    tiny.rename(recipes)
    return pytester.path


def write_classifier(folder: Path, *, weight: float) -> None:
    """Saves a linear classifier that is always right, as tiny.xml, and its data as data.npz.

    `weight`: of an input that is always zero. FP32 answers the same whatever it is; at 8 bits the
    weights beside a large one are lost.
    """
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 8)).astype(np.float32)
    weights = rng.standard_normal((CLASSES, 8)).astype(np.float32)
    x[:, 0], weights[:, 0] = 0, weight
    np.savez(folder / "data.npz", x=x, y=np.argmax(x @ weights.T, axis=1))
    entry = opset.parameter([1, 8], np.float32, name="x")
    entry.output(0).set_names({"x"})
    logits = opset.matmul(entry, opset.constant(weights), transpose_a=False, transpose_b=True)
    ov.save_model(ov.Model([logits], [entry]), folder / "tiny.xml", compress_to_fp16=False)


@pytest.mark.usefixtures("installed")
def test_workers_share_a_run(pytester: pytest.Pytester, project: Path) -> None:
    write_recipe(project / "recipes", "one.yaml", out="build/one", checks=f"{DROP}\n{IMPOSSIBLE}")
    result = pytester.runpytest_subprocess("recipes/", "-n", "2", "--junitxml", "junit.xml")
    result.assert_outcomes(passed=1, failed=1)
    cases = list(ElementTree.parse(project / "junit.xml").getroot().iter("testcase"))
    assert sorted(f"{case.get('classname')}.{case.get('name')}" for case in cases) == [
        "recipes.one.yaml.cpu.drop",
        "recipes.one.yaml.cpu.floor",
    ]
    seconds = {case.find("properties/property[@name='run_s']").get("value") for case in cases}  # type: ignore[union-attr]
    assert len(seconds) == 1
    assert (project / "build" / "one" / "report.json").exists()
    assert (project / "build" / "recipe-test" / "results.json").exists()


@pytest.mark.usefixtures("installed")
def test_a_damaged_model(pytester: pytest.Pytester, project: Path) -> None:
    plain = "preset: performance, use_smooth_quant: false"
    write_recipe(project / "recipes", "x.yaml", out="build/x", parameters=plain)
    write_classifier(project / "recipes", weight=1.0)
    pytester.runpytest_subprocess("recipes/").assert_outcomes(passed=1)
    write_classifier(project / "recipes", weight=1e4)
    result = pytester.runpytest_subprocess("recipes/")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "recipes/x.yaml:17:44: drop on cpu: absolute drop of accuracy is 0.*at most 0.5*",
            " 17 |   - {id: drop, metric: accuracy, max_drop: 0.5}",
            "95 % interval of the absolute drop: [[]+0.*, +0.*], n=60",
        ]
    )


@pytest.mark.usefixtures("installed")
def test_a_native_crash_fails_its_item_and_the_rest_finish(
    pytester: pytest.Pytester, project: Path
) -> None:
    for name in ("crashing", "working"):
        write_recipe(project / "recipes", f"{name}.yaml", out=f"build/{name}")
    (project / "crashing.py").write_text(CRASHING)
    (project / "conftest.py").write_text(CONFTEST)
    result = pytester.runpytest_subprocess("recipes/")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "the run of recipes/crashing.yaml on cpu was killed by SIGSEGV before its report",
            "*tiny [[]cpu[]]: evaluate*",
        ]
    )
