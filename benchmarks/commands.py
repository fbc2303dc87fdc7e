"""Seconds of whole processes of the command line, beside importing OpenVINO, in turns.

    python -m benchmarks.commands [--rounds 7]

Compiled modules are written by a round before, which is not counted. Prints a table and writes it,
with every single figure, to `build/bench/commands.md` and `commands.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.cases import CASES
from benchmarks.child import ROOT, machine
from quant.runtime import ov

RESULTS = ROOT / "build" / "bench"
FLOOR = "import openvino"
DIGITS = ROOT / "recipes" / "digits_cnn.yaml"
PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
RESNET = """\
recipe: 1
name: resnet_50
model: {path: resnet_50.xml}
datasets: {calibration: {loader: npz, path: resnet_50.npz}}
targets: [cpu]
steps: [{id: quantize, use: DefaultQuantization}]
"""
BASES, CHILDREN = 20, 1000
BASE = """\
recipe: 1
name: base_{0}
abstract: true
metadata: {{owner: team_{0}, tags: [cnn]}}
model: {{path: resnet_50.xml}}
datasets: {{calibration: {{loader: npz, path: resnet_50.npz}}}}
targets: [cpu]
steps: [{{id: quantize, use: DefaultQuantization}}]
expect: [{{id: size, metric: model_bytes, max_ratio: 0.4}}]
"""
CHILD = "recipe: 1\nname: child_{0}\nextends: ../base_{1}.yaml\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    folder = RESULTS / "commands"
    commands = _commands(_resnet(folder), _catalog(folder))
    (folder / "test_one.py").write_text("def test_one(): pass\n", encoding="utf-8")
    found: dict[str, list[float]] = {name: [] for name in commands}
    for i in range(rounds + 1):
        for name, words in commands.items():
            seconds = _process_s(words, folder)
            if i:
                found[name].append(seconds)
    text = _markdown(found)
    print(text)
    content = {"environment": machine(), "seconds": found}
    (RESULTS / "commands.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "commands.md").write_text(text, encoding="utf-8")


def _resnet(folder: Path) -> Path:
    """A recipe of a ResNet-50 with random weights and one sample."""
    folder.mkdir(parents=True, exist_ok=True)
    case = CASES["resnet_50"].open(1)
    ov.save_model(case.model, folder / "resnet_50.xml", compress_to_fp16=False)
    np.savez(folder / "resnet_50.npz", x=case.samples[0][0])
    recipe = folder / "resnet_50.yaml"
    recipe.write_text(RESNET, encoding="utf-8")
    return recipe


def _catalog(folder: Path) -> Path:
    """A folder of recipes that extend a few bases in the folder above."""
    children = folder / "children"
    children.mkdir(exist_ok=True)
    for i in range(BASES):
        (folder / f"base_{i}.yaml").write_text(BASE.format(i), encoding="utf-8")
    for i in range(CHILDREN):
        text = CHILD.format(i, i % BASES)
        (children / f"child_{i}.yaml").write_text(text, encoding="utf-8")
    return children


def _commands(resnet: Path, catalog: Path) -> dict[str, list[str]]:
    """What is run, by the name of its line in the table."""
    recipe = ["-m", "runner"]
    return {
        FLOOR: ["-c", FLOOR],
        "recipe --help": [*recipe, "--help"],
        "recipe validate digits_cnn.yaml": [*recipe, "validate", str(DIGITS)],
        "recipe plan resnet_50.yaml": [*recipe, "plan", str(resnet)],
        "recipe apply --no-benchmark --no-cache digits_cnn.yaml": [
            *[*recipe, "apply", "--no-benchmark", "--no-cache"],
            str(DIGITS),
        ],
        "recipe list, 1,000 recipes": [*recipe, "list", str(catalog)],
        "recipe test --collect-only, 1,000 recipes": [
            *[*recipe, "test", "--collect-only"],
            str(catalog),
        ],
        "recipe validate, 1,000 recipes": [*recipe, "validate", str(catalog)],
        "pytest test_one.py": [*PYTEST, "test_one.py"],
        "pytest -p no:recipe test_one.py": [*PYTEST, "-p", "no:recipe", "test_one.py"],
    }


def _process_s(words: list[str], folder: Path) -> float:
    """Seconds of a process, which writes its results below the folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RECIPE_CACHE": str(folder / "cache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    command = [sys.executable, *words]
    done = subprocess.run(command, capture_output=True, check=False, cwd=folder, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr.decode()}")
    return time.perf_counter() - started


def _markdown(found: dict[str, list[float]]) -> str:
    floor = statistics.median(found[FLOOR])
    lines = [f"{machine()}. Medians, extremes in brackets.", ""]
    lines += ["| process | seconds | of importing OpenVINO |", "|---|---|---|"]
    for name, seconds in found.items():
        median = statistics.median(seconds)
        extremes = f"{min(seconds):.2f}-{max(seconds):.2f}"
        lines.append(f"| `{name}` | {median:.2f} ({extremes}) | {median / floor:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
