"""Files and models -> normalized models."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from quant.errors import LoadError
from quant.load import has_compressed_weights, load_model
from quant.runtime import opset, ov
from tests import graphs, models

TINY_ONNX = Path(__file__).parent / "files" / "tiny.onnx"
"""How it was made: README.md beside it."""


def names_of(model: ov.Model) -> list[str]:
    return [node.get_friendly_name() for node in model.get_ordered_ops()]


def types_of(model: ov.Model) -> set[str]:
    return {node.get_type_name() for node in model.get_ordered_ops()}


def unnamed() -> ov.Model:
    """A model none of whose operations got a name, as users build them."""
    x = opset.parameter([1, 4], np.float32)
    return ov.Model([opset.result(opset.relu(opset.abs(x)))], [x])


def test_the_model_that_is_handed_in_is_not_changed() -> None:
    model = models.swish_spelled_out()
    before = names_of(model)
    load_model(model)
    assert names_of(model) == before


def test_names_are_unique() -> None:
    names = names_of(load_model(models.repeated_names()))
    assert len(names) == len(set(names))
    assert {"conv", "conv_1"} < set(names)


def test_operations_without_names_get_the_same_ones_on_every_load() -> None:
    assert names_of(load_model(unnamed())) == names_of(load_model(unnamed()))


def test_names_of_a_file_that_look_made_up_stay(tmp_path: Path) -> None:
    """In a process of its own, where OpenVINO's counter begins at 0, and in this one."""
    x = models.parameter("x", 1, 4)
    node: ov.Node = x
    for i in range(200):
        node = opset.sin(models.named(opset.multiply(opset.relu(node), node), f"Multiply_{i}"))
    ov.save_model(models.finish([node], [x]), tmp_path / "model.xml", compress_to_fp16=False)
    code = (
        "import quant, sys; nodes = quant.load_model(sys.argv[1]).get_ordered_ops()\n"
        "print(*(node.get_friendly_name() for node in nodes), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "model.xml"], capture_output=True, text=True
    )
    found = names_of(load_model(tmp_path / "model.xml"))
    assert done.stdout.splitlines() == found
    assert {f"Multiply_{i}" for i in range(200)} < set(found)


def test_operations_without_names_are_numbered_by_type() -> None:
    assert {"Abs_1", "Relu_1"} < set(names_of(load_model(unnamed())))


def test_spelled_out_swish_is_fused() -> None:
    assert "Swish" in types_of(load_model(models.swish_spelled_out()))


def test_compressed_constants_become_f32() -> None:
    model = load_model(models.f16_weights())
    kinds = {
        n.get_element_type() for n in model.get_ordered_ops() if n.get_type_name() == "Constant"
    }
    assert "Convert" not in types_of(model)
    assert kinds == {ov.Type.f32}


def test_bf16_constants_become_f32() -> None:
    x = models.parameter("x", 1, 4)
    stored = opset.constant(np.array([[1.5, 2, 3, 4]], np.float32), dtype=ov.Type.bf16)
    model = load_model(models.finish([opset.multiply(x, opset.convert(stored, "f32"))], [x]))
    found = models.evaluate(model, [np.ones((1, 4), np.float32)])[0]
    assert found.tolist() == [[1.5, 2, 3, 4]]


@pytest.mark.parametrize("name", ["encoder_softmax", "swish_spelled_out", "f16_weights", "lstm"])
def test_normalization_keeps_the_outputs(name: str) -> None:
    model = models.BUILDERS[name]()
    sample = models.samples(model, 1)[0]
    for found, expected in zip(
        models.evaluate(load_model(model), sample), models.evaluate(model, sample), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_saved_model_is_read_by_its_path(tmp_path: Path) -> None:
    ov.save_model(models.residual(), tmp_path / "m.xml", compress_to_fp16=True)
    model = load_model(tmp_path / "m.xml")
    assert {"conv1", "conv2", "conv3"} < set(names_of(model))
    assert "Convert" not in types_of(model)


def test_inputs_take_the_shapes_that_are_asked_for() -> None:
    model = load_model(models.dynamic(), inputs={"x": [2, 3, 8, 8]})
    assert list(model.inputs[0].shape) == [2, 3, 8, 8]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"z": [1, 3, 8, 8]}, "the model has no input 'z'; its inputs are x"),
        ({"x": [1, 4, 8, 8]}, "can't take the input shapes"),
    ],
    ids=["name", "shape"],
)
def test_wrong_inputs(inputs: dict[str, list[int]], message: str) -> None:
    with pytest.raises(LoadError, match=message):
        load_model(models.dynamic(), inputs=inputs)


def test_quantized_models_are_refused() -> None:
    x = models.parameter("x", 1, 4)
    low, high = opset.constant(np.float32(-1)), opset.constant(np.float32(1))
    node = models.named(opset.fake_quantize(x, low, high, low, high, 256), "fq")
    with pytest.raises(LoadError, match=r"quantized already: it holds 1 .* 'fq' the first"):
        load_model(models.finish([opset.relu(node)], [x]))


def test_what_the_transformations_fail_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of them build operations that don't fit, out of a valid model (2026.4.1)."""

    def fail(*_: object, **__: object) -> None:
        message = (
            "Check 'data_shape[1].compatible(filters_shape[1])' failed at src/core/conv.hpp:307:\n"
            "While validating node 'opset1::Convolution gate (f32[1,10,1,1])' with friendly_name "
            "'gate/excite':\nData batch channel count (10) does not match (5).\n\n"
        )
        raise RuntimeError(message)

    monkeypatch.setattr("quant.load.apply_moc_transformations", fail)
    expected = (
        "OpenVINO's common transformations fail on this model: 'gate/excite': Data batch channel "
        "count (10) does not match (5)."
    )
    with pytest.raises(LoadError, match=re.escape(expected)):
        load_model(models.dynamic())


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"nothing\.xml: no such file"):
        load_model(tmp_path / "nothing.xml")


@pytest.mark.parametrize("name", ["corrupt.xml", "corrupt.onnx", "corrupt.tflite", "corrupt.pb"])
def test_a_corrupt_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00nothing that could be read")
    with pytest.raises(LoadError, match=f"{name}: OpenVINO can't read this model: .") as caught:
        load_model(tmp_path / name)
    assert str(caught.value).count(str(tmp_path)) == 1


def test_a_saved_model_is_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "saved_model.pb"
    path.write_bytes(b"a part of a SavedModel")
    with pytest.raises(LoadError, match=f"name the folder of the SavedModel: {tmp_path}$"):
        load_model(path)


@pytest.mark.parametrize("name", ["corrupt.onnx", "corrupt.tflite"])
def test_a_corrupt_file_is_read_by_its_own_frontend_alone(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(b"\x00nothing that could be read")
    with pytest.raises(LoadError):
        load_model(tmp_path / name)
    assert capfd.readouterr().err == ""


def test_an_onnx_file() -> None:
    found = types_of(load_model(TINY_ONNX))
    assert {"Convolution", "GroupConvolution", "MatMul"} <= found
    assert "BatchNormInference" not in found


def test_16_bit_weights_are_remembered() -> None:
    assert has_compressed_weights(load_model(models.f16_weights()))
    assert has_compressed_weights(load_model(graphs.bf16_weights()))
    assert not has_compressed_weights(load_model(models.residual()))


def test_what_is_no_model() -> None:
    with pytest.raises(LoadError, match=r"found None, expected a model in memory \(ov.Model\) or"):
        load_model(None)  # type: ignore[arg-type]
