"""What a second run finds: nothing is inferred twice, and no figure changes by that."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

import numpy as np
import pytest

import recipes
import runner
from runner.apply import apply_recipe
from runner.cache.cache import Cache
from runner.recipe.read import read
from runner.requirements import Parts
from tests.runner.tiny import write_recipe

FIGURES = ("metrics", "quantization", "layers", "outputs", "checks", "notes")
"""What of a report follows from recipe, model and data alone."""


def copied(folder: Path) -> Path:
    """A copy of the recipe digits_cnn."""
    shipped = Path(recipes.__file__).parent
    (folder / "demo").mkdir()
    for each in (shipped / "demo").glob("digits_*"):
        shutil.copy(each, folder / "demo")
    return Path(shutil.copy(shipped / "digits_cnn.yaml", folder))


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recipe digits_cnn, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return copied(tmp_path)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that digits_cnn has filled."""
    folder = tmp_path_factory.mktemp("filled")
    recipe = read(copied(folder))[0]
    plain = dataclasses.replace(recipe.outputs, dir=folder / "out")
    parts, cache = Parts(benchmark=False), Cache(path=folder / "cache")
    apply_recipe(dataclasses.replace(recipe, outputs=plain), parts=parts, cache=cache)
    return cache.path


@pytest.fixture
def known(digits: Path, filled: Path) -> Path:
    """The recipe digits_cnn, once it was applied."""
    shutil.copytree(filled, os.environ["RECIPE_CACHE"])
    return digits


def entries(kind: str = "*") -> list[Path]:
    return sorted(Path(os.environ["RECIPE_CACHE"]).glob(f"{kind}/*/*.npz"))


def applied(call: Any, recipe: Path, *options: str) -> dict[str, Any]:
    code, out, err = call("apply", recipe, "--no-benchmark", "--json", *options)
    assert code == 0, err
    (report,) = json.loads(out)["reports"]
    return dict(report)


def uses(report: dict[str, Any]) -> tuple[str, str]:
    return report["cache"]["statistics"], report["cache"]["baseline"]


def edited(path: Path) -> None:
    """Changes the last bit of the first sample of an .npz file."""
    with np.load(path) as file:
        arrays = dict(file)
    first = arrays["x"].reshape(-1)
    first[:1] = np.nextafter(first[:1], 2, dtype=first.dtype) if first.dtype.kind == "f" else 1
    np.savez(path, **arrays)


def test_a_second_run_infers_nothing_twice(digits: Path, call: Any) -> None:
    first, second = applied(call, digits), applied(call, digits)
    alone = applied(call, digits, "--no-cache")
    assert [uses(each) for each in (first, second, alone)] == [
        ("miss", "miss"),
        ("hit", "hit"),
        ("off", "off"),
    ]
    for name in FIGURES:
        assert first[name] == second[name] == alone[name], name


def test_another_preset_finds_its_statistics(known: Path, call: Any) -> None:
    edit = ("--set", "steps.quantize.with.preset=performance")
    second, alone = applied(call, known, *edit), applied(call, known, "--no-cache", *edit)
    assert uses(second) == ("hit", "hit")
    for name in FIGURES:
        assert second[name] == alone[name], name


def test_another_estimator_finds_a_part(known: Path, call: Any) -> None:
    edit = ("--set", "steps.quantize.with.range_estimator.preset=mse")
    assert uses(applied(call, known, *edit)) == ("partial", "hit")
    assert uses(applied(call, known, *edit)) == ("hit", "hit")


def test_another_metric_finds_no_baseline(known: Path, call: Any) -> None:
    edit = ("--set", "evaluate.metrics.accuracy.top_k=2")
    assert uses(applied(call, known, *edit)) == ("hit", "partial")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("digits_calibration.npz", ("miss", "hit")),
        ("digits_test.npz", ("hit", "miss")),
        ("digits_cnn.bin", ("miss", "miss")),
    ],
)
def test_an_edited_byte_misses(
    known: Path, call: Any, file: str, expected: tuple[str, str]
) -> None:
    """Also where the time of the file says that it is the old one."""
    path = known.parent / "demo" / file
    times = path.stat()
    if path.suffix == ".npz":
        edited(path)
    else:
        content = bytearray(path.read_bytes())
        content[0] ^= 1
        path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert uses(applied(call, known)) == expected


def test_a_moved_recipe_finds_all(known: Path, call: Any, tmp_path: Path) -> None:
    moved = shutil.copytree(known.parent / "demo", tmp_path / "moved" / "demo").parent
    assert uses(applied(call, Path(shutil.copy(known, moved)))) == ("hit", "hit")


def test_damage_is_noticed_and_mended(known: Path, call: Any) -> None:
    (statistics,) = entries("statistics")
    content = bytearray(statistics.read_bytes())
    content[len(content) // 2] ^= 1
    statistics.write_bytes(content)
    second = applied(call, known)
    assert uses(second) == ("miss", "hit")
    assert second["notes"] == [f"a damaged entry of the cache was removed: {statistics}"]
    third = applied(call, known)
    assert uses(third) == ("hit", "hit")
    assert (third["layers"], third["notes"]) == (second["layers"], [])


def test_whole_outputs_are_not_kept(tiny: Path, call: Any) -> None:
    """The metric sqnr compares them, so FP32 is inferred again."""
    recipe = write_recipe(tiny)
    assert uses(applied(call, recipe)) == ("miss", "miss")
    assert uses(applied(call, recipe)) == ("hit", "partial")


def test_no_cache_leaves_nothing(digits: Path, call: Any) -> None:
    applied(call, digits, "--no-cache")
    assert entries() == []


def test_two_runs_at_once(digits: Path, call: Any) -> None:
    reports = run_at_once(digits, ["one", "two"])
    assert reports[0]["layers"] == reports[1]["layers"]
    assert reports[0]["metrics"] == reports[1]["metrics"]
    assert call("cache", "verify")[0] == 0
    assert uses(applied(call, digits)) == ("hit", "hit")


def run_at_once(recipe: Path, folders: list[str]) -> list[dict[str, Any]]:
    """The reports of processes that apply a recipe at the same time, each in its own folder."""
    command = [sys.executable, "-m", "runner", "apply", str(recipe), "--no-benchmark", "--json"]
    code = str(Path(runner.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": code}
    running = []
    for name in folders:
        Path(name).mkdir()
        running.append(Popen(command, cwd=name, env=environment, stdout=PIPE, stderr=DEVNULL))
    told = [process.communicate(timeout=120)[0] for process in running]
    return [json.loads(text)["reports"][0] for text in told]


def test_plan_says_what_is_cached(digits: Path, filled: Path, call: Any) -> None:
    def lines() -> list[str]:
        _, out, _ = call("plan", digits)
        words = ("calibration:", "evaluation:")
        return [line for line in out.splitlines() if line.strip().startswith(words)]

    before = lines()
    assert [line.rpartition(", ")[2] for line in before] == ["one f32 pass", "both models"]
    shutil.copytree(filled, os.environ["RECIPE_CACHE"])
    after = lines()
    assert [line.rpartition(", ")[2] for line in after] == ["cached: no inference", "FP32 cached"]
    _, out, _ = call("plan", digits, "--json")
    assert json.loads(out)["plans"][0]["cache"] == {"statistics": "hit", "baseline": "hit"}


def test_text_and_page_say_it(digits: Path, call: Any) -> None:
    _, out, _ = call("apply", digits, "--no-benchmark")
    assert "cache: statistics miss, FP32 baseline miss" in out
    page = Path("build/digits_cnn/cpu/report.html").read_text(encoding="utf-8")
    assert "statistics miss, FP32 baseline miss" in page


def test_info(known: Path, call: Any) -> None:
    code, out, _ = call("cache", "info", "--json")
    content = json.loads(out)["cache"]
    counts = {each["kind"]: each["entries"] for each in content["kinds"]}
    assert (code, content["path"]) == (0, os.environ["RECIPE_CACHE"])
    assert counts == {"statistics": 1, "baseline": 2}
    assert sum(each["size_bytes"] for each in content["kinds"]) == sum(
        each.stat().st_size for each in entries()
    )
    assert os.environ["RECIPE_CACHE"] in call("cache", "info")[1]


def test_verify(known: Path, call: Any) -> None:
    assert call("cache", "verify")[:2] == (0, "0 damaged, 0 B\n")
    broken = entries()[0]
    broken.write_bytes(b"?")
    code, out, _ = call("cache", "verify", "--json")
    assert (code, json.loads(out)["damaged"]) == (1, [str(broken)])
    assert len(entries()) == 2


def test_prune(known: Path, call: Any) -> None:
    old = entries("statistics")[0]
    os.utime(old, (0, 0))
    code, out, _ = call("cache", "prune", "--older-than", "30", "--json")
    assert (code, json.loads(out)["removed"]) == (0, [str(old)])
    assert call("cache", "prune", "--max-size", "1GB")[:2] == (0, "0 removed, 0 B\n")
    headers = Path(os.environ["RECIPE_CACHE"]) / "headers.json"
    headers.touch()
    assert call("cache", "prune", "--all")[0] == 0
    assert (entries(), headers.exists()) == ([], False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "nothing says what to remove"),
        (("--max-size", "much"), "'much' is no size"),
        (("--older-than", "-1"), "-1"),
    ],
    ids=["none", "size", "days"],
)
def test_what_to_remove_has_to_be_said(call: Any, options: tuple[str, ...], message: str) -> None:
    code, _, err = call("cache", "prune", *options)
    assert code == 2
    assert message in err
