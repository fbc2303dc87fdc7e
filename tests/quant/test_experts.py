"""Nets that look at some rows only: an expert may get none of a sample's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import quant
from quant.plan import Status
from quant.runtime import opset, ov
from quant.target import Target
from tests import models
from tests.quant.results import outputs_db, sqnr_db, status_of

CHANNELS, EXPERTS = 16, 3


def mixture() -> ov.Model:
    """Each row goes to one of three experts of two layers, and back to its place."""
    rng, x = np.random.default_rng(0), models.parameter("x", -1, CHANNELS)
    scores = models.linear(rng, x, (EXPERTS, CHANNELS), "route")
    k, axis = np.int64(1), 1
    chosen = opset.topk(scores, k, axis, "max", "value", index_element_type="i64").output(1)
    found: ov.Node = x
    for i in range(EXPERTS):
        places = opset.non_zero(opset.equal(chosen, opset.constant(np.array([[i]]))))
        rows = opset.gather(places, opset.constant(np.int64(0)), opset.constant(np.int64(0)))
        taken = opset.gather(x, rows, opset.constant(np.int64(0)))
        inner = opset.relu(models.linear(rng, taken, (2 * CHANNELS, CHANNELS), f"up{i}"))
        made = models.linear(rng, inner, (CHANNELS, 2 * CHANNELS), f"down{i}")
        where = opset.unsqueeze(rows, opset.constant(np.int64(1)))
        found = opset.scatter_nd_update(found, where, made)
    return models.finish([models.linear(rng, found, (4, CHANNELS), "out")], [x])


@pytest.mark.parametrize(
    "parameters", [{}, {"use_fast_bias": False}, {"use_layerwise_tuning": True}]
)
def test_an_expert_that_gets_no_row_of_some_samples(
    cpu: Target, parameters: dict[str, Any]
) -> None:
    model = mixture()
    result = quant.quantize(model, models.samples(model, 60), target=cpu, **parameters)
    kept = {name for name, status in status_of(result).items() if status is Status.QUANTIZED}
    assert {f"up{i}" for i in range(EXPERTS)} <= kept
    samples = models.samples(model, 20, seed=1)
    sides = (models.evaluate_all(each, samples) for each in (model, result.model))
    found = [sqnr_db(fp32, own) for (fp32,), (own,) in zip(*sides, strict=True)]
    assert np.median(found) > 25  # in some a row goes to another expert


def test_rows_that_go_to_another_expert_do_not_end_a_diagnosis(cpu: Target) -> None:
    model = mixture()
    result = quant.quantize(model, models.samples(model, 60), target=cpu)
    for seed in range(8):
        found = quant.diagnose(result, models.samples(model, 32, seed=seed))
        assert found.outputs[0].sqnr_db is not None
        (reason,) = {layer.reason for layer in found.layers if layer.name.startswith("up")}
        assert reason == "its length depends on values"


def chosen_rows() -> ov.Model:
    """A layer on the rows that hold a large value, of which a sample may have none."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 6, 16)
    hidden = models.relu(models.linear(rng, x, (16, 16), "a"), "a_relu")
    largest = opset.reduce_max(x, np.array([0, 2], np.int64), keep_dims=False)
    found = opset.non_zero(opset.greater(largest, np.float32(2.4)), output_type="i64")
    rows = opset.gather(hidden, opset.squeeze(found, np.array([0], np.int64)), np.int64(1))
    rows = models.relu(models.linear(rng, rows, (16, 16), "b"), "b_relu")
    total = opset.reduce_sum(rows, np.array([1], np.int64), keep_dims=True)
    both = models.named(opset.add(total, hidden), "both")
    return models.finish([models.linear(rng, both, (4, 16), "c")], [x])


def test_points_of_what_has_no_rows_tell_nothing(cpu: Target) -> None:
    """OpenVINO picks them from whatever is in memory."""
    samples = models.samples(chosen_rows(), 16)
    assert any(sample[0].max() <= 2.4 for sample in samples)
    result = quant.quantize(chosen_rows(), samples, target=cpu)
    ends = [end for each in result.operations for span in each.ranges.values() for end in span]
    assert max(ends) < 100
    assert min(outputs_db(chosen_rows(), result.model, samples)) > 25
