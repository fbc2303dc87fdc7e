"""MatMuls whose weights stand first compile in integers, whatever reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import quant
from quant.errors import ParameterError
from quant.plan import MinMaxPlan
from quant.runtime import opset, ov
from quant.scheme import Granularity
from quant.target import Target
from tests import models
from tests.models import constant, finish, named, parameter
from tests.quant.results import outputs_db

BIASES: dict[str, Any] = {
    "none": None,
    "one number": 0.5,
    "rows": np.ones((1, 8, 1), np.float32),
    "columns": np.ones((1, 1, 12), np.float32),
    "all": np.ones((1, 8, 12), np.float32),
}


def mixed_rows(batch: int, bias: str, reader: str) -> ov.Model:
    """A matrix times a sequence of 8 channels, for a layer."""
    rng, x = np.random.default_rng(0), parameter("x", batch, 8, 12)
    weights = [constant(models.normal(rng, 8, 8, fan_in=8), name) for name in "vw"]
    rows: Any = named(opset.matmul(weights[0], x, False, False), "rows")
    added = BIASES[bias]
    if added is not None:
        rows = opset.add(rows, constant(added, "bias"))
    if reader == "conv":
        return finish([models.conv(rng, rows, (8, 8, 3), "end")], [x])
    return finish([opset.matmul(weights[1], models.relu(rows, "relu"), False, False)], [x])


@pytest.mark.parametrize("batch", [1, -1])
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("reader", ["conv", "matrix"])
def test_a_quantizer_below_compiles(batch: int, bias: str, reader: str, cpu: Target) -> None:
    model = mixed_rows(batch, bias, reader)
    rng = np.random.default_rng(1)
    given = [[rng.standard_normal((1, 8, 12)).astype(np.float32)] for _ in range(24)]
    result = quant.quantize(model, given, target=cpu)
    assert outputs_db(model, result.model, given)[0] > 30


def test_a_scale_per_row_that_does_not_compile_is_refused(cpu: Target) -> None:
    asked = {"layers": [{"names": ["rows"], "granularity": "perchannel"}]}
    for bias in ("rows", "none"):
        model = quant.load_model(mixed_rows(1, bias, "conv"))
        step = quant.Step(use="MinMaxQuantization", parameters={"weights": asked})
        if bias == "rows":
            quant.resolve(model, [step], cpu)
            continue
        with pytest.raises(
            ParameterError, match="can't run weights of MatMul 'rows' with granularity"
        ):
            quant.resolve(model, [step], cpu)


@pytest.mark.parametrize(
    ("bias", "expected"),
    [
        *((bias, "PERTENSOR") for bias in ("none", "one number", "columns", "all")),
        ("rows", "PERCHANNEL"),
    ],
)
def test_rows_have_scales_of_their_own_where_they_have_a_bias(
    bias: str, expected: str, cpu: Target
) -> None:
    step = quant.Step(use="MinMaxQuantization")
    model = quant.load_model(mixed_rows(1, bias, "conv"))
    plan = quant.resolve(model, [step], cpu).steps[0]
    assert isinstance(plan, MinMaxPlan)
    (rows,) = (each for each in plan.weights if each.name.startswith("rows"))
    assert rows.scheme.granularity is Granularity[expected]
    assert bool(rows.channel_axes) is (expected == "PERCHANNEL")
