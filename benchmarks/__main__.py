"""Quantization against NNCF and against the floor: one run, in turns, in f32.

    make bench
    make bench CASES="yolox_nano minilm" ROUNDS=3 PRESETS="performance mixed"

A case is skipped where it is of the zoo and RECIPE_ROOT_ZOO is not set.
"""

from __future__ import annotations

import argparse
from importlib.metadata import version
from pathlib import Path

from benchmarks import folder, table
from benchmarks.cases import CASES, available
from benchmarks.child import ROOT, child, machine
from benchmarks.measurement import Call, Measurement, Round

RESULTS = ROOT / "build" / "bench"
PRESETS = ("performance", "mixed")
ROUNDS, PAIRS = 5, 9


def main() -> None:
    given = _arguments()
    environment = _environment(given)
    found: list[Measurement] = []
    print(f"{environment}\n\n{table.HEADER}", flush=True)
    for name in given.cases or available():
        for measurement in _measure(name, given):
            print(table.row(measurement), flush=True)
            found.append(measurement)
            _write(found, environment)
    print("", *table.remarks(found), f"Written to {RESULTS}.", sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"{ROUNDS} by default")
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"{PAIRS} by default")
    parser.add_argument("--samples", type=int, help="instead of each case's own number")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=PRESETS[:1])
    given = parser.parse_args()
    if unknown := set(given.cases) - set(available()):
        parser.error(
            f"no such cases: {', '.join(sorted(unknown))}; there are {', '.join(available())}"
            " (those of the zoo need RECIPE_ROOT_ZOO)"
        )
    return given


def _measure(name: str, given: argparse.Namespace) -> list[Measurement]:
    """The case under each preset."""
    place = RESULTS / name
    case = CASES[name].open(given.samples)
    folder.write(place, case.model, case.samples)
    count, model_type = len(case.samples), case.model_type
    del case  # nothing of it is in memory while others are measured
    found = []
    for preset in given.presets:
        options = ["--preset", preset, *(["--model-type", model_type] if model_type else [])]
        rounds = [_round(place, options, is_reversed=i % 2 == 1) for i in range(given.rounds)]
        fps, _ = child("throughput", place, *_outputs(place), given.pairs)
        pairs = tuple((a, b) for a, b in fps["throughput_fps"])
        found.append(
            Measurement(
                case=name,
                preset=preset,
                sample_count=count,
                rounds=tuple(rounds),
                throughput_fps=pairs,
            )
        )
    return found


def _outputs(place: Path) -> tuple[Path, Path]:
    return place / "ours.xml", place / "nncf.xml"


def _round(place: Path, options: list[str], *, is_reversed: bool) -> Round:
    """Floor, ours and NNCF, each in a new process, or the other way round."""
    our_model, their_model = _outputs(place)
    commands: dict[str, tuple[object, ...]] = {
        "floor": ("floor", place),
        "ours": ("ours", place, our_model, *options),
        "nncf": ("peer", place, their_model, *options),
    }
    order = reversed(commands) if is_reversed else iter(commands)
    found = {name: child(*commands[name]) for name in order}
    ours, nncf = (Call(process_s=found[name][1], **found[name][0]) for name in ("ours", "nncf"))
    return Round(floor_s=found["floor"][0]["floor_s"], ours=ours, nncf=nncf)


def _environment(given: argparse.Namespace) -> str:
    """One sentence on where and how figures came about."""
    return (
        f"{machine()}, NNCF {version('nncf')}; inference precision f32, batch "
        f"1. Medians of rounds ({given.rounds}) and of pairs of the int8 models ({given.pairs}), "
        "extremes in brackets."
    )


def _write(found: list[Measurement], environment: str) -> None:
    """After every case, so that a run that is interrupted leaves what it has."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "results.json").write_text(table.as_json(found, environment), encoding="utf-8")
    (RESULTS / "results.md").write_text(table.markdown(found, environment), encoding="utf-8")


if __name__ == "__main__":
    main()
