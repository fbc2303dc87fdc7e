"""Hardware descriptors: those that ship, and what is refused."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import runner
from quant.scheme import Granularity, Mode, Preset, Scheme
from quant.target import DEPTHWISE, EMBEDDING, Support, Target
from runner.errors import DescriptorError, UsageError
from runner.operation_types import OPERATION_TYPES, OURS
from runner.targets import load_target, target_names

A_SYM = Scheme(bits=8, mode=Mode.SYMMETRIC, granularity=Granularity.PERTENSOR)
A_ASYM = Scheme(bits=8, mode=Mode.ASYMMETRIC, granularity=Granularity.PERTENSOR)
W_SYM = Scheme(
    bits=8, mode=Mode.SYMMETRIC, granularity=Granularity.PERCHANNEL, level_low=-127, level_high=127
)
W_ASYM = Scheme(bits=8, mode=Mode.ASYMMETRIC, granularity=Granularity.PERCHANNEL)

SMALL = """\
hardware: 1
name: small
runtime: {device: null, emulate_on: CPU}
schemes:
  a: {mode: [symmetric, asymmetric], bits: [8, 16], granularity: pertensor}
  w: {bits: 8, mode: symmetric, granularity: perchannel, level_low: -127, level_high: 127}
operations:
  - {op: [MatMul, Convolution], activations: a, weights: [w]}
  - {op: LSTMSequence, weights: w, unified_scales: [[0, 1], [4, 5]]}
passthrough: [Reshape]
input_priority_types: [Convolution]
"""


def load_text(folder: Path, text: str) -> Target:
    path = folder / "device.yaml"
    path.write_text(text)
    return load_target(path)


def test_names() -> None:
    assert target_names() == ("cpu", "gna", "gna3", "gpu", "npu", "vpu")


@pytest.mark.parametrize("name", target_names())
def test_shipped_descriptors_carry_their_file_s_name(name: str) -> None:
    assert runner.load_target(name).name == name


def test_convolutions_of_the_cpu() -> None:
    target = load_target("cpu")
    expected = Support(activations=(A_SYM, A_ASYM), weights=(W_SYM, W_ASYM))
    assert target.operations["Convolution"] == expected
    assert target.operations[DEPTHWISE].activations[0].granularity is Granularity.PERCHANNEL
    assert target.operations[EMBEDDING] == Support(weights=(W_SYM, W_ASYM))
    assert target.operations["Concat"] == Support(unified_scales="all")
    assert target.preset(Preset.ACCURACY) is Preset.MIXED


def test_attention_of_the_cpu_is_symmetric() -> None:
    assert load_target("cpu").operations["ScaledDotProductAttention"].activations == (A_SYM,)


def test_the_gpu_is_the_cpu_but_for_recurrent_and_transposed_operations() -> None:
    cpu, gpu = load_target("cpu"), load_target("gpu")
    assert set(cpu.operations) - set(gpu.operations) == {"LSTMSequence", "GRUSequence"}
    differ = {name for name, each in gpu.operations.items() if cpu.operations.get(name) != each}
    assert differ == {"ConvolutionBackpropData", "GroupConvolutionBackpropData"}


@pytest.mark.parametrize("name", ["npu", "vpu"])
def test_accuracy_is_asymmetric_throughout_on_vision_units(name: str) -> None:
    target = load_target(name)
    convolution = target.operations["Convolution"]
    assert target.preset(Preset.ACCURACY) is Preset.ACCURACY
    assert convolution.activations[-1].mode is Mode.ASYMMETRIC
    assert convolution.weights[0].mode is Mode.SYMMETRIC
    assert (convolution.weights[-1].mode, convolution.weights[-1].unified_zero_point) == (
        Mode.ASYMMETRIC,
        True,
    )


@pytest.mark.parametrize("name", ["gna", "gna3"])
def test_accuracy_has_weights_of_16_bits_on_gna(name: str) -> None:
    target = load_target(name)
    assert target.preset(Preset.MIXED) is Preset.ACCURACY
    assert target.operations["MatMul"].weights[-1].bits == 16


@pytest.mark.parametrize("name", ["vpu", "gna", "gna3"])
def test_devices_without_a_plugin_are_emulated(name: str) -> None:
    target = load_target(name)
    assert (target.device, target.emulate_on) == (None, "CPU")


def test_every_type_is_one_of_openvino_s() -> None:
    assert openvino_types() == OPERATION_TYPES - OURS


_MADE_OTHERWISE = {"Parameter", "Constant", "Result", "Assign", "If", "Loop", "TensorIterator"}
"""Those that no factory makes by name."""


def openvino_types() -> set[str]:
    """Type names in the sources of OpenVINO's operation factories, which need not be imported."""
    spec = importlib.util.find_spec("openvino")
    assert spec is not None
    assert spec.origin is not None
    sources = "".join(p.read_text() for p in Path(spec.origin).parent.glob("opset*/ops.py"))
    created = set(re.findall(r"""create\(\s*["'](\w+)["']""", sources))
    return created | _MADE_OTHERWISE


def test_lists_in_a_scheme_expand_in_the_order_written(tmp_path: Path) -> None:
    target = load_text(tmp_path, SMALL)
    found = [(s.mode.value, s.bits) for s in target.operations["MatMul"].activations]
    assert found == [("symmetric", 8), ("symmetric", 16), ("asymmetric", 8), ("asymmetric", 16)]


def test_a_descriptor_of_one_s_own(tmp_path: Path) -> None:
    target = load_text(tmp_path, SMALL)
    assert (target.name, target.device, target.primary_bitwidth) == ("small", None, 8)
    assert target.operations["LSTMSequence"].unified_scales == ((0, 1), (4, 5))
    assert target.passthrough == {"Reshape"}
    assert target.input_priority_types == ("Convolution",)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("hardware: 1", "recipe: 1", "1:1: not a hardware descriptor"),
        ("hardware: 1", "hardware: 2", "1:11: 'hardware' is 2; expected 1"),
        ("{device: null, emulate_on: CPU}", "{}", "3:1: missing key 'device' in 'runtime'"),
        ("weights: [w]", "weights: [ww]", "8:59: unknown scheme 'ww'; expected 'a' or 'w'"),
        ("weights: w", "wieghts: w", "9:24: unknown key 'wieghts' in item 2 of 'operations' - did"),
        (
            "  w:",
            "  v: {bits: 8, mode: symmetric, granularity: pertensor}\n  w:",
            "6:3: the scheme 'v'",
        ),
        ("[Reshape]", "[MatMul]", "10:15: 'MatMul' is listed already"),
        ("[MatMul, ", "[Convolution, ", "8:24: 'Convolution' is listed already"),
        ("[[0, 1], [4, 5]]", "some", "9:52: unknown unified scales 'some'; expected 'all'"),
        ("[[0, 1], [4, 5]]", "3", "9:52: 'unified_scales' is 3; expected 'all' or lists of ports"),
        (
            "bits: [8, 16]",
            "bits: [8, 7]",
            "5:48: item 2 of 'bits' is 7; expected 2, 4, 8, 16 or 32",
        ),
        (", level_high: 127", "", "6:3: the scheme 'w' has one level"),
        (
            "Convolution], act",
            "Convolutoin], act",
            "8:19: unknown operation type 'Convolutoin' - did you mean 'Convolution'?",
        ),
        ("[Convolution]\n", "[Add]\n", "11:24: 'Add' is prioritized, but the target executes none"),
        ("[Reshape]", "[Rehsape]", "10:15: unknown operation type 'Rehsape' - did you mean"),
        (
            "[Convolution]\n",
            "[Convolutoin]\n",
            "11:24: unknown operation type 'Convolutoin' - did you",
        ),
        (
            "op: LSTMSequence",
            "type: LSTMSequence",
            "9:6: unknown key 'type' in item 2 of 'operations';",
        ),
        ("passthrough", "extends: cpu\npassthrough", "10:10: 'cpu' names no base"),
        ("passthrough", "extends: builtin:cpuu\npassthrough", "10:10: there is no builtin target"),
    ],
)
def test_what_is_refused_and_where(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in SMALL
    with pytest.raises(DescriptorError) as caught:
        load_text(tmp_path, SMALL.replace(old, new, 1))
    assert f"device.yaml:{expected}" in str(caught.value)


def test_unknown_names() -> None:
    with pytest.raises(UsageError, match=r"unknown target 'gpuu'; .* - did you mean 'gpu'"):
        load_target("gpuu")


def test_the_working_directory_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hw_targets").mkdir()
    (tmp_path / "hw_targets" / "cpu.yaml").write_text("not a descriptor")
    monkeypatch.chdir(tmp_path)
    assert load_target("cpu").name == "cpu"


def test_a_descriptor_over_one_that_ships(tmp_path: Path) -> None:
    target = load_text(
        tmp_path,
        "hardware: 1\nname: old\nextends: builtin:cpu\nruntime: {isa: avx2}\n"
        "set:\n  +passthrough: Bucketize\n  operations.DepthwiseConvolution.weights: q8_w_sym\n",
    )
    cpu = load_target("cpu")
    assert (target.name, target.device, target.isa) == ("old", cpu.device, "avx2")
    assert target.passthrough == cpu.passthrough | {"Bucketize"}
    assert target.operations[DEPTHWISE].weights == (W_SYM,)
    assert target.operations["Convolution"] == cpu.operations["Convolution"]


def test_operations_may_replace_those_of_a_base(tmp_path: Path) -> None:
    """What they leave without a use is not theirs to remove; what they bring is."""
    text = (
        "hardware: 1\nname: few\nextends: builtin:cpu\ninput_priority_types: []\n"
        "operations: [{op: Convolution, activations: q8_a, weights: [q8_w_sym]}]\n"
    )
    target = load_text(tmp_path, text)
    assert target.operations.keys() == {"Convolution"}
    assert target.operations["Convolution"].weights == (W_SYM,)
    with pytest.raises(DescriptorError, match=r"7:3: the scheme 'mine' is not used") as caught:
        load_text(
            tmp_path,
            text + "schemes:\n  mine: {bits: 8, mode: symmetric, granularity: pertensor}\n",
        )
    assert len(caught.value.problems) == 1


def test_errors_of_a_base_are_told_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SMALL.replace("bits: 8, mode", "bits: 9, mode"))
    with pytest.raises(DescriptorError, match=r"base\.yaml:6:13: 'bits' is 9"):
        load_text(tmp_path, "hardware: 1\nname: a\nextends: ./base.yaml\n")
