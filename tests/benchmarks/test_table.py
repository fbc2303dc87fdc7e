"""Measurements as people and programs read them."""

from __future__ import annotations

import dataclasses
import json

from benchmarks import table
from tests.benchmarks.measured import MEASURED, rounds

STEADY = dataclasses.replace(MEASURED, rounds=rounds(1.0, 1.0, 1.0))


def test_a_row_has_medians_and_extremes() -> None:
    assert table.row(STEADY) == (
        "| tiny, performance, 8 | 1 | 2 | 8 | 2.00 (2.00-2.00) | 8.00 (8.00-8.00) "
        "| 0.25 (0.25-0.25) | 0.30 (0.30-0.30) | 100 | 0.50 (0.50-0.50) | 1.00 (0.98-1.02) |"
    )


def test_all_rows_are_as_wide_as_the_header() -> None:
    lines = [*table.HEADER.splitlines(), table.row(MEASURED)]
    assert {line.count("|") for line in lines} == {len(table.COLUMNS) + 1}


def test_doubt_is_said_in_the_row_and_below_the_table() -> None:
    page = table.markdown([STEADY, MEASURED], "here")
    assert page.startswith("here\n\n| case")
    assert page.count("(in doubt)") == 1
    assert page.endswith(
        "\n\n- tiny, performance: too noisy to tell: the floor's rounds differ by 100%, "
        "more than 10%.\n"
    )


def test_a_quiet_run_has_no_remarks() -> None:
    assert table.remarks([STEADY]) == ()


def test_json_holds_every_round_and_the_ratios() -> None:
    document = json.loads(table.as_json([MEASURED], "here"))
    (found,) = document["measurements"]
    assert [each["floor_s"] for each in found["rounds"]] == [1.0, 2.0, 1.0]
    assert found["ratios"]["quantize"] == {"median": 0.25, "low": 0.25, "high": 0.25}
    assert found["throughput_fps"][0] == [98.0, 100.0]
