"""How time and memory grow with samples and with operations.

    make bench-scale

Writes `scale.json`, the tables `scale.md` and the plots `scale_samples.svg` and
`scale_operations.svg` to docs/. Let nothing else run.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import folder
from benchmarks.child import ROOT, child, machine
from benchmarks.plot import plot
from tests import models
from tests.networks import GROWING, mobilenet_v2

SAMPLES = (100, 300, 1000, 3000)
OPERATIONS = (100, 300, 1000, 3000, 10_000)
FEW, MANY = 300, 3000
"""Samples between which memory is compared."""

CALLS = {"default": "ours", "median": "ours_median"}
"""Range estimators, and the modules that quantize with them."""

Curves = Mapping[str, Sequence[tuple[float, float]]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, nargs="+", default=SAMPLES)
    parser.add_argument("--operations", type=int, nargs="+", default=OPERATIONS)
    parser.add_argument("--output", type=Path, default=ROOT / "docs")
    given = parser.parse_args()
    seconds, growth = of_samples(given.samples)
    phases = of_operations(given.operations)
    content = {
        "environment": f"{machine()}; f32, batch 1, preset performance",
        "samples_s": seconds,
        "growth_bytes": growth,
        "operations_s": phases,
    }
    write(given.output, content)


def of_samples(counts: Sequence[int]) -> tuple[Curves, dict[str, dict[int, int]]]:
    """Seconds of a pass and of the whole call, and growth of peak memory, by samples; of a
    MobileNetV2 at pictures of 64 x 64, each in a process of its own."""
    model = mobilenet_v2(width=32, side=64, classes=1000)
    place = ROOT / "build" / "bench" / "scale"
    seconds: dict[str, list[tuple[float, float]]] = {"floor": [], "quantize": []}
    growth: dict[str, dict[int, int]] = {name: {} for name in CALLS}
    for count in counts:
        folder.write(place, model, models.samples(model, count))
        seconds["floor"].append((count, child("floor", place)[0]["floor_s"]))
        for name in CALLS if count in (FEW, MANY) else ["default"]:
            words = (CALLS[name], place, place / "ours.xml", "--preset", "performance")
            found = child(*words)[0]
            growth[name][count] = found["growth_bytes"]
            if name == "default":
                seconds["quantize"].append((count, found["quantize_s"]))
        print(
            f"{count} samples: {seconds['floor'][-1][1]:.2f} s, {seconds['quantize'][-1][1]:.2f} s"
        )
    return seconds, growth


def of_operations(counts: Sequence[int]) -> dict[str, Curves]:
    """Seconds of each phase by operations, of each network that grows."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {name: {} for name in GROWING}
    for network, curves in found.items():
        for count in counts:
            phases = child("phases", network, count)[0]
            print(f"{network}, {count} operations: {phases}", flush=True)
            for phase, seconds in phases.items():
                curves.setdefault(phase, []).append((count, seconds))
    return found


def exponent(curve: Sequence[tuple[float, float]]) -> float:
    """The slope of a curve over logarithmic axes: 1 where it is linear.

    >>> round(exponent([(1, 5), (10, 50), (100, 500)]), 6)
    1.0
    """
    x, y = np.log(np.array(curve, dtype=np.float64)).T
    return float(np.polyfit(x, y, 1)[0])


def write(output: Path, content: dict[str, Any]) -> None:
    """The figures as JSON, as tables and as plots."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "scale.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (output / "scale.md").write_text(markdown(content), encoding="utf-8")
    titles = {"samples": "MobileNetV2, 64 x 64", "operations": "residual blocks"}
    curves = {"samples": content["samples_s"]}
    curves["operations"] = content["operations_s"]["residual_blocks"]
    for name, title in titles.items():
        named = {f"{key}: n^{exponent(each):.2f}": each for key, each in curves[name].items()}
        svg = plot(title, name, "seconds", named)
        (output / f"scale_{name}.svg").write_text(svg, encoding="utf-8")


def markdown(content: dict[str, Any]) -> str:
    """The page: seconds by samples, memory, seconds by operations, each with its exponent."""
    growth = content["growth_bytes"]
    lines = ["# Scale", "", "By `make bench-scale`.", f"{content['environment']}.", ""]
    lines += ["## Samples", "", "MobileNetV2 at pictures of 64 x 64, seconds.", ""]
    lines += _table("samples", content["samples_s"])
    lines += ["", "![Seconds by samples](scale_samples.svg)", "", "## Memory", ""]
    lines += ["Growth of peak memory over the call, MiB; samples are in memory before.", ""]
    lines += [f"| estimator | {FEW} samples | {MANY} samples | ratio |", "|---|---|---|---|"]
    for name, sizes in growth.items():
        if {FEW, MANY} <= sizes.keys():
            few, many = sizes[FEW] / 2**20, sizes[MANY] / 2**20
            lines.append(f"| {name} | {few:.1f} | {many:.1f} | {many / few:.2f} |")
    lines += ["", "## Operations", "", "Two samples, seconds. `compile`: OpenVINO compiles the"]
    lines += ["model as it is, for comparison with `collect`, which compiles it with reductions."]
    for network, curves in content["operations_s"].items():
        lines += ["", f"### {network}", "", *_table("operations", curves)]
    return "\n".join([*lines, "", "![Seconds by operations](scale_operations.svg)", ""])


def _table(what: str, curves: Curves) -> list[str]:
    """One line per size, and the exponents in the last one."""
    sizes = sorted({x for curve in curves.values() for x, _ in curve})
    found = [dict(curve) for curve in curves.values()]
    rows = [[f"{size:,}", *(_cell(each.get(size)) for each in found)] for size in sizes]
    rows.append(["exponent", *(f"{exponent(curve):.2f}" for curve in curves.values())])
    lines = [[what, *curves], ["---"] * (1 + len(curves)), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _cell(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.3g}"


if __name__ == "__main__":
    main()
