"""`quant.quantize` end to end on tiny models."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import quant
import runner
from quant.errors import LoadError, ParameterError, SamplesError
from quant.plan import Status
from quant.runtime import core, opset, ov
from quant.target import Target
from tests import models
from tests.quant.results import WIDE, content, nodes_of, outputs, quantized, run, sqnr_db, status_of

SYMMETRIC = (
    *("residual", "depthwise", "concat", "encoder_softmax", "lstm", "embedding", "dynamic"),
    *("integer_input", "transposed_conv"),
)
"""Models that are run with the preset performance too."""


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        *((name, "mixed") for name in models.BUILDERS),
        *((name, "performance") for name in SYMMETRIC),
    ],
)
def test_outputs_stay_close(name: str, preset: str) -> None:
    model = models.BUILDERS[name]()
    found = models.evaluate(quantized(name, preset).model, models.samples(model, 1)[0])
    noise = [sqnr_db(a, b) for a, b in zip(outputs(name), found, strict=True)]
    assert min(noise) > 20, noise


@pytest.mark.parametrize("name", ["encoder_sdpa", "embedding"])
def test_outputs_stay_close_as_a_transformer(name: str) -> None:
    model = models.BUILDERS[name]()
    result = quantized(name, "mixed", "transformer")
    found = models.evaluate(result.model, models.samples(model, 1)[0])
    assert min(sqnr_db(a, b) for a, b in zip(outputs(name), found, strict=True)) > 20


@pytest.mark.parametrize("name", models.BUILDERS)
def test_inputs_and_outputs_keep_names_types_and_shapes(name: str) -> None:
    def signature(model: ov.Model) -> list[tuple[Any, ...]]:
        ports = [*model.inputs, *model.outputs]
        return [(p.get_names(), p.get_element_type(), str(p.get_partial_shape())) for p in ports]

    assert signature(quantized(name).model) == signature(models.BUILDERS[name]())


@pytest.mark.parametrize("name", ["residual", "encoder_sdpa", "f16_weights"])
def test_the_input_model_is_not_changed(name: str, cpu: Target) -> None:
    model = models.BUILDERS[name]()
    before = content(model)
    run(model, cpu, model_type="transformer")
    assert content(model) == before


@pytest.mark.parametrize("name", ["residual", "encoder_sdpa"])
def test_the_same_input_gives_the_same_model(name: str, cpu: Target) -> None:
    model = models.BUILDERS[name]()
    first, second = (run(model, cpu, preset="mixed", model_type="transformer") for _ in range(2))
    assert content(first.model) == content(second.model)
    assert first.operations == second.operations


@pytest.mark.parametrize("name", models.BUILDERS)
def test_weights_are_int8_constants(name: str) -> None:
    result = quantized(name)
    nodes = nodes_of(result.model)
    weighted = {each.plan.name for each in result.operations if each.plan.weights is not None}
    chains = [key for key in nodes if "/fq_weights_" in key]
    assert {key.split("/fq_weights_")[0] for key in chains} <= weighted
    assert bool(chains) == bool(weighted)
    for key in chains:
        convert = nodes[key].input_value(0).get_node()
        if convert.get_type_name() == "Subtract":  # of a zero point
            convert = convert.input_value(0).get_node()
        assert convert.get_type_name() == "Convert"
        assert convert.input_value(0).get_element_type() == ov.Type.i8


@pytest.mark.parametrize("name", ["residual", "lstm", "encoder_sdpa", "depthwise", "stateful"])
def test_a_saved_model_computes_the_same(name: str, tmp_path: Path) -> None:
    result = quantized(name)
    ov.save_model(result.model, tmp_path / "m.xml", compress_to_fp16=False)
    sample = models.samples(models.BUILDERS[name](), 1)[0]
    found = models.evaluate(core().read_model(tmp_path / "m.xml"), sample)
    for a, b in zip(found, models.evaluate(result.model, sample), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_the_result_tells() -> None:
    result = quantized("conv_relu_conv")
    assert set(result.timings) == {
        *("load_s", "resolve_s", "collect_s", "fold_s"),
        *("ActivationChannelAlignment_s", "SmoothQuant_s"),
        *("MinMaxQuantization_s", "WeightRounding_s", "FastBiasCorrection_s"),
    }
    assert (result.sample_count, result.fake_quantize_count, result.warnings) == (8, 2, ())
    assert status_of(result) == {
        "conv1": Status.QUANTIZED,
        "conv1/add": Status.FUSED,
        "relu1": Status.FUSED,
        "conv2": Status.QUANTIZED,
        "conv2/add": Status.FUSED,
    }


@pytest.mark.parametrize("name", models.BUILDERS)
def test_counts_agree_with_the_model(name: str) -> None:
    types = [node.get_type_name() for node in quantized(name).model.get_ordered_ops()]
    assert types.count("FakeQuantize") == quantized(name).fake_quantize_count


def test_progress_counts_the_samples(cpu: Target) -> None:
    done: list[int] = []
    model = models.conv_relu_conv()
    quant.quantize(model, models.samples(model, 4), target=cpu, progress=done.append)
    assert done == [1, 2, 3, 4]


def test_no_more_samples_than_asked_for_are_used(cpu: Target) -> None:
    assert run(models.conv_relu_conv(), cpu, stat_subset_size=3).sample_count == 3


def test_fewer_samples_than_asked_for_are_a_warning(cpu: Target) -> None:
    result = run(models.conv_relu_conv(), cpu, stat_subset_size=300)
    assert result.sample_count == 8
    assert any("300" in warning and "8" in warning for warning in result.warnings)


def test_no_samples_are_an_error(cpu: Target) -> None:
    with pytest.raises(SamplesError, match="there are no calibration samples"):
        quant.quantize(models.conv_relu_conv(), [], target=cpu)


def test_nothing_to_quantize_is_a_warning_and_the_model_itself() -> None:
    result = quantized("nothing_to_quantize")
    assert len(result.warnings) == 1
    assert "nothing in this model can be quantized" in result.warnings[0]
    assert content(result.model) == content(quant.load_model(models.nothing_to_quantize()))


def test_a_quantized_model_is_refused(cpu: Target) -> None:
    with pytest.raises(LoadError, match="the model is quantized already"):
        run(quantized("residual").model, cpu)


def test_a_model_of_integer_weights_alone_is_not_quantized_again(cpu: Target) -> None:
    result = run(models.compressed_weights(), cpu)
    assert status_of(result)["linear1"] is Status.FLOAT


def test_importing_quant_imports_nothing_heavy() -> None:
    program = "import sys, quant; print(*({'openvino', 'numpy'} & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == []


def test_every_public_name_is_found() -> None:
    assert {name: getattr(quant, name).__name__ for name in quant.__all__} == {
        name: name for name in quant.__all__
    }


@pytest.mark.parametrize("name", ["npu", "vpu"])
def test_other_targets(name: str) -> None:
    model = models.pot_toy()
    result = run(model, runner.load_target(name), preset="accuracy")
    found = models.evaluate(result.model, models.samples(model, 1)[0])
    assert sqnr_db(outputs("pot_toy")[0], found[0]) > 20


def test_a_model_from_a_file(tmp_path: Path, cpu: Target) -> None:
    ov.save_model(models.conv_relu_conv(), tmp_path / "m.xml", compress_to_fp16=False)
    samples = models.samples(models.conv_relu_conv())
    result = quant.quantize(tmp_path / "m.xml", samples, target=cpu, preset="mixed", **WIDE)
    expected = quantized("conv_relu_conv")
    assert content(result.model) == content(expected.model)


def test_the_steps_one_by_one_are_quantize(cpu: Target) -> None:
    model = quant.load_model(models.residual())
    step = quant.Step(use="DefaultQuantization", parameters={"preset": "mixed", **WIDE})
    plan = quant.resolve(model, [step], cpu)
    result = quant.apply(plan, quant.collect(plan, models.samples(model)))
    assert content(result.model) == content(quantized("residual").model)


def test_a_plan_can_be_applied_twice(cpu: Target) -> None:
    model = quant.load_model(models.encoder_sdpa())
    step = quant.Step(use="DefaultQuantization", parameters={"model_type": "transformer"})
    plan = quant.resolve(model, [step], cpu)
    statistics = quant.collect(plan, models.samples(model))
    first, second = (quant.apply(plan, statistics) for _ in range(2))
    assert content(first.model) == content(second.model)


def test_tensors_of_dynamic_rank_stay_in_floating_point(cpu: Target) -> None:
    x = opset.parameter(ov.PartialShape.dynamic(), np.float32, name="x")
    weights = models.constant(np.ones((3, 4), np.float32), "weights")
    linear = models.named(opset.matmul(x, weights, False, True), "linear")
    given = [np.ones((2, 4), np.float32)]
    result = quant.quantize(models.finish([linear], [x]), given, target=cpu)
    assert status_of(result)["linear"] is Status.FLOAT


@pytest.mark.parametrize("preset", ["performance", "mixed"])
@pytest.mark.parametrize(
    ("name", "shape"),
    [("tiny.onnx", (2, 3, 8, 8)), ("tiny.pb", (1, 8, 8, 3)), ("tiny.tflite", (1, 8, 8, 3))],
)
def test_a_file_of_another_framework(
    cpu: Target, name: str, shape: tuple[int, ...], preset: str
) -> None:
    path = Path(__file__).parent / "files" / name
    rng = np.random.default_rng(0)
    given = [rng.standard_normal(shape).astype(np.float32) for _ in range(8)]
    result = quant.quantize(path, given, target=cpu, preset=preset, **WIDE)
    expected = models.evaluate(quant.load_model(path), [given[0]])[0]
    assert sqnr_db(expected, models.evaluate(result.model, [given[0]])[0]) > 30
    assert sum(each is Status.QUANTIZED for each in status_of(result).values()) == 5


def test_weights_that_were_compressed_are_a_warning() -> None:
    found = quantized("f16_weights").warnings
    assert len(found) == 1
    assert "compress_to_fp16=False" in found[0]


def test_the_parameter_that_asks_for_too_many_samples_is_named(cpu: Target) -> None:
    model = models.residual()
    sizes = {"stat_subset_size": 4, "num_samples_for_tuning": 9}
    result = quant.quantize(
        model, models.samples(model, 6), target=cpu, use_layerwise_tuning=True, **sizes
    )
    assert result.warnings == ("num_samples_for_tuning is 9, but there are only 6 samples",)


@pytest.mark.parametrize(("name", "count"), [("cpu", 0), ("gpu", 1)])
def test_a_cpu_that_saturates_is_a_warning_for_other_targets(
    monkeypatch: pytest.MonkeyPatch, name: str, count: int
) -> None:
    monkeypatch.setattr("quant.entry.saturates", lambda isa: True)
    step = quant.Step(use="DefaultQuantization", parameters={})
    plan = quant.resolve(quant.load_model(models.residual()), [step], runner.load_target(name))
    assert sum("has no VNNI" in warning for warning in plan.warnings) == count


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": "cpu"}, "target: found 'cpu', expected a Target, such as runner.load_target("),
        ({"seed": -1, "shuffle_data": True}, "seed: found -1, expected a whole number from 0 up"),
    ],
    ids=["target", "seed"],
)
def test_arguments_that_can_not_work_are_named(
    given: dict[str, Any], message: str, cpu: Target
) -> None:
    model = models.conv_relu_conv()
    with pytest.raises(ParameterError) as caught:
        quant.quantize(model, models.samples(model), **{"target": cpu, **given})
    assert str(caught.value).startswith(message)


def test_two_runs_make_the_same_file(cpu: Target, tmp_path: Path) -> None:
    model, written = models.conv_relu_conv(), []
    for name in ("first", "second"):
        path = tmp_path / f"{name}.xml"
        result = quant.quantize(model, models.samples(model), target=cpu)
        ov.save_model(result.model, path)
        written.append((path.read_bytes(), path.with_suffix(".bin").read_bytes()))
    assert written[0] == written[1]
