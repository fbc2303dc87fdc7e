"""Whose noise arrives at the outputs: by arithmetic, and against quantizing one operation alone."""

from __future__ import annotations

from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

import quant
import runner
from quant.diagnosis import sketch
from quant.diagnosis.diagnose import LayerDiagnosis
from quant.fold import unfolded
from quant.placement import place
from quant.runtime import ov
from quant.target import Target
from tests import models
from tests.quant.results import WIDE, nodes_of, quantized, run

CLIPPED = {"max": {"clipping_value": 0.1}, "min": {"clipping_value": -0.1}}


def layers(result: quant.Result) -> dict[str, LayerDiagnosis]:
    found = quant.diagnose(result, models.samples(result.fp32))
    return {layer.name: layer for layer in found.layers}


def chain(model_size: int = 4) -> ov.Model:
    """Convolutions with Relus between, one after the other."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 8, 8, 8)
    node: Any = x
    for i in range(model_size):
        node = models.relu(models.conv(rng, node, (8, 8, 3, 3), f"conv{i}"), f"relu{i}")
    return models.finish([node], [x])


def branches(size: float) -> ov.Model:
    """The sum of two convolutions, the first of them times `size`."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 8, 8, 8)
    small = models.relu(models.conv(rng, x, (8, 8, 3, 3), "small"), "relu")
    scaled = models.named(models.opset.multiply(small, np.float32(size)), "scaled")
    large = models.conv(rng, x, (8, 8, 3, 3), "large")
    return models.finish([models.named(models.opset.add(scaled, large), "sum")], [x])


@pytest.mark.parametrize("faulty", ["conv0", "conv1", "conv3"])
@pytest.mark.parametrize(("key", "share"), [("weights", 1.0), ("activations", 0.0)])
def test_faulty_layer_comes_first(cpu: Target, faulty: str, key: str, share: float) -> None:
    layer = {"names": [faulty], "range_estimator": CLIPPED}
    result = run(chain(), cpu, use_smooth_quant=False, **{key: {"layers": [layer]}})
    worst = quant.diagnose(result, models.samples(result.fp32)).worst[0]
    assert worst.name == faulty
    assert worst.noise_share == pytest.approx(1, abs=0.05)
    assert worst.weights_share == pytest.approx(share, abs=0.05)


def test_fault_that_hardly_reaches_the_output_does_not_come_first(cpu: Target) -> None:
    layer = {"names": ["small"], "range_estimator": CLIPPED}
    result = run(branches(1e-4), cpu, weights={"layers": [layer]})
    found = layers(result)
    assert (found["small"].own_sqnr_db or 0) < (found["large"].own_sqnr_db or 0) - 10
    assert (found["small"].noise_share or 0) < 0.01


def test_parts_are_those_of_the_arithmetic(cpu: Target) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 16)
    model = models.finish([models.linear(rng, x, (8, 16), "linear")], [x])
    result = run(model, cpu, use_smooth_quant=False, use_fast_bias=False, **WIDE)
    given = np.concatenate([sample[0] for sample in models.samples(model)])
    before = nodes_of(result.fp32)["linear"].input_value(1).get_node().data
    folded = unfolded(nodes_of(result.model)["linear/fq_weights_1"])
    assert folded is not None
    node = nodes_of(result.model)["x/fq_output_0"]
    low, high = (node.input_value(i).get_node().data for i in (1, 2))
    rounded = np.rint((np.clip(given, low, high) - low) / (high - low) * 255)
    quantized_x = rounded * (high - low) / 255 + low
    y, w, both = (
        a @ b.T for a, b in ((given, before), (given, folded.data), (quantized_x, folded.data))
    )
    weights, activations = (float(np.square(a - b).mean()) for a, b in ((w, y), (both, w)))
    found = layers(result)["linear"]
    assert found.weights_share == pytest.approx(weights / (weights + activations), rel=1e-3)
    assert found.noise_share == 1


@pytest.mark.parametrize("name", ["conv_relu_conv", "residual", "depthwise", "concat", "lstm"])
def test_shares_are_those_of_single_quantized_operations(name: str) -> None:
    result, true = quantized(name), alone(name)
    found = layers(result)
    total = sum(true.values())
    assert sum(each.noise_share or 0 for each in found.values()) == pytest.approx(1)
    for each in found.values():
        assert each.noise_share == pytest.approx(true[each.name] / total, abs=0.15)


@cache
def alone(name: str) -> dict[str, float]:
    """The noise of the outputs with one operation quantized at a time."""
    result = quantized(name)
    names = [each.name for each in layers(result).values()]
    samples = models.samples(result.fp32)
    before = models.evaluate_all(models.BUILDERS[name](), samples)
    found = {}
    for each in names:
        scope = [other for other in names if other != each]
        model = models.BUILDERS[name]()
        with patch.object(place, "lone", return_value={}):
            only = quant.quantize(
                model,
                samples,
                target=runner.load_target("cpu"),
                preset="mixed",
                ignored={"scope": scope},
                **WIDE,
            ).model
        after = models.evaluate_all(only, samples)
        found[each] = float(
            np.mean([np.square(a[0] - b[0]).mean() for a, b in zip(before, after, strict=True)])
        )
    return found


@pytest.mark.parametrize("name", ["encoder_attention", "rotary", "stateful", "split", "embedding"])
def test_shares_are_of_one_whole(name: str) -> None:
    found = [each.noise_share or 0 for each in layers(quantized(name)).values()]
    assert min(found) >= 0
    assert sum(found) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("make", ["conv", "linear"])
def test_sums_of_many_outputs_tell_the_parts(
    cpu: Target, make: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The estimate for layers with many outputs agrees with all of their outputs, where noise has
    many directions: rounding by the inputs' covariances leaves that of few."""
    rng = np.random.default_rng(0)
    if make == "conv":
        x = models.parameter("x", 1, 8, 8, 8)
        model = models.finish([models.conv(rng, x, (64, 8, 3, 3), "layer")], [x])
    else:
        x = models.parameter("x", 1, 16)
        model = models.finish([models.linear(rng, x, (64, 16), "layer")], [x])
    result = run(model, cpu, use_weight_rounding=False, **WIDE)
    estimate = layers(result)["layer"].weights_share
    monkeypatch.setattr(sketch, "SUMS", 64)
    assert estimate == pytest.approx(layers(result)["layer"].weights_share, abs=0.1)
