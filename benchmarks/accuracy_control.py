"""Accuracy control beside NNCF's, in one run, in turns: minilm without `model_type`, 600 sentences.

    RECIPE_ROOT_ZOO=path/to/zoo .venv-oracle/bin/python -m benchmarks.accuracy_control --rounds 3

Each call runs in a process of its own and evaluates by the same function, sample by sample, which
compiles nothing; the throughput of the last two models is measured in pairs afterwards.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import CASES, RECIPES
from benchmarks.child import child, machine
from benchmarks.folder import Samples, read_model, read_samples, write
from quant.runtime import ov
from runner.data.open import open_dataset
from runner.model_interface import model_inputs
from runner.recipe.read import read

CASE, LIMIT, SENTENCES = "minilm", 0.01, 600
FOLDER = Path("build/bench/accuracy_control")

Evaluate = Callable[..., tuple[float, list[float]]]


def prepare() -> None:
    """Writes the model, the calibration samples, and beside them the validation data."""
    case = CASES[CASE].open(None)
    write(FOLDER, case.model, case.samples)
    (recipe,) = read(RECIPES / f"{CASE}.yaml")
    data = open_dataset(recipe.datasets["validation"], model_inputs(case.model))
    chosen = [data[i] for i in range(SENTENCES)]
    inputs = [[sample.inputs[each.name] for each in data.inputs] for sample in chosen]
    write(FOLDER / "validation", case.model, inputs)
    labels = [sample.label for sample in chosen]
    (FOLDER / "labels.json").write_text(json.dumps(labels, default=int), encoding="utf-8")


class Accuracy:
    """The share of sentences that a model gets right; counts models and sentences."""

    def __init__(self) -> None:
        self.samples: Samples = read_samples(FOLDER / "validation")
        self.labels: list[int] = json.loads((FOLDER / "labels.json").read_text(encoding="utf-8"))
        self.read = 0

    def __call__(
        self, compiled: ov.CompiledModel, subset: Sequence[int] | None = None
    ) -> tuple[float, list[float]]:
        indices = range(SENTENCES) if subset is None else list(subset)
        request = compiled.create_infer_request()
        right = [
            float(np.argmax(request.infer(self.samples[i])[0]) == self.labels[i]) for i in indices
        ]
        self.read += len(right)
        return float(np.mean(right)), right


def ours(evaluate: Evaluate) -> ov.Model:
    from quant.control.entry import quantize_with_accuracy_control
    from runner.targets import load_target

    found = quantize_with_accuracy_control(
        read_model(FOLDER),
        read_samples(FOLDER),
        evaluate,
        target=load_target("cpu"),
        preset="performance",
        maximal_drop=LIMIT,
    )
    print(f"{len(found.trials)} models, reverted: {[each.name for each in found.reverted]}")
    return found.result.model


def nncf(evaluate: Evaluate) -> ov.Model:
    import nncf as peer

    samples = read_samples(FOLDER)
    return peer.quantize_with_accuracy_control(
        read_model(FOLDER),
        peer.Dataset(samples),
        peer.Dataset(list(range(SENTENCES))),
        evaluate,
        preset=peer.QuantizationPreset.PERFORMANCE,
        subset_size=len(samples),
        max_drop=LIMIT,
        drop_type=peer.DropType.ABSOLUTE,
    )


SIDES = {"ours": ours, "nncf": nncf}


def run(side: str) -> None:
    """One side's call; prints what it took as JSON in the last line."""
    evaluate = Accuracy()
    started = time.perf_counter()
    model = SIDES[side](evaluate)
    seconds, read = time.perf_counter() - started, evaluate.read
    ov.save_model(model, FOLDER / f"{side}.xml", compress_to_fp16=False)
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = {
        "seconds": seconds,
        "sentences": read,
        "accuracy": evaluate(compiled)[0],
        "quantizers": sum(n.get_type_name() == "FakeQuantize" for n in model.get_ops()),
        "in_integers": in_integers(compiled),
    }
    print(json.dumps(found))


def in_integers(compiled: ov.CompiledModel) -> int:
    """How many operations the device executes in 8 bits."""
    infos = (node.get_rt_info() for node in compiled.get_runtime_model().get_ops())
    precisions = (each["runtimePrecision"].astype(str) for each in infos)
    return sum(each in ("i8", "u8") for each in precisions)


def main(rounds: int, pairs: int) -> None:
    """Both sides in turns, then the models in pairs; prints every figure."""
    prepare()
    print(machine())
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for i in range(rounds):
        for side in list(SIDES)[:: 1 if i % 2 == 0 else -1]:
            result, _ = child("accuracy_control", "--side", side)
            found[side].append(result)
            print(side, json.dumps(result), flush=True)
    ratios = [
        a["seconds"] / b["seconds"] for a, b in zip(found["ours"], found["nncf"], strict=True)
    ]
    print(f"seconds, ours / NNCF: {statistics.median(ratios):.3f} {sorted(ratios)}")
    models = (FOLDER / "ours.xml", FOLDER / "nncf.xml")
    speed, _ = child("throughput", FOLDER / "validation", *models, pairs)
    gains = [a / b for a, b in speed["throughput_fps"]]
    print(f"throughput, ours / NNCF: {statistics.median(gains):.3f} {sorted(gains)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", choices=SIDES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=9)
    given = parser.parse_args()
    if given.side:
        run(given.side)
        sys.exit()
    main(given.rounds, given.pairs)
