"""Quantizers of every width, compiled, against the arithmetic in numpy.

OpenVINO's low-precision transformations know 8 bits well; these tests are why other widths are
stored and computed as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import quant
import runner
from quant.emulation import quantizing
from quant.fake_quantize import activation_levels, quantize
from quant.runtime import F32, core, opset, ov
from quant.scheme import Granularity, Mode, Scheme
from quant.target import DEPTHWISE, Support, Target
from tests import models
from tests.quant.results import WIDE, nodes_of, sqnr_db

Array = NDArray[Any]

GNA = Scheme(bits=16, level_low=-32768, level_high=32767)
SCHEMES = [
    *(Scheme(bits=bits, mode=mode) for bits in (2, 4, 8, 16) for mode in Mode),
    Scheme(bits=16, level_low=-32767, level_high=32767),
    GNA,
]

STORED = {2: ov.Type.i4, 4: ov.Type.i4, 8: ov.Type.i8, 16: ov.Type.i16}

MODELS = ("conv_relu_conv", "depthwise", "matmul", "residual", "lstm", "embedding")


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize("reach", [0.01, 1, 300])
def test_a_quantizer_computes_what_numpy_does(scheme: Scheme, reach: float) -> None:
    """Equal but for values within 1 % of a step of a tie, where f32 may go either way."""
    x = (np.random.default_rng(0).standard_normal((1, 64, 8, 8)) * reach).astype(np.float32)
    levels = activation_levels(scheme, x.min() * 0.9, np.abs(x).max() * 0.9)
    source = models.parameter("x", *x.shape)
    found = models.evaluate(models.finish([quantizing(source.output(0), levels)], [source]), x)[0]
    step = float(levels.scale)
    position = (np.clip(x, levels.low, levels.high) - levels.low) / step
    is_tie = np.abs(position - np.floor(position) - 0.5) < 0.01
    assert is_tie.mean() < 0.05
    assert np.abs(found - quantize(x, levels))[~is_tie].max() < 0.01 * step
    assert np.abs(found - x).max() > 0.4 * step


def test_a_quantizer_behind_a_normalization_quantizes() -> None:
    """The CPU plugin fuses a FakeQuantize of 65,535 levels into MVN, which then is garbage."""
    x = np.random.default_rng(0).standard_normal((1, 6, 16)).astype(np.float32)
    levels = activation_levels(GNA, np.float32(-3), np.float32(3))
    source = models.parameter("x", 1, 6, 16)
    norm = opset.mvn(source, np.array([2]), True, 1e-5, "inside_sqrt")
    both = models.evaluate(models.finish([quantizing(norm.output(0), levels), norm], [source]), x)
    assert np.abs(both[0] - quantize(both[1], levels)).max() <= float(levels.scale) * 1.01


def made(weights: int, activations: int, granularity: Granularity, unified: bool = False) -> Target:
    """A user's own device: weights and activations of the given widths for everything."""
    support = Support(
        activations=(Scheme(bits=activations, mode=Mode.ASYMMETRIC), Scheme(bits=activations)),
        weights=(
            Scheme(bits=weights, granularity=granularity),
            Scheme(
                bits=weights,
                mode=Mode.ASYMMETRIC,
                granularity=granularity,
                unified_zero_point=unified,
            ),
        ),
    )
    types = ("Convolution", "GroupConvolution", DEPTHWISE, "MatMul", "Embedding", "LSTMSequence")
    return Target(name="made", operations={**dict.fromkeys(types, support), "Add": support})


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("weights", "activations"),
    [(2, 8), (4, 4), (4, 8), (8, 16), (16, 8), (16, 16), (4, 32)],
)
@pytest.mark.parametrize("preset", ["performance", "accuracy"])
def test_a_compiled_model_computes_its_own_arithmetic(
    name: str, weights: int, activations: int, preset: str
) -> None:
    """Against the same model with every quantizer spelled out and weights in f32; ties may fall
    either way, which is less than 1 % of the quantization noise."""
    if (name, weights, activations) == ("lstm", 16, 8):
        pytest.skip("the plugin's int8 cell quantizes the hidden state too")
    target = made(weights, activations, Granularity.PERCHANNEL)
    model = models.BUILDERS[name]()
    given = models.samples(model)
    result = quant.quantize(model, given, target=target, preset=preset, **WIDE)
    expected = outputs(spelled_out(result.model), given)
    assert sqnr_db(expected, outputs(result.model, given)) > 60


@pytest.mark.parametrize("name", ["encoder_softmax", "encoder_attention", "pot_toy", "concat"])
@pytest.mark.parametrize("target", ["gna", "gna3", "npu", "gpu"])
def test_shipped_targets_compute_their_own_arithmetic(name: str, target: str) -> None:
    model = models.BUILDERS[name]()
    given = models.samples(model)
    result = quant.quantize(model, given, target=runner.load_target(target), **WIDE)
    expected = outputs(spelled_out(result.model), given)
    assert sqnr_db(expected, outputs(result.model, given)) > 40


@pytest.mark.parametrize(("low", "high"), [(-127, 127), (-128, 126), (-64, 63), (0, 100)])
@pytest.mark.parametrize("mode", Mode)
def test_a_quantizer_of_some_of_256_levels_computes_what_numpy_does(
    low: int, high: int, mode: Mode
) -> None:
    x = np.random.default_rng(0).standard_normal((1, 4, 8, 8)).astype(np.float32)
    scheme = Scheme(mode=mode, level_low=low, level_high=high)
    levels = activation_levels(scheme, x.min() * 0.9, np.abs(x).max() * 0.9)
    source = models.parameter("x", *x.shape)
    found = models.evaluate(models.finish([quantizing(source.output(0), levels)], [source]), x)[0]
    assert sqnr_db(quantize(x, levels), found) > 60


@pytest.mark.parametrize("name", ["conv_relu_conv", "depthwise", "residual"])
@pytest.mark.parametrize(("low", "high"), [(-127, 127), (-64, 63)])
def test_some_of_256_levels_execute_as_accurately_as_all(name: str, low: int, high: int) -> None:
    """The CPU plugin's own FakeQuantize of 255 levels costs 14 dB on the demo's digits, and one of
    128 makes the outputs of a diagnosis garbage."""
    model = models.BUILDERS[name]()
    given = models.samples(model)
    levels = {"level_low": low, "level_high": high}
    result = quant.quantize(
        model, given, target=runner.load_target("cpu"), activations=levels, **WIDE
    )
    found = sqnr_db(outputs(model, given), outputs(result.model, given))
    expected = sqnr_db(outputs(model, given), outputs(spelled_out(result.model), given))
    assert found == pytest.approx(expected, abs=1)
    measured = quant.diagnose(result, given).outputs[0].sqnr_db
    assert measured == pytest.approx(found, abs=1)


@pytest.mark.parametrize("bits", STORED)
def test_weights_are_stored_in_the_narrowest_type(bits: int) -> None:
    target = made(bits, 8, Granularity.PERTENSOR)
    model = models.conv_relu_conv()
    result = quant.quantize(model, models.samples(model), target=target)
    node = nodes_of(result.model)["conv1/fq_weights_1"]
    while node.get_type_name() != "Constant":
        node = node.input_value(0).get_node()
    half = (1 << (bits - 1)) - 1
    assert node.get_element_type() == STORED[bits]
    assert np.abs(node.get_data(dtype=np.float32)).max() == half


def test_weights_of_32_bits_stay_in_f32_and_the_result_says_so() -> None:
    model = models.conv_relu_conv()
    result = quant.quantize(
        model, models.samples(model), target=made(32, 32, Granularity.PERTENSOR)
    )
    kept = nodes_of(result.model)["conv1/weights"]
    assert kept.get_element_type() == ov.Type.f32
    assert result.fake_quantize_count == 0
    assert result.outcomes["int32"].startswith("left in f32")


def test_other_widths_switch_dynamic_quantization_off_also_once_saved(tmp_path: Any) -> None:
    """A MatMul of 8 x 16 bits would else run in 8 x 8: 40 dB against its own arithmetic."""
    model = models.matmul()
    given = models.samples(model)
    result = quant.quantize(model, given, target=made(8, 16, Granularity.PERCHANNEL), **WIDE)
    ov.save_model(result.model, tmp_path / "m.xml", compress_to_fp16=False)
    read = core().read_model(tmp_path / "m.xml")
    expected = outputs(spelled_out(result.model), given)
    assert sqnr_db(expected, outputs(read, given)) > 80


def test_one_zero_point_serves_all_channels() -> None:
    target = made(8, 8, Granularity.PERCHANNEL, unified=True)
    model = models.conv_relu_conv()
    result = quant.quantize(model, models.samples(model), target=target, preset="accuracy")
    chain = nodes_of(result.model)["conv1/fq_weights_1"].input_value(0).get_node()
    assert chain.get_type_name() == "Subtract"
    assert len(np.unique(chain.input_value(1).get_node().data)) == 1


def outputs(model: ov.Model, given: list[Any]) -> Array:
    return np.concatenate(
        [each.ravel() for found in models.evaluate_all(model, given) for each in found]
    )


def spelled_out(model: ov.Model) -> ov.Model:
    """The model without FakeQuantize and without integer constants, so that no low-precision
    transformation touches it."""
    plain = model.clone()
    for node in plain.get_ordered_ops():
        if node.get_type_name() == "FakeQuantize":
            node.output(0).replace(_arithmetic(node).output(0))
        elif node.get_friendly_name().rpartition("/")[2].startswith("fq_weights"):
            alone = core().compile_model(ov.Model([opset.result(node)], []), "CPU", F32)
            node.output(0).replace(opset.constant(np.array(alone()[0])).output(0))
    return plain


def _arithmetic(node: ov.Node) -> ov.Node:
    low, high, out_low, out_high = (
        node.input_value(i).get_node().data.astype(np.float64) for i in range(1, 5)
    )
    steps = node.get_attributes()["levels"] - 1
    constants = [low, (high - low) / steps, (out_high - out_low) / steps, out_low]
    first, scale, out_scale, shift = (opset.constant(c.astype(np.float32)) for c in constants)
    x = opset.divide(opset.subtract(node.input_value(0), first), scale)
    x = opset.clamp(opset.round(x, "half_to_even"), 0, steps)
    return opset.add(opset.multiply(x, out_scale), shift)


def test_diagnosis_knows_every_width() -> None:
    """Clipping is counted where there is a grid, and the noise is that of the arithmetic: 8 x 16
    bits, not 8 x 8."""
    model = models.matmul()
    given = models.samples(model)
    result = quant.quantize(model, given, target=runner.load_target("gna"))
    found = quant.diagnose(result, given)
    expected = outputs(model, given)
    assert found.outputs[0].sqnr_db == pytest.approx(
        sqnr_db(expected, outputs(result.model, given)), abs=0.1
    )
    clipped = {name: share for layer in found.layers for name, share in layer.clipped.items()}
    assert clipped == dict.fromkeys(clipped, 0)
    assert len(clipped) == result.fake_quantize_count > 0
