"""The arithmetic of saturation, OpenVINO's own kernels as its truth, and the layers at risk."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import quant
from quant.runtime import core, opset, ov
from quant.saturation import products, saturation
from quant.target import Target
from tests import models
from tests.quant.results import integers

Array = NDArray[Any]
POINTS, CHANNELS, OUTPUTS = 36, 6, 8
KINDS = ("convolution", "matmul")


def case(kind: str, *, is_signed: bool, seed: int = 0) -> tuple[ov.Model, Array, Array]:
    """A layer on whole numbers, its input `[points, channels]`, weights `[outputs, channels]`."""
    rng = np.random.default_rng(seed)
    low = -128 if is_signed else 0
    x = rng.integers(low, low + 256, (POINTS, CHANNELS)).astype(np.float32)
    w = rng.choice([-127, -90, 20, 110, 127], (OUTPUTS, CHANNELS)).astype(np.int8)
    is_matmul = kind == "matmul"
    node = models.parameter("x", *([1, POINTS, CHANNELS] if is_matmul else [1, CHANNELS, 6, 6]))
    ends = [np.float32(low), np.float32(low + 255)]
    rounded = opset.fake_quantize(node, *ends, *ends, 256)
    shape = [OUTPUTS, CHANNELS] if is_matmul else [OUTPUTS, CHANNELS, 1, 1]
    scale = np.ones([OUTPUTS] + [1] * (len(shape) - 1), np.float32)
    weights = opset.multiply(opset.convert(opset.constant(w.reshape(shape)), "f32"), scale)
    if is_matmul:
        layer = opset.matmul(rounded, weights, False, True)
    else:
        layer = opset.convolution(rounded, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    return ov.Model([opset.result(layer)], [node], kind), x, w


def by_kernel(kind: str, *, is_signed: bool) -> Array:
    """What OpenVINO computes, `[points, outputs]`."""
    model, x, _ = case(kind, is_signed=is_signed)
    shaped = x[None] if kind == "matmul" else x.T.reshape(1, CHANNELS, 6, 6)
    compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = np.array(next(iter(compiled(shaped).values())))
    return found[0] if kind == "matmul" else found.reshape(OUTPUTS, POINTS).T


def by_arithmetic(kind: str, *, is_signed: bool) -> Array:
    """What `products` says: signed values are moved up by 128, and that is taken back."""
    _, x, w = case(kind, is_signed=is_signed)
    shift = 128 if is_signed else 0
    return products(x + shift, w) - shift * w.astype(np.int64).sum(axis=1)


def print_differences() -> None:
    """Run in a process of its own, which is held to an instruction set."""
    for kind in KINDS:
        for is_signed in (False, True):
            found = by_kernel(kind, is_signed=is_signed)
            difference = np.abs(found - by_arithmetic(kind, is_signed=is_signed)).max()
            _, x, w = case(kind, is_signed=is_signed)
            exact = np.abs(found - x @ w.T.astype(np.float32)).max()
            print(kind, is_signed, difference == 0, exact > 0)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="instructions of x86")
@pytest.mark.parametrize("isa", ["AVX2", "AVX512_CORE"])
def test_kernels_without_vnni_saturate_as_the_arithmetic_says(isa: str) -> None:
    script = "from tests.quant.test_saturation import print_differences; print_differences()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": isa, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = [f"{kind} {signed} True True" for kind in KINDS for signed in (False, True)]
    assert done.stdout.splitlines() == expected


def test_share_and_noise_agree_with_counting() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (50, 2, 5)).astype(np.float32)
    w = rng.choice([-127, -100, 5, 120, 127], (2, 3, 5, 1)).astype(np.float32)
    found = saturation(x, w, 0.0)
    lost = np.stack([products(x[:, g], w[g, :, :, 0]) - x[:, g] @ w[g, :, :, 0].T for g in (0, 1)])
    assert found.noise == pytest.approx(np.square(lost).mean())
    even, odd = (np.pad(each, [(0, 0), (0, 0), (0, 1)])[:, :, i::2] for i in (0, 1) for each in [x])
    v = np.pad(w[..., 0], [(0, 0), (0, 0), (0, 1)])
    sums = np.einsum("ngp,gop->ngop", even, v[:, :, 0::2])
    sums += np.einsum("ngp,gop->ngop", odd, v[:, :, 1::2])
    assert found.share == pytest.approx(((sums > 32767) | (sums < -32768)).mean())
    assert found.is_risky


def test_half_range_never_saturates() -> None:
    x = np.full((4, 1, 6), 255.0)
    assert saturation(x, np.full((1, 2, 6, 9), 64.0), 0.0).share == 0
    assert saturation(x, np.full((1, 2, 6, 9), 65.0), 0.0).share == 1


def test_quiet_neighbours_do_not_saturate() -> None:
    """Large weights alone are no risk: the levels that were seen bound the sums."""
    x = np.zeros((4, 1, 6))
    x[:, :, ::2] = 255
    found = saturation(x, np.full((1, 2, 6, 1), 127.0), 0.0)
    assert (found.share, found.is_risky) == (0, False)


def bright(count: int = 8) -> list[Array]:
    """Samples that lie near the top of their range."""
    rng = np.random.default_rng(0)
    return [rng.uniform(0.9, 1, (1, 3, 8, 8)).astype(np.float32) for _ in range(count)]


def at_risk() -> ov.Model:
    """Two convolutions; the weights of the first are all of one size, those of the second not."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    weights = models.constant(np.sign(models.normal(rng, 8, 3, 3, 3, fan_in=1)), "conv1/weights")
    first = models.named(opset.convolution(x, weights, [1, 1], [1, 1], [1, 1], [1, 1]), "conv1")
    hidden = models.relu(models.add_bias(rng, first, 8, 2, "conv1"), "relu1")
    return models.finish([models.conv(rng, hidden, (4, 8, 1, 1), "conv2")], [x])


@pytest.mark.parametrize("isa", ["avx2", "avx512"])
def test_only_the_layer_at_risk_is_protected(isa: str, cpu: Target) -> None:
    target = replace(cpu, isa=isa)
    result = quant.quantize(at_risk(), bright(), target=target, use_smooth_quant=False)
    found = {each.plan.name: each for each in result.operations}
    assert found["conv1"].is_half_range
    assert not found["conv2"].is_half_range
    assert (found["conv1"].saturation or 0) > 0.1
    assert integers(result, "conv1").max() <= 64
    assert integers(result, "conv2").max() == 127
    assert result.outcomes["saturation_fix"] == "auto: 1 of 2 layers at risk"


@pytest.mark.parametrize("isa", [None, "vnni", "amx"])
def test_nothing_is_protected_where_nothing_saturates(isa: str | None, cpu: Target) -> None:
    result = quant.quantize(at_risk(), bright(), target=replace(cpu, isa=isa))
    assert integers(result, "conv1").max() == 127
    assert {each.saturation for each in result.operations} == {None}
    assert result.outcomes["saturation_fix"] == "no"


def test_risk_is_stated_where_it_is_accepted(cpu: Target) -> None:
    target = replace(cpu, isa="avx2")
    result = quant.quantize(at_risk(), bright(), target=target, saturation_fix="no")
    assert (result.operations[0].saturation or 0) > 0.1
    assert integers(result, "conv1").max() == 127


@pytest.mark.parametrize(
    "name",
    ["matmul", "dynamic", "grouped", "transposed_conv", "conv_1d", "conv_3d", "encoder_sdpa"],
)
def test_every_kind_of_layer_is_examined(name: str, cpu: Target) -> None:
    model = models.BUILDERS[name]()
    target = replace(cpu, isa="avx2")
    model_type = "transformer" if name == "encoder_sdpa" else None
    result = quant.quantize(
        model, models.samples(model), target=target, preset="mixed", model_type=model_type
    )
    weighted = [each for each in result.operations if each.plan.weights is not None]
    assert [each.plan.name for each in weighted if each.saturation is None] == []


@pytest.mark.parametrize("name", sorted(models.BUILDERS))
def test_points_pass_through_every_step(name: str, cpu: Target) -> None:
    """Alignment and smoothing change the tensors that the points were taken from."""
    model = models.BUILDERS[name]()
    samples = models.samples(model, 4)
    target = replace(cpu, isa="avx2")
    result = quant.quantize(model, samples, target=target, model_type="transformer")
    assert all(0 <= each.saturation <= 1 for each in result.operations if each.saturation)
