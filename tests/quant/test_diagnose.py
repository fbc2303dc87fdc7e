"""What a diagnosis measures agrees with running both models by themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import quant
import runner
from quant.runtime import opset
from quant.scheme import Mode, Scheme
from quant.target import Support, Target
from tests import models
from tests.quant.results import W_SCHEME, content, outputs_db, quantized, run


@pytest.mark.parametrize(
    "name",
    [
        *("conv_relu_conv", "residual", "depthwise", "classifier", "concat", "split", "lstm"),
        *("encoder_sdpa", "encoder_attention", "embedding", "two_inputs", "two_outputs"),
    ],
)
def test_output_agrees_with_two_runs(name: str) -> None:
    result = quantized(name)
    samples = models.samples(result.fp32, 100)
    found = quant.diagnose(result, samples, size=100)
    expected = outputs_db(result.fp32, result.model, samples)
    np.testing.assert_allclose([each.sqnr_db for each in found.outputs], expected, atol=0.01)
    # where a sum is fused into a convolution, reading its terms rounds one of them once more
    np.testing.assert_allclose(
        [each.observed_sqnr_db for each in found.outputs], expected, atol=0.5
    )
    assert found.warnings == ()
    assert found.sample_count == len(samples)


def test_what_openvino_gets_wrong_in_the_model_alone_is_told(cpu: Target) -> None:
    """Scales per channel of convolutions of any length, which 2026.4.1 gets wrong for a length of
    1: no rule of ours leaves them out, since few models meet that."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 4, -1)
    above = models.relu(models.conv(rng, x, (16, 4, 3), "conv1"), "relu1")
    below = models.relu(models.conv(rng, above, (16, 16, 3), "conv2"), "relu2")
    model = models.finish([models.conv(rng, below, (5, 16, 1), "conv3")], [x])
    result = run(model, cpu)
    samples = [[sample[0][:, :, :1]] for sample in models.samples(model)]
    found = quant.diagnose(result, iter(samples))
    (output,) = found.outputs
    np.testing.assert_allclose(
        output.sqnr_db, outputs_db(model, result.model, samples)[0], atol=0.1
    )
    (warning,) = found.warnings
    assert f"output 'y0' has {output.sqnr_db:.1f} dB, but" in warning


@pytest.mark.parametrize("name", ["dynamic", "stateful", "conv_1d", "transposed_conv", "rotary"])
def test_every_layer_is_measured(name: str) -> None:
    result = quantized(name)
    found = quant.diagnose(result, models.samples(result.fp32))
    assert {layer.name: layer.reason for layer in found.layers if layer.sqnr_db is None} == {}
    assert all(set(layer.clipped) for layer in found.layers if layer.type != "Gather")


def test_last_layer_is_as_noisy_as_the_output() -> None:
    result = quantized("conv_relu_conv")
    found = quant.diagnose(result, models.samples(result.fp32))
    assert found.layers[-1].sqnr_db == found.outputs[0].sqnr_db


def test_worst_layer_comes_first() -> None:
    result = quantized("residual")
    found = quant.diagnose(result, models.samples(result.fp32)).worst
    noise = [layer.noise_share or 0 for layer in found]
    assert noise == sorted(noise, reverse=True)
    assert len(noise) > 1


def test_share_of_clipped_values(cpu: Target) -> None:
    model = models.conv_relu_conv()
    limits = {"min": {"clipping_value": -1.0}, "max": {"clipping_value": 1.0}}
    activations = {"range_estimator": limits, "mode": "asymmetric"}
    result = run(model, cpu, activations=activations)
    samples = models.samples(model)
    first = quant.diagnose(result, samples).layers[0]
    (low, high), x = next(iter(result.operations[0].ranges.values())), np.stack(samples)
    expected = float(((x < low) | (x > high)).mean())
    assert 0.2 < expected < 0.5
    assert first.clipped == {"x/fq_output_0": pytest.approx(expected, abs=1e-6)}


def test_models_are_not_changed() -> None:
    result = quantized("stateful")
    before = content(result.model), content(result.fp32)
    quant.diagnose(result, models.samples(result.fp32))
    assert (content(result.model), content(result.fp32)) == before


def test_reads_no_more_samples_than_asked() -> None:
    result, read = quantized("conv_relu_conv"), []

    def samples() -> Iterator[Any]:
        for i, sample in enumerate(models.samples(result.fp32)):
            read.append(i)
            yield sample

    assert quant.diagnose(result, samples(), size=3).sample_count == 3
    assert read == [0, 1, 2]


def test_what_was_not_measured_has_a_reason(cpu: Target) -> None:
    """Integers at an output, and an operation that reading would change."""
    x = models.parameter("x", 1, 8, 8, 8)
    rng = np.random.default_rng(0)
    hidden = models.relu(models.conv(rng, x, (8, 8, 3, 3), "conv1"), "relu1")
    pooled = opset.avg_pool(hidden, [2, 2], [0, 0], [0, 0], [2, 2], exclude_pad=False)
    models.named(pooled, "pooled")
    flat = models.reshape(models.conv(rng, pooled, (4, 8, 3, 3), "conv2"), [1, 64], "flat")
    best = opset.topk(flat, opset.constant(np.int64(1)), -1, "max", "value")
    result = run(models.finish([best.output(0), best.output(1)], [x]), cpu)
    found = quant.diagnose(result, models.samples(result.fp32))
    assert [each.sqnr_db is None for each in found.outputs] == [False, True]
    assert found.outputs[1].reason == "its values are i32, no floating-point numbers"
    reasons = {layer.name: layer.reason for layer in found.layers}
    assert reasons.pop("pooled").startswith("reading its result would change")
    assert set(reasons.values()) == {""}


def test_equal_models_have_no_noise() -> None:
    result = quantized("nothing_to_quantize")
    (output,) = quant.diagnose(result, models.samples(result.fp32)).outputs
    assert (output.sqnr_db, output.reason) == (np.inf, "no noise at all")


def test_no_samples_is_an_error() -> None:
    with pytest.raises(quant.SamplesError, match="no calibration samples"):
        quant.diagnose(quantized("conv_relu_conv"), [])


def test_aligned_layers_are_compared_with_what_they_compute_now(cpu: Target) -> None:
    """Alignment changes what a producer hands on; that is no noise."""
    model = models.concat_then_convs()
    result = run(model, cpu)
    assert result.outcomes["align conv_d -> conv_e"] != "none"
    noise = [layer.sqnr_db or 0 for layer in quant.diagnose(result, models.samples(model)).layers]
    assert min(noise) > 20


def test_layers_that_do_not_run_in_integers(cpu: Target) -> None:
    """With two streams OpenVINO's CPU plugin gets them wrong every other time: 0 dB."""
    wide = Support(activations=(Scheme(bits=16, mode=Mode.ASYMMETRIC),), weights=(W_SCHEME,))
    target = dataclasses.replace(cpu, isa=None, operations={"MatMul": wide})
    model = models.matmul_weights_first()
    result, given = run(model, target), models.samples(model)
    found = [quant.diagnose(result, given).outputs[0].sqnr_db or 0 for _ in range(6)]
    assert min(found) > 40


def test_a_result_of_one_number_has_no_bias(cpu: Target) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 8)
    above = models.relu(models.linear(rng, x, (8, 8), "linear"), "relu")
    vector = models.constant(models.normal(rng, 8, fan_in=8), "vector")
    product = opset.matmul(opset.squeeze(above, np.array([0])), vector, False, False)
    model = models.finish([models.named(product, "product")], [x])
    samples = models.samples(model, 20)
    result = quant.quantize(model, samples, target=cpu)
    (output,) = quant.diagnose(result, samples).outputs
    assert output.sqnr_db is not None
    assert output.sqnr_db > 20


@pytest.mark.parametrize("target", ["gna", "gna3"])
def test_constants_that_devices_compute_with_are_no_biases(target: str) -> None:
    """A Multiply and an Add are operations of their own there, each with noise of its own."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 8)
    scaled = models.named(opset.multiply(x, models.constant(0.3, "third")), "scaled")
    moved = models.named(opset.add(scaled, models.constant(0.7, "most")), "moved")
    model = models.finish([models.linear(rng, moved, (4, 8), "linear")], [x])
    samples = models.samples(model, 20)
    result = quant.quantize(model, samples, target=runner.load_target(target))
    found = {each.name: each for each in quant.diagnose(result, samples).layers}
    assert {"scaled", "moved", "linear"} <= found.keys()
    assert all(each.noise_share is not None for each in found.values())
