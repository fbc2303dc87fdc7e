"""What quantization costs in accuracy, ours beside NNCF's: the zoo, whole validation sets.

    RECIPE_ROOT_ZOO=path/to/zoo make bench-accuracy
    RECIPE_ROOT_ZOO=path/to/zoo make bench-accuracy CASES="minilm" PRESETS=mixed

Both sides quantize the same model on the same samples with their defaults, each in a process of its
own; their models and FP32 are then evaluated by the recipe's metric, in f32, on the same samples.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version

from benchmarks import folder
from benchmarks.cases import CASES, RECIPES, Zoo, available
from benchmarks.child import ROOT, child, machine
from quant.load import load_model
from quant.runtime import core
from runner.data.open import open_dataset
from runner.evaluate import evaluate
from runner.metric_value import metric_value, quantity
from runner.model_interface import model_inputs
from runner.recipe.read import read
from runner.report.report import MetricValue
from runner.subjects import make_metrics

PRESETS = ("performance", "mixed")
SIDES = {"ours": "ours", "nncf": "peer"}
RESULTS = ROOT / "build" / "bench" / "accuracy.md"
HEADER = (
    "| case, preset | metric | FP32 | drop, ours | drop, NNCF | 95 % interval, ours | NNCF |\n"
    f"|{'---|' * 7}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One case under one preset; the first metric of its recipe."""

    case: str
    preset: str
    ours: MetricValue
    nncf: MetricValue


def compare(name: str, presets: tuple[str, ...]) -> Iterator[Comparison]:
    """A case of the zoo under each preset."""
    place, case = ROOT / "build" / "bench" / name, CASES[name].open(None)
    folder.write(place, case.model, case.samples)
    for preset in presets:
        options = ["--preset", preset]
        options += ["--model-type", case.model_type] if case.model_type else []
        for side, module in SIDES.items():
            child(module, place, place / f"{side}.xml", *options)
        found = {side: _measured(name, side) for side in SIDES}
        yield Comparison(case=name, preset=preset, **found)


def _measured(name: str, side: str) -> MetricValue:
    """The recipe's first metric, of FP32 and of one side's model."""
    (recipe,) = read(RECIPES / f"{name}.yaml")
    place = ROOT / "build" / "bench" / name
    fp32, quantized = load_model(place / folder.MODEL), core().read_model(place / f"{side}.xml")
    data = open_dataset(recipe.datasets["validation"], model_inputs(fp32))
    (metric, *_), kinds = make_metrics(recipe).items(), {m.name: m.metric for m in recipe.metrics}
    outcomes = evaluate(fp32, quantized, data, dict([metric])).outcomes[metric[0]]
    before, after = (quantity(metric[1], each) for each in (outcomes.fp32, outcomes.quantized))
    return metric_value(kinds[metric[0]], before, after)


def row(found: Comparison) -> str:
    """One line of the table."""
    ours, nncf = found.ours, found.nncf
    cells = (
        f"{found.case}, {found.preset}",
        f"{ours.metric}, {ours.n} samples",
        f"{ours.fp32:.4f}",
        *(f"{each.drop:.4f}" for each in (ours, nncf)),
        *(_interval(each) for each in (ours, nncf)),
    )
    return f"| {' | '.join(cells)} |"


def _interval(found: MetricValue) -> str:
    return "-" if found.ci95 is None else f"{found.ci95[0]:.4f} to {found.ci95[1]:.4f}"


def main() -> None:
    zoo = tuple(name for name in available() if isinstance(CASES[name], Zoo))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(zoo)}")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=PRESETS)
    given = parser.parse_args()
    if not zoo:
        parser.error("set RECIPE_ROOT_ZOO to the folder of the zoo's models and data")
    if unknown := set(given.cases) - set(zoo):
        parser.error(f"no such cases: {', '.join(sorted(unknown))}; there are {', '.join(zoo)}")
    lines = [f"{machine()}, NNCF {version('nncf')}; inference precision f32.", "", HEADER]
    print("\n".join(lines), flush=True)
    drops = []
    for name in given.cases or zoo:
        for found in compare(name, tuple(given.presets)):
            lines.append(row(found))
            print(lines[-1], flush=True)
            drops.append((found.ours.drop, found.nncf.drop))
    ours, nncf = (sum(side) / len(drops) for side in zip(*drops, strict=True))
    lines.append(f"| mean of drops | | | {ours:.4f} | {nncf:.4f} | | |")
    print(lines[-1])
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
