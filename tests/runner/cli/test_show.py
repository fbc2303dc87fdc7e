"""`recipe show` and `recipe diff`: what recipes amount to, and what two do differently."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.recipe.read import read
from tests.runner.recipe.written import FULL, SMALL, write

CHILD = """\
recipe: 1
name: child
extends: ../recipe.yaml
vars: {samples: 10}
set: {steps.quantize.with.preset: accuracy}
"""


@pytest.fixture
def child(tmp_path: Path) -> Path:
    write(tmp_path, FULL)
    (tmp_path / "team").mkdir()
    path = tmp_path / "team" / "child.yaml"
    path.write_text(CHILD, encoding="utf-8")
    return path


def test_what_is_shown_is_the_recipe_itself(call: Any, child: Path) -> None:
    code, out, _ = call("show", child, "--target", "cpu")
    again = child.with_name("again.yaml")
    again.write_text(out, encoding="utf-8")
    assert code == 0
    assert read(again)[0].document == read(child)[0].document
    assert out.splitlines()[1:3] == ["recipe: 1", "name: child"]


def test_what_is_shown_with_defaults_is_a_recipe_too(call: Any, child: Path) -> None:
    edit = "datasets.calibration.columns.label=1"
    _, out, _ = call("show", child, "--defaults", "--target", "cpu", "--set", edit)
    again = child.with_name("again.yaml")
    again.write_text(out, encoding="utf-8")
    step = read(again)[0].document["steps"][0]
    assert (step["with"]["seed"], step["with"]["preset"]) == (0, "accuracy")
    assert call("diff", child, again)[0] == 1
    assert call("diff", again, again) == (0, "", "")


def test_every_target_is_shown(call: Any, child: Path) -> None:
    _, out, _ = call("show", child)
    assert [part.splitlines()[0] for part in out.split("---\n")] == [
        f"# {child} [cpu]",
        f"# {child} [device]",
    ]


def test_origins_name_the_line_that_wrote_each_value(call: Any, child: Path) -> None:
    _, out, _ = call("show", child, "--origin", "--defaults", "--set", "benchmark.repeats=7")
    rows = {line.split()[0]: line.split(maxsplit=1)[1] for line in out.splitlines() if line}
    folder = child.parent
    base = folder.parent / "recipe.yaml"
    assert rows["steps.quantize.with.preset"].split() == ["accuracy", f"{child}:5:35"]
    assert rows["datasets.calibration.samples"].split() == ["10", f"{child}:4:17"]
    assert rows["benchmark.repeats"].split() == ["7", "command", "line:1:25"]
    assert rows["datasets.calibration.seed"].split() == ["7", f"{base}:17:11"]
    assert rows["datasets.validation.seed"].split() == ["0", "default"]
    assert rows["expect.throughput_min_speedup_2.min_speedup"].startswith("1 ")


def test_show_as_json(call: Any, child: Path) -> None:
    code, out, _ = call("show", child, "--json", "--target", "device")
    (shown,) = json.loads(out)["recipes"]
    assert (code, shown["target"]) == (0, "device")
    assert shown["content"]["targets"] == ["../files/device.yaml"]
    assert shown["origins"]["targets"].endswith("recipe.yaml:19:16")


def test_a_recipe_and_its_child(call: Any, child: Path) -> None:
    code, out, _ = call("diff", child.parent.parent / "recipe.yaml", child)
    rows = [line.split() for line in out.splitlines()]
    assert code == 1
    assert ["[cpu]", "steps.quantize.with.preset", "mixed", "accuracy"] in rows
    assert not any("path" in row[1] for row in rows)


def test_spelling_order_and_written_defaults_make_no_difference(call: Any, tmp_path: Path) -> None:
    first = write(tmp_path, SMALL)
    second = tmp_path / "second.yaml"
    lines = SMALL.splitlines()
    text = "\n".join([*lines[5:], "    with: {preset: performance}", *lines[:5], "targets: [cpu]"])
    second.write_text(text, encoding="utf-8")
    assert call("diff", first, second) == (0, "", "")


def test_differences_as_json_and_with_places(call: Any, tmp_path: Path) -> None:
    first = write(tmp_path, SMALL)
    second = tmp_path / "second.yaml"
    second.write_text(SMALL + "    with: {seed: 1}\nbenchmark: {}\n", encoding="utf-8")
    code, out, _ = call("diff", first, second, "--json")
    found = {each["key"]: (each["old"], each["new"]) for each in json.loads(out)["differences"]}
    assert code == 1
    assert found["steps.DefaultQuantization.with.seed"] == (
        {"value": 0, "from": "default"},
        {"value": 1, "from": f"{second}:8:18"},
    )
    assert found["benchmark.repeats"][0] is None
    assert f"{second}:8:18" in call("diff", first, second, "--origin")[1]


def test_a_target_that_only_one_has(call: Any, tmp_path: Path) -> None:
    first = write(tmp_path, SMALL + "targets: [cpu, gpu]\n")
    second = tmp_path / "second.yaml"
    second.write_text(SMALL + "targets: [cpu, npu]\n", encoding="utf-8")
    _, out, _ = call("diff", first, second)
    assert {line.split()[0] for line in out.splitlines()[1:]} == {"[gpu]", "[npu]"}


def test_a_wrong_recipe_is_told_at_its_place(call: Any, tmp_path: Path) -> None:
    path = write(tmp_path, SMALL + "oops: 1\n")
    code, _, err = call("diff", path, path)
    assert (code, f"{path}:8:1: unknown key 'oops'" in err) == (2, True)
