"""Which models are warned about, and that what a warning proposes can be pasted."""

from __future__ import annotations

import numpy as np
import pytest
from ruamel.yaml import YAML

import quant
from quant.graph import view
from quant.placement.attention import first_attention
from quant.runtime import opset, ov
from quant.target import Target
from tests import models


def warnings(model: ov.Model, target: Target, *, shift: float = 0, **parameters: object) -> str:
    """The warnings for samples moved by `shift`, in one text."""
    samples = [[array + np.float32(shift) for array in sample] for sample in models.samples(model)]
    result = quant.quantize(model, samples, target=target, **parameters)
    return "\n".join(result.warnings)


@pytest.mark.parametrize("name", ["encoder_sdpa", "encoder_softmax", "encoder_attention"])
def test_attention_without_model_type(name: str, cpu: Target) -> None:
    model = models.BUILDERS[name]()
    found = warnings(model, cpu)
    first = next(
        node.get_friendly_name()
        for node in quant.load_model(model).get_ordered_ops()
        if node.get_type_name() == "ScaledDotProductAttention"
        or (node.get_type_name() == "MatMul" and _reads_softmax(node))
    )
    assert f"'{first}' the first" in found
    assert "`model_type: transformer`" in found
    assert warnings(model, cpu, model_type="transformer") == ""


def _reads_softmax(node: ov.Node) -> bool:
    return any(v.get_node().get_type_name() == "Softmax" for v in node.input_values())


@pytest.mark.parametrize("way", ["capped scores", "masked shares", "shifted scores"])
def test_attention_that_is_not_fused(way: str, cpu: Target) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 6, 8)
    q, k, v = (models.linear(rng, x, (8, 8), name) for name in "qkv")
    scores = opset.matmul(q, k, transpose_a=False, transpose_b=True)
    is_seen = opset.constant(np.tril(np.ones((1, 6, 6), bool)))
    match way:
        case "capped scores":
            scores = opset.tanh(scores)
        case "shifted scores":
            scores = opset.slice(
                opset.pad(scores, np.array([0, 0, 0]), np.array([0, 0, 1]), "constant"),
                *(np.array([n]) for n in (1, 7, 1, 2)),
            )
    shares = opset.softmax(scores, 2)
    if way == "masked shares":
        shares = opset.select(is_seen, shares, opset.constant(np.float32(0)))
    heads = models.named(opset.matmul(shares, v, transpose_a=False, transpose_b=False), "heads")
    model = models.finish([models.linear(rng, heads, (4, 8), "out")], [x])
    assert "MatMul 'heads' the first" in warnings(model, cpu)


def test_deep_moves_are_walked_once(cpu: Target) -> None:
    x, y = models.parameter("x", 1, 4, 8), models.parameter("y", 1, 8, 4)
    rows = x
    for _ in range(1200):
        rows = opset.select(opset.constant(np.ones((1, 1, 1), bool)), rows, rows)
    product = opset.matmul(rows, y, transpose_a=False, transpose_b=False)
    assert first_attention(view(models.finish([product], [x, y]))) is None


@pytest.mark.parametrize("name", ["classifier", "matmul_of_two", "squeeze_excitation", "rotary"])
def test_no_attention_no_warning(name: str, cpu: Target) -> None:
    assert "attention" not in warnings(models.BUILDERS[name](), cpu)


def test_softmax_over_classes_is_no_attention(cpu: Target) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 4, 8)
    shares = models.named(opset.softmax(models.linear(rng, x, (6, 8), "scores"), 2), "shares")
    model = models.finish([models.linear(rng, shares, (4, 6), "mix")], [x])
    assert warnings(model, cpu) == ""


def test_activations_far_below_zero_are_named_with_their_gain(cpu: Target) -> None:
    found = warnings(models.conv_relu_conv(), cpu, shift=-10)
    assert "the activations of 'conv1' lie far below zero" in found
    assert "gains up to 1.0 bits (6.1 dB)" in found
    assert "relu1" not in found
    assert "conv2" not in found


def test_warning_can_be_pasted(cpu: Target) -> None:
    found = warnings(models.conv_relu_conv(), cpu, shift=-10)
    pasted = YAML(typ="safe").load(found.split("`")[1])
    assert pasted == {"activations": {"layers": [{"names": ["conv1"], "mode": "asymmetric"}]}}
    assert warnings(models.conv_relu_conv(), cpu, shift=-10, **pasted) == ""


def test_recurrent_input_below_zero_on_average(cpu: Target) -> None:
    """Its range holds the hidden state, so the mean decides; behind the cell nothing is far."""
    found = warnings(models.lstm(), cpu, shift=-4)
    assert found.count("lie far below zero") == 1
    assert " more lie" not in found


@pytest.mark.parametrize("shift", [0, 10], ids=["around_zero", "above_zero"])
@pytest.mark.parametrize("name", ["conv_relu_conv", "swish_spelled_out", "lstm", "residual"])
def test_usual_activations_are_not_warned_about(name: str, shift: float, cpu: Target) -> None:
    assert warnings(models.BUILDERS[name](), cpu, shift=shift) == ""


def test_asymmetric_schemes_are_not_warned_about(cpu: Target) -> None:
    assert warnings(models.conv_relu_conv(), cpu, shift=-10, preset="mixed") == ""


def test_repeated_warnings_become_one(cpu: Target) -> None:
    x = models.parameter("x", 1, 3, 8, 8)
    y = models.parameter("y", 1, 3, 8, 8)
    rng = np.random.default_rng(0)
    outputs = [models.conv(rng, each, (4, 3, 3, 3), n) for each, n in ((x, "a"), (y, "b"))]
    found = warnings(models.finish(outputs, [x, y]), cpu, shift=-10)
    assert found.count("\n") == 0
    assert "'b' and 1 more" in found
    assert 'names: ["b", "a"]' in found
