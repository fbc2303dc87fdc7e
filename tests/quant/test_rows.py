"""Tables whose rows are quantized again behind the lookup."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import quant
from quant.runtime import opset, ov
from quant.scheme import Granularity
from quant.target import Target
from tests import models
from tests.models import constant, linear, named, normal, parameter
from tests.quant.results import nodes_of, run, sqnr_db

PRESETS = ("performance", "mixed")


def table_scheme(result: quant.Result, name: str) -> Any:
    return next(each.plan.weights for each in result.operations if each.plan.name == name)


def quantizer(model: ov.Model) -> Any:
    """The only quantizer of activations."""
    (found,) = (node for node in model.get_ops() if node.get_type_name() == "FakeQuantize")
    return found


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", ["embedding_to_linear", "two_embeddings"])
def test_rows_are_rounded_once(name: str, preset: str, cpu: Target) -> None:
    """45 dB and more; with two roundings of two kinds 33 and 30 on two tables."""
    model = models.BUILDERS[name]()
    samples = models.samples(model, 32)
    result = run(model, cpu, preset=preset, saturation_fix="no")
    expected, found = (
        np.array(models.evaluate_all(each, samples)) for each in (model, result.model)
    )
    assert sqnr_db(expected, found) > 44.5


@pytest.mark.parametrize("preset", PRESETS)
def test_a_table_holds_levels_of_its_rows(preset: str, cpu: Target) -> None:
    """Its constant, quantized by what quantizes the rows, stays as it is."""
    model = run(models.BUILDERS["embedding_to_linear"](), cpu, preset=preset).model
    table = nodes_of(model)["embedding/fq_weights_0"]
    ends = [value.get_node() for value in quantizer(model).input_values()[1:]]
    requantized = opset.fake_quantize(table, *ends, levels=256)
    once, twice = models.evaluate(ov.Model([table, requantized], []), {})
    np.testing.assert_allclose(twice, once, rtol=0, atol=1e-6)


def test_rows_that_are_read_in_floating_point_keep_their_scales(cpu: Target) -> None:
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, kind=np.int64)
    table = constant(normal(rng, 10, 8, fan_in=1), "table")
    rows = named(opset.gather(table, x, opset.constant(np.int64(0))), "embedding")
    model = models.finish([linear(rng, rows, (8, 8), "linear"), opset.sin(rows)], [x])
    scheme = table_scheme(run(model, cpu, preset="performance"), "embedding")
    assert scheme.granularity is Granularity.PERCHANNEL


@pytest.mark.parametrize(
    "weights",
    [
        {"mode": "symmetric"},
        {"layers": [{"names": ["embedding"], "granularity": "perchannel"}]},
    ],
    ids=["all", "one"],
)
def test_what_is_asked_of_a_table_counts(weights: dict[str, Any], cpu: Target) -> None:
    model = models.BUILDERS["embedding_to_linear"]()
    result = run(model, cpu, preset="performance", weights=weights)
    assert table_scheme(result, "embedding").granularity is Granularity.PERCHANNEL


def test_a_clipping_value_of_activations_bounds_the_table(cpu: Target) -> None:
    model = models.BUILDERS["embedding_to_linear"]()
    sides = {"min": {"clipping_value": -0.5}, "max": {"clipping_value": 0.5}}
    result = run(model, cpu, activations={"range_estimator": sides})
    low, high = (quantizer(result.model).input_value(i).get_node().data.item() for i in (1, 2))
    assert -0.505 <= low <= high <= 0.505
