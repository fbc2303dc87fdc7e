from __future__ import annotations

from runner.benchmark import summarize
from runner.recipe.recipe import BenchmarkSource
from runner.report.report import Latency, Speed

SLOW = (100.0, [4.0, 4.0, 8.0])
ROUNDS = [
    (SLOW, (200.0, [2.0, 2.0, 2.0])),
    ((50.0, [8.0, 8.0, 8.0]), (150.0, [2.0, 2.0, 2.0])),
    (SLOW, (110.0, [4.0, 4.0, 4.0])),
]


def test_speedup_is_the_median_of_paired_ratios() -> None:
    found = summarize(ROUNDS, BenchmarkSource(seconds=1.0, repeats=3))
    assert (found.throughput_speedup, found.latency_speedup, found.speedup) == (2.0, 2.0, 2.0)
    assert found.fp32 == Speed(
        throughput_fps=100.0, latency_ms=Latency(median=8.0, p90=8.0), spread=0.5
    )


def test_speedup_is_that_of_the_hint() -> None:
    rounds = [(SLOW, (300.0, [2.0]))]
    assert summarize(rounds, BenchmarkSource(hint="latency")).speedup == 2.0
    assert summarize(rounds, BenchmarkSource(hint="throughput")).speedup == 3.0
