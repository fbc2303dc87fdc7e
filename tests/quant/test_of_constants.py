"""What is computed from constants alone stays in floating point."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quant.plan import Status
from quant.runtime import opset, ov
from quant.target import Target
from tests import models
from tests.quant.results import outputs_db, run

WIDTH, QUERIES = 32, 10


def norm(x: Any, name: str) -> ov.Node:
    found = models.named(opset.mvn(x, np.array([2]), True, 1e-5, "inside_sqrt"), name)
    scales = np.linspace(0.5, 1.5, WIDTH, dtype=np.float32).reshape(1, 1, -1)
    return opset.add(opset.multiply(found, opset.constant(scales)), np.float32(0.1))


def decoder() -> ov.Model:
    """DETR's: queries that attend to each other before they see the picture."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 64, WIDTH)
    drawn = rng.standard_normal((1, QUERIES, WIDTH)).astype(np.float32)
    queries = models.constant(drawn, "queries")
    head = opset.reshape(queries, np.array([1, 1, QUERIES, WIDTH]), False)
    attended = opset.scaled_dot_product_attention(head, head, head)
    attended = opset.reshape(attended, np.array([1, QUERIES, WIDTH]), False)
    own = norm(opset.add(queries, attended), "norm_of_queries")
    keys, values = (models.linear(rng, x, (WIDTH, WIDTH), each) for each in ("keys", "values"))
    asked = opset.multiply(models.linear(rng, own, (WIDTH, WIDTH), "asked"), np.float32(0.18))
    weights = opset.softmax(opset.matmul(asked, keys, False, True), 2)
    told = models.linear(rng, opset.matmul(weights, values, False, False), (WIDTH, WIDTH), "told")
    joined = models.named(opset.add(own, told), "sum")
    return models.finish([models.linear(rng, norm(joined, "norm"), (5, WIDTH), "out")], [x])


@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_queries_of_a_decoder(cpu: Target, preset: str) -> None:
    model = decoder()
    result = run(model, cpu, preset=preset)
    fates = {each.plan.name: each.plan for each in result.operations}
    assert fates["sum"].status is Status.QUANTIZED
    for name in ("norm_of_queries", "asked"):
        assert fates[name].reason == "is computed from constants alone"
    assert outputs_db(model, result.model, models.samples(model, 8, seed=1))[0] > 32
