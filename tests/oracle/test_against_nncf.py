"""Placement, ranges and outputs against NNCF's, on small graphs and on random compositions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

import quant
from quant.plan import PortRef, SmoothPlan
from quant.runtime import ov
from tests.models import BUILDERS
from tests.oracle.compositions import composition
from tests.oracle.differences import (
    OURS_ONLY,
    RANGES,
    THEIRS_ONLY,
    Difference,
    explained,
)
from tests.oracle.peer import CPU, Range, Side, both

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

PRESETS = ("performance", "mixed")
COMPOSITIONS = 12
TRANSFORMERS = (
    *("encoder_sdpa", "encoder_softmax", "encoder_attention", "matmul", "matmul_of_two"),
    *("embedding", "rotary"),
)
DRAWS = 6
"""Sets of samples that noise is averaged over: on single ones the two differ by up to 4 dB either
way."""
SLACK_DB = 0.5
"""How much worse an output may be: what is left of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One model under one preset."""

    model: str
    preset: str
    model_type: str | None = None

    @property
    def id(self) -> str:
        """What pytest shows."""
        return ".".join(part for part in (self.model, self.preset, self.model_type) if part)


CASES = [
    *(Case(model=model, preset=preset) for model in BUILDERS for preset in PRESETS),
    *(Case(model=name, preset="mixed", model_type="transformer") for name in TRANSFORMERS),
    *(
        Case(model=f"composition{seed}", preset=preset)
        for seed in range(COMPOSITIONS)
        for preset in PRESETS
    ),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def build(name: str) -> ov.Model:
    found = re.fullmatch(r"composition(\d+)", name)
    return composition(int(found[1])) if found else BUILDERS[name]()


@cache
def sides(case: Case, seed: int = 0) -> tuple[Side, Side]:
    return both(build(case.model), case.preset, case.model_type, seed=seed)


def expected(rows: tuple[Difference, ...], case: Case) -> set[str]:
    found = explained(rows, case.model, case.preset, case.model_type)
    return {name for row in found for name in row.inputs}


def shown(ports: set[PortRef]) -> set[str]:
    return {f"{port.op}:{port.port}" for port in ports}


@every_case
def test_the_same_inputs_are_quantized(case: Case) -> None:
    ours, theirs = (set(side.ranges) for side in sides(case))
    assert shown(ours - theirs) == expected(OURS_ONLY, case)
    assert shown(theirs - ours) == expected(THEIRS_ONLY, case)


@every_case
def test_ranges_are_the_same(case: Case) -> None:
    """But for the quiet channels that NNCF widens, and what SmoothQuant scales.

    Our alphas are chosen per group of layers, and stand in the quantizer's ranges.
    """
    ours, theirs = sides(case)
    smoothed = smoothed_operations(case)
    different = {
        port
        for port in ours.ranges.keys() & theirs.ranges.keys()
        if port.op not in smoothed and not agree(ours.ranges[port], theirs.ranges[port])
    }
    assert shown(different) == expected(RANGES, case)


def smoothed_operations(case: Case) -> set[str]:
    if case.model_type is None:
        return set()
    parameters = {"preset": case.preset, "model_type": case.model_type}
    step = quant.Step(use="DefaultQuantization", parameters=parameters)
    plan = quant.resolve(quant.load_model(build(case.model)), [step], CPU)
    groups = [g for step in plan.steps if isinstance(step, SmoothPlan) for g in step.groups]
    return {reader.operation for group in groups for reader in group.readers}


def agree(ours: Range, theirs: Range) -> bool:
    """Whether two ranges are the same to f32's precision, or differ by NNCF's floor for quiet
    channels: no symmetric one below 1 % of the widest or 8e-5, no asymmetric one below 8e-4."""
    if ours.low.shape != theirs.low.shape:
        return False
    slack = 1e-5 * np.maximum(theirs.high - theirs.low, 1e-6)
    off = np.maximum(np.abs(ours.low - theirs.low), np.abs(ours.high - theirs.high))
    floor = np.maximum(0.01 * theirs.high.max(), 8e-5)
    is_floor = np.isclose(theirs.high, floor, rtol=1e-5) | (theirs.high - theirs.low <= 2.4e-3)
    return bool(((off <= slack) | is_floor).all())


@every_case
def test_outputs_are_as_close_to_fp32(case: Case) -> None:
    draws = [[side.sqnr_db for side in sides(case, seed)] for seed in range(DRAWS)]
    ours, theirs = np.mean(draws, axis=0)
    assert (ours >= theirs - SLACK_DB).all(), f"ours {ours}, NNCF {theirs}"


@pytest.mark.parametrize("name", ["conv_relu_conv", "two_inputs", "depthwise", "conv_1d", "split"])
def test_first_layers_are_halved_alike(name: str) -> None:
    ours, theirs = both(BUILDERS[name](), "performance", is_first_layer_halved=True)
    assert ours.ranges.keys() == theirs.ranges.keys()
    for port in ours.ranges:
        widest = ours.ranges[port].high, theirs.ranges[port].high
        # 7 bits of a range and its 8 bits halved differ by 127/126 at most
        np.testing.assert_allclose(*(np.max(each) for each in widest), rtol=0.01)
