"""What POT 2023.0.2 was measured to do, and where ours differs on purpose.

The numbers of POT stand beside ours in every case. Its aggregators and the arithmetic of its
ranges are held in `test_aggregate.py` and `test_fake_quantize.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import quant
import runner
from quant.fake_quantize import activation_levels, weight_levels
from quant.parameters import Aggregator
from quant.plan import MinMaxPlan, QuantPlan, Subset, TensorRef
from quant.runtime import opset, ov
from quant.scheme import Granularity, Mode, Scheme
from quant.statistics.collect import collect_needs
from quant.statistics.need import Need, Reduction
from quant.target import Target
from tests import models
from tests.quant.results import integers, run

Array = NDArray[Any]


@pytest.mark.parametrize(
    ("reduction", "channel_axis", "expected"),
    [
        (Reduction.ABS_MAX, None, [18]),
        (Reduction.HIGH_QUANTILE, None, [17.9977]),
        (Reduction.ABS_MAX, 1, [6, 18]),
        (Reduction.MEAN, 1, [0.5, 12.5]),
    ],
)
def test_statistics_of_a_ramp(
    reduction: Reduction, channel_axis: int | None, expected: list[float]
) -> None:
    x = models.parameter("x", 1, 2, 3, 4)
    same = models.named(opset.add(x, models.constant(0, "zero")), "same")
    wanted = Need(
        tensor=TensorRef("same"),
        reduction=reduction,
        aggregator=Aggregator.MEAN,
        subset=Subset(),
        channel_axis=channel_axis,
        channels=len(expected),
        outlier_prob=1e-4,
    )
    ramp = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4) - 5
    found = collect_needs(models.finish([same], [x]), [wanted], [ramp]).values[wanted]
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize(
    ("highs", "pot", "ours"),
    [
        ([0, 1e-6, 0.005, 1, 10], [0.1, 0.1, 0.1, 1, 10], [1, 1e-6, 0.005, 1, 10]),
        ([0, 1e-7], [8e-5, 8e-5], [1, 1e-7]),
    ],
)
def test_quiet_channels_of_weights_keep_their_resolution(
    highs: list[float], pot: list[float], ours: list[float]
) -> None:
    """POT gives no channel less than 1 % of the widest one's range: a channel of 0.005 keeps 6 of
    its 127 levels. Each channel has its own scale in integer weights, so nothing is gained by it.
    A channel of zeros is the same under any range."""
    scheme = Scheme(granularity=Granularity.PERCHANNEL)
    found = weight_levels(scheme, -np.array(highs), np.array(highs)).high
    np.testing.assert_allclose(found, ours, rtol=1e-6)
    assert all(a <= b for a, b, high in zip(ours, pot, highs, strict=True) if high > 0)


@pytest.mark.parametrize(
    ("given_range", "pot", "ours"),
    [
        ((-1, 1), (-1.0078740, 1), (-1.0078740, 1)),
        ((0, 0), (-8e-4, 8e-4), (0, 1)),
        ((0, 5e-4), (-8e-4, 1.3e-3), (0, 5e-4)),
    ],
)
def test_narrow_asymmetric_ranges_are_not_widened(
    given_range: tuple[float, float], pot: tuple[float, float], ours: tuple[float, float]
) -> None:
    """POT widens ranges below 8e-4 by 8e-4 to either side, which leaves 61 of 256 levels to a
    tensor of such values; f32 holds scales of 1e-30 as well. A tensor of zeros has any range."""
    levels = activation_levels(Scheme(mode=Mode.ASYMMETRIC), *map(np.float32, given_range))
    np.testing.assert_allclose((levels.low, levels.high), ours, rtol=1e-6)
    assert ours == pot or given_range[1] - given_range[0] <= 8e-4


POT_TOY = frozenset(
    {"shifted", "a", "swish", "dw/add", "res", "conv3/add", "sigmoid", "gated", "mean"}
)
"""The tensors of `pot_toy` that POT quantizes on CPU under any preset."""

FUSED_SWISH = frozenset({"conv3/add", "sigmoid"})
"""y * sigmoid(y): POT quantizes y and the sigmoid. For us it is one Swish, computed in f32 behind
the convolution, so that two roundings less reach the product."""


def resolve(name: str, target: str, **parameters: Any) -> QuantPlan:
    step = quant.Step(use="DefaultQuantization", parameters=parameters)
    model = quant.load_model(models.BUILDERS[name]())
    return quant.resolve(model, [step], runner.load_target(target))


def min_max(plan: QuantPlan) -> MinMaxPlan:
    return next(step for step in plan.steps if isinstance(step, MinMaxPlan))


def quantized_tensors(plan: QuantPlan) -> dict[str, Scheme]:
    return {each.tensor.op: each.scheme for each in min_max(plan).activations}


@pytest.mark.parametrize("preset", ["performance", "mixed", "accuracy"])
def test_the_toy_network_on_cpu(preset: str) -> None:
    plan = resolve("pot_toy", "cpu", preset=preset)
    found = quantized_tensors(plan)
    assert found.keys() == POT_TOY - FUSED_SWISH
    per_channel = {n for n, each in found.items() if each.granularity is Granularity.PERCHANNEL}
    assert per_channel == {"swish", "gated"}  # the mean keeps channels apart, unlike POT's
    weights = {each.consumers[0].op for each in min_max(plan).weights}
    assert weights == {"conv1", "conv2", "dw", "conv3", "fc"}


def test_one_quantizer_serves_both_readers_of_a_tensor() -> None:
    plan = resolve("pot_toy", "cpu")
    (found,) = (each for each in min_max(plan).activations if each.tensor.op == "a")
    assert {port.op for port in found.consumers} == {"conv2", "res"}


def test_the_first_convolution_uses_half_of_its_levels(cpu: Target) -> None:
    """What POT always does; ours under `auto` only where the CPU's 16-bit sums can saturate."""
    result = run(models.pot_toy(), cpu, saturation_fix="first_layer")
    largest = {name: integers(result, name).max() for name in ("conv1", "conv2", "dw", "fc")}
    assert largest.pop("conv1") in (63, 64)
    assert largest == {"conv2": 127, "dw": 127, "fc": 127}


@pytest.mark.parametrize("target", ["npu", "vpu"])
def test_the_toy_network_on_npu(target: str) -> None:
    """The inputs of `res` share one asymmetric range, the ReduceMean's is symmetric per channel,
    and weights use all their levels. POT's second pair, the inputs of the Multiply, is a Swish."""
    plan = resolve("pot_toy", target)
    groups = {each.tensor.op: each.group for each in min_max(plan).activations}
    assert groups["a"] == groups["dw/add"] is not None
    schemes = quantized_tensors(plan)
    assert schemes["a"] == schemes["dw/add"]
    assert (schemes["a"].mode, schemes["a"].granularity) == (
        Mode.ASYMMETRIC,
        Granularity.PERTENSOR,
    )
    assert (schemes["gated"].mode, schemes["gated"].granularity) == (
        Mode.SYMMETRIC,
        Granularity.PERCHANNEL,
    )
    result = run(models.pot_toy(), runner.load_target(target))
    assert result.outcomes["saturation_fix"] == "no"
    assert integers(result, "conv1").max() == 127


def test_inputs_of_a_concat_share_one_range(cpu: Target) -> None:
    result = run(models.concat_then_convs(), cpu)
    (found,) = (each for each in result.operations if each.plan.name == "conv_d")
    assert len(found.ranges) == 2
    assert len(set(found.ranges.values())) == 1


def test_an_ignored_concat_does_not_ignore_the_convolution_behind_it() -> None:
    """In POT, ignoring the Concat is the same as ignoring the next convolution: its inputs lose
    their quantizers. Ours keeps the convolution in integers and quantizes the Concat's result."""
    plan = resolve("concat_then_convs", "cpu", ignored={"scope": ["concat"]})
    assert {"x", "concat", "conv_d"} == quantized_tensors(plan).keys()
    plan = resolve("concat_then_convs", "cpu", ignored={"scope": ["conv_d"]})
    assert {"x", "conv_d"} == quantized_tensors(plan).keys()


def test_the_attention_block_as_a_transformer() -> None:
    """As POT: QK^T symmetric, the layers' inputs asymmetric, no quantizer on MVN, gamma, beta and
    the residual sums but for what the next MatMul reads. Unlike POT, which quantizes them
    symmetrically, the attention weights and values stay in floating point, as in NNCF."""
    plan = resolve("encoder_attention", "cpu", preset="mixed", model_type="transformer")
    modes = {name: scheme.mode for name, scheme in quantized_tensors(plan).items()}
    assert modes == {
        **dict.fromkeys(["q/add", "k/add"], Mode.SYMMETRIC),
        **dict.fromkeys(["norm1/add", "joined", "norm2/add", "gelu"], Mode.ASYMMETRIC),
    }


def test_the_toy_network_in_a_file(cpu: Target, tmp_path: Path) -> None:
    """POT: 5 constants in int8, 9 FakeQuantize, a .bin of 2.1 kB. Ours has two FakeQuantize less
    (the Swish), and keeps the scales of the weights."""
    model = run(models.pot_toy(), cpu).model
    types = [node.get_type_name() for node in model.get_ordered_ops()]
    stored = [n for n in model.get_ordered_ops() if n.get_type_name() == "Constant"]
    int8 = [n for n in stored if n.get_element_type() == ov.Type.i8]
    assert (len(int8), types.count("FakeQuantize")) == (5, 7)
    ov.save_model(model, tmp_path / "toy.xml", compress_to_fp16=False)
    floats = sum(n.data.nbytes for n in models.pot_toy().get_ordered_ops() if hasattr(n, "data"))
    assert (tmp_path / "toy.bin").stat().st_size < 0.5 * floats
