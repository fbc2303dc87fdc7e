"""Quantization time and int8 throughput against NNCF on the zoo's recipes: one run, in turns, f32.

    python -m venv build/peer
    build/peer/bin/pip install -r benchmarks/requirements.txt -e '.[all]'
    RECIPE_ROOT_ZOO=path/to/zoo build/peer/bin/python benchmarks/against_nncf.py yolox_nano minilm

Prints a Markdown table. Seconds are of the quantize call alone, on the same model and samples in
memory; throughput pairs run one after the other on the same samples.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nncf

import quant
import runner
from quant.runtime import F32, core, ov
from runner.data.open import open_dataset
from runner.model_interface import model_inputs
from runner.recipe.read import read
from runner.recipe.recipe import Recipe

RECIPES = Path(__file__).parent.parent / "tests" / "zoo" / "recipes"
ROUNDS, PAIRS, SECONDS = 3, 5, 2.0
PRESETS = ("performance", "mixed")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("recipes", nargs="+", help="names of files in tests/zoo/recipes")
    nncf.set_log_level(logging.ERROR)
    print("| case | ours, s | NNCF, s | ratio (rounds) | int8 throughput, ours / NNCF (pairs) |")
    print("|---|---|---|---|---|")
    for name in parser.parse_args().recipes:
        for preset in PRESETS:
            print(row(name, preset), flush=True)


def row(name: str, preset: str) -> str:
    """One line of the table: medians, and all ratios in brackets."""
    (recipe,) = read(RECIPES / f"{name}.yaml", variables={"preset": preset})
    model = quant.load_model(recipe.model.path, inputs=recipe.model.inputs)
    samples = inputs_of(recipe, model)
    is_transformer = recipe.steps[0].parameters.get("model_type") == "transformer"
    ours, theirs = quantizers(model, samples, preset, is_transformer=is_transformer)
    times = [(timed(ours), timed(theirs)) for _ in range(ROUNDS)]
    pairs = throughput_ratios(ours(), theirs(), samples[:32])
    mine, peer = (statistics.median(column) for column in zip(*times, strict=True))
    ratios = [a / b for a, b in times]
    return f"| {name}, {preset} | {mine:.2f} | {peer:.2f} | {shown(ratios)} | {shown(pairs)} |"


def shown(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({', '.join(f'{r:.2f}' for r in sorted(ratios))})"


def inputs_of(recipe: Recipe, model: ov.Model) -> list[dict[str, Any]]:
    dataset = open_dataset(recipe.datasets["calibration"], model_inputs(model))
    return [dict(dataset[i].inputs) for i in range(len(dataset))]


def quantizers(
    model: ov.Model, samples: list[dict[str, Any]], preset: str, *, is_transformer: bool
) -> tuple[Callable[[], ov.Model], Callable[[], ov.Model]]:
    """Ours and the peer's call, with the same settings."""
    kind = "transformer" if is_transformer else None

    def ours() -> ov.Model:
        target = runner.load_target("cpu")
        return quant.quantize(model, samples, target=target, preset=preset, model_type=kind).model

    def theirs() -> ov.Model:
        return nncf.quantize(
            model,
            nncf.Dataset(samples),
            preset=nncf.QuantizationPreset(preset),
            subset_size=len(samples),
            model_type=nncf.ModelType.TRANSFORMER if is_transformer else None,
        )

    return ours, theirs


def timed(call: Callable[[], ov.Model]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def throughput_ratios(
    ours: ov.Model, theirs: ov.Model, samples: list[dict[str, Any]]
) -> list[float]:
    options = {**F32, "PERFORMANCE_HINT": "THROUGHPUT"}
    a, b = (core().compile_model(each, "CPU", options) for each in (ours, theirs))
    return [frames_per_second(a, samples) / frames_per_second(b, samples) for _ in range(PAIRS)]


def frames_per_second(compiled: ov.CompiledModel, samples: list[dict[str, Any]]) -> float:
    queue = ov.AsyncInferQueue(compiled)
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        for sample in samples:
            queue.start_async(sample)
        count += len(samples)
    queue.wait_all()
    return count / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
