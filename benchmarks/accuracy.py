"""What quantization costs in accuracy, ours beside NNCF's: the zoo, whole validation sets.

    RECIPE_ROOT_ZOO=path/to/zoo make bench-accuracy
    RECIPE_ROOT_ZOO=path/to/zoo make bench-accuracy CASES="minilm" PRESETS=mixed DRAWS=6

Both sides quantize the same model on the same samples with their defaults, each in a process of its
own; their models and FP32 are then evaluated by the recipe's metric, in f32, on the same samples.
A drop by a few samples is a draw: with DRAWS both sides quantize on as many random subsets of the
calibration samples as well, and the means tell what to expect.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

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
DRAWN = 0.8
"""The share of the calibration samples that a draw takes: few enough for other ranges, enough for
what a user would calibrate on."""
DRAWN_HEADER = f"| case, preset | mean drop, ours | NNCF | drops, ours | NNCF |\n|{'---|' * 5}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One case under one preset; the first metric of its recipe."""

    case: str
    preset: str
    ours: MetricValue
    nncf: MetricValue


def compare(name: str, presets: Sequence[str], draw: int | None = None) -> Iterator[Comparison]:
    """A case of the zoo under each preset.

    Args:
        draw: the seed of a subset of the calibration samples; None takes all.
    """
    place, case = ROOT / "build" / "bench" / name, CASES[name].open(None)
    samples = case.samples if draw is None else drawn(case.samples, draw)
    folder.write(place, case.model, samples)
    for preset in presets:
        options = ["--preset", preset]
        options += ["--model-type", case.model_type] if case.model_type else []
        for side, module in SIDES.items():
            child(module, place, place / f"{side}.xml", *options)
        found = {side: _measured(name, side) for side in SIDES}
        yield Comparison(case=name, preset=preset, **found)


def drawn(samples: folder.Samples, seed: int) -> folder.Samples:
    """A random subset of the samples, in their order.

    >>> len(drawn([[]] * 10, seed=0))
    8
    """
    count = round(DRAWN * len(samples))
    chosen = np.random.default_rng(seed).choice(len(samples), count, replace=False)
    return [samples[i] for i in np.sort(chosen)]


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


def drawn_row(found: Sequence[Comparison]) -> str:
    """One line of the table of draws, all of the same case and preset: means, and the standard
    deviation of the draws over the root of their number."""
    sides = [[each.ours.drop for each in found], [each.nncf.drop for each in found]]
    cells = (
        f"{found[0].case}, {found[0].preset}",
        *(
            f"{np.mean(side):.4f} +- {np.std(side, ddof=1) / len(side) ** 0.5:.4f}"
            for side in sides
        ),
        *(" ".join(f"{drop:.4f}" for drop in side) for side in sides),
    )
    return f"| {' | '.join(cells)} |"


def _interval(found: MetricValue) -> str:
    return "-" if found.ci95 is None else f"{found.ci95[0]:.4f} to {found.ci95[1]:.4f}"


def table(cases: Sequence[str], presets: Sequence[str], draws: int) -> Iterator[str]:
    """The lines, each as soon as it is measured."""
    yield from (f"{machine()}, NNCF {version('nncf')}; inference precision f32.", "", HEADER)
    drops = []
    for name in cases:
        for found in compare(name, presets):
            yield row(found)
            drops.append((found.ours.drop, found.nncf.drop))
    ours, nncf = (sum(side) / len(drops) for side in zip(*drops, strict=True))
    yield f"| mean of drops | | | {ours:.4f} | {nncf:.4f} | | |"
    if draws:
        yield from ("", DRAWN_HEADER)
        for name in cases:
            found_in = [list(compare(name, presets, draw)) for draw in range(draws)]
            yield from map(drawn_row, zip(*found_in, strict=True))


def main() -> None:
    zoo = tuple(name for name in available() if isinstance(CASES[name], Zoo))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(zoo)}")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=PRESETS)
    parser.add_argument("--draws", type=int, default=0, help="random subsets of the samples")
    given = parser.parse_args()
    if not zoo:
        parser.error("set RECIPE_ROOT_ZOO to the folder of the zoo's models and data")
    if unknown := set(given.cases) - set(zoo):
        parser.error(f"no such cases: {', '.join(sorted(unknown))}; there are {', '.join(zoo)}")
    if given.draws < 0 or given.draws == 1:
        parser.error("--draws: one draw tells no spread; take two or more, or 0 for none")
    lines = []
    for line in table(given.cases or zoo, given.presets, given.draws):
        print(line, flush=True)
        lines.append(line)
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")  # hours may be cut short


if __name__ == "__main__":
    main()
