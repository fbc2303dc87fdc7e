"""The table of drops."""

from __future__ import annotations

from benchmarks.accuracy import Comparison, row
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
