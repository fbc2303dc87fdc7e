"""The table of drops."""

from __future__ import annotations

import numpy as np

from benchmarks.accuracy import Comparison, drawn, drawn_row, row
from runner.report.report import MetricValue


def value(quantized: float, ci95: tuple[float, float] | None) -> MetricValue:
    return MetricValue(
        metric="accuracy",
        fp32=0.75,
        quantized=quantized,
        drop=0.75 - quantized,
        n=400,
        ci95=ci95,
        higher_is_better=True,
    )


def test_a_line_has_both_drops_and_their_intervals() -> None:
    found = Comparison(
        case="net", preset="mixed", ours=value(0.5, (0.1, 0.4)), nncf=value(0.875, None)
    )
    assert row(found) == (
        "| net, mixed | accuracy, 400 samples | 0.7500 | 0.2500 | -0.1250 | 0.1000 to 0.4000 | - |"
    )


def test_draws_are_averaged_with_the_standard_error_of_the_mean() -> None:
    found = [
        Comparison(case="net", preset="mixed", ours=value(ours, None), nncf=value(0.75, None))
        for ours in (0.5, 0.7)
    ]
    assert drawn_row(found) == (
        "| net, mixed | 0.1500 +- 0.1000 | 0.0000 +- 0.0000 | 0.2500 0.0500 | 0.0000 0.0000 |"
    )


def test_a_draw_is_most_of_the_samples_in_their_order_and_the_same_each_time() -> None:
    samples = [[np.array(i)] for i in range(20)]
    numbers = [[int(each[0]) for each in drawn(samples, seed)] for seed in (0, 0, 1)]
    assert numbers[0] == numbers[1] != numbers[2]
    assert all(len(each) == 16 and each == sorted(set(each)) for each in numbers)
