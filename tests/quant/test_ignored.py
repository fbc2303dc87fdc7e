"""The user's `ignored`: what it keeps in floating point, and entries that match nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quant.errors import ParameterError
from quant.fold import unfolded
from quant.plan import Status
from quant.runtime import F32, core, opset, ov
from quant.target import Target
from tests import models
from tests.quant.results import nodes_of, run, sqnr_db, status_of


@pytest.mark.parametrize(
    "ignored",
    [
        {"scope": ["conv2"]},
        {"patterns": ["conv[2-9]"]},
        {"operations": [{"type": "Convolution", "attributes": {"pads_begin": [1, 1]}}]},
    ],
    ids=["scope", "patterns", "operations"],
)
def test_ignored_operations_stay_in_floating_point(ignored: dict[str, Any], cpu: Target) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    hidden = models.relu(models.conv(rng, x, (8, 3, 1, 1), "conv1"), "relu1")
    model = models.finish([models.conv(rng, hidden, (4, 8, 3, 3), "conv2")], [x])
    result = run(model, cpu, ignored=ignored)
    reasons = {each.plan.name: each.plan.reason for each in result.operations}
    assert status_of(result)["conv1"] is Status.QUANTIZED
    assert reasons["conv2"] == "ignored by the user"
    assert nodes_of(result.model)["conv2"].input_value(0).get_node().get_type_name() == "Relu"


def chain_with_branch() -> ov.Model:
    """conv1 -> relu1 -> (conv2 -> relu2, conv3) -> add -> conv4."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    stem = models.relu(models.conv(rng, x, (8, 3, 1, 1), "conv1"), "relu1")
    left = models.relu(models.conv(rng, stem, (8, 8, 1, 1), "conv2"), "relu2")
    right = models.conv(rng, stem, (8, 8, 1, 1), "conv3")
    both = models.named(opset.add(left, right), "add")
    return models.finish([models.conv(rng, both, (4, 8, 1, 1), "conv4")], [x])


@pytest.mark.parametrize(
    ("subgraph", "kept"),
    [
        ({"inputs": ["relu1"], "outputs": ["add"]}, {"conv2", "conv3", "add"}),
        ({"inputs": ["conv2"], "outputs": ["add"]}, {"conv2", "add"}),
        ({"inputs": ["conv2", "conv3"], "outputs": ["relu2", "add"]}, {"conv2", "conv3", "add"}),
        ({"inputs": ["conv3"], "outputs": ["conv3"]}, {"conv3"}),
    ],
    ids=["both ways", "one way", "several ends", "one operation"],
)
def test_subgraphs_are_all_ways_between_their_ends(
    subgraph: dict[str, Any], kept: set[str], cpu: Target
) -> None:
    result = run(chain_with_branch(), cpu, ignored={"subgraphs": [subgraph]})
    reasons = {each.plan.name: each.plan.reason for each in result.operations}
    ignored = {name for name, reason in reasons.items() if reason == "ignored by the user"}
    assert ignored & {"conv1", "conv2", "conv3", "conv4", "add"} == kept
    assert status_of(result)["conv4"] is Status.QUANTIZED


def test_what_passes_values_on_is_ignored_alone(cpu: Target) -> None:
    """Unlike POT, which gave up a Concat's readers too, but not the readers of those."""
    result = run(models.concat(), cpu, ignored={"scope": ["concat"]})
    status = status_of(result)
    assert (status["concat"], status["conv3"]) == (Status.FLOAT, Status.QUANTIZED)


def test_ignoring_everything_quantizes_nothing(cpu: Target) -> None:
    result = run(models.residual(), cpu, ignored={"patterns": [".*"]})
    assert result.fake_quantize_count == 0
    assert len(result.warnings) == 1


@pytest.mark.parametrize(
    ("ignored", "message"),
    [
        (
            {"scope": ["conv1", "conf2"]},
            "ignored.scope.1: no operation is named 'conf2' - did you mean 'conv2'?",
        ),
        (
            {"patterns": ["onv"]},
            "ignored.patterns.0: no operation has a whole name matching 'onv'; "
            "put .* around a part of one",
        ),
        (
            {"operations": [{"type": "Convolutoin"}]},
            "ignored.operations.0: the model has no operation of type 'Convolutoin'"
            " - did you mean 'Convolution'?",
        ),
        (
            {"subgraphs": [{"inputs": ["conv2"], "outputs": ["conv1"]}]},
            "ignored.subgraphs.0: nothing lies between them\n"
            "ignored.subgraphs.0.inputs.0: no way leads to 'conv1'\n"
            "ignored.subgraphs.0.outputs.0: no way leads from 'conv2'",
        ),
        (
            {"subgraphs": [{"inputs": ["conv1", "conf2"], "outputs": ["conv2"]}]},
            "ignored.subgraphs.0.inputs.1: no operation is named 'conf2' - did you mean 'conv2'?",
        ),
        (
            {"operations": [{"type": "Convolution", "attributes": {"strides": [9, 9]}}]},
            "ignored.operations.0: no Convolution has the attributes {'strides': [9, 9]}",
        ),
        (
            {"subgraphs": [{"inputs": ["conf1"], "outputs": ["konv2"]}]},
            "ignored.subgraphs.0.inputs.0: no operation is named 'conf1'"
            " - did you mean 'conv1'?\n"
            "ignored.subgraphs.0.outputs.0: no operation is named 'konv2'"
            " - did you mean 'conv2'?",
        ),
        (
            {"operations": [{"type": "Relu", "attributes": {"stride": 1}}]},
            "ignored.operations.0: Relu has no attribute 'stride'; it has none",
        ),
        (
            {"operations": [{"type": "Convolution", "attributes": {"stride": [1, 1]}}]},
            "ignored.operations.0: Convolution has no attribute 'stride'; it has auto_pad, "
            "dilations, pads_begin, pads_end, strides",
        ),
    ],
    ids=[
        *("scope", "patterns", "type", "no way", "end", "attributes"),
        *("no end", "no attributes", "attribute"),
    ],
)
def test_ignored_that_matches_nothing(ignored: dict[str, Any], message: str, cpu: Target) -> None:
    with pytest.raises(ParameterError) as caught:
        run(models.residual(), cpu, ignored=ignored)
    assert str(caught.value) == message


def test_a_pattern_that_is_no_regular_expression(cpu: Target) -> None:
    with pytest.raises(ParameterError, match=r"ignored\.patterns\.0"):
        run(models.residual(), cpu, ignored={"patterns": ["conv("]})


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("conv_relu_conv", "conv2"),
        ("depthwise", "depthwise1"),
        ("grouped", "grouped"),
        ("transposed_conv", "up"),
        ("classifier", "linear"),
        ("encoder_attention", "q"),
    ],
)
def test_activations_alone_are_ignored(name: str, operation: str, cpu: Target) -> None:
    """Integer weights in the file, and what OpenVINO computes from them, on several streams."""
    model = models.BUILDERS[name]()
    given, options = models.samples(model), {**F32, "PERFORMANCE_HINT": "THROUGHPUT"}
    result = run(model, cpu, ignored={"activations": [operation]})
    plan = {each.plan.name: each.plan for each in result.operations}[operation]
    assert (plan.status, plan.activations, plan.weights is None) == (Status.FLOAT, (), False)
    spelled = result.model.clone()
    for node in spelled.get_ordered_ops():
        numbers = unfolded(node)
        if numbers is not None and node.get_friendly_name() == f"{operation}/fq_weights_1":
            node.output(0).replace(numbers.output(0))
    expected = core().compile_model(spelled, "CPU", F32)(given[0])[0]
    for _ in range(6):
        found = core().compile_model(result.model, "CPU", options)(given[0])[0]
        assert sqnr_db(expected, found) > 100


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_recurrent_cells_are_ignored_whole(name: str, cpu: Target) -> None:
    model = models.BUILDERS[name]()
    result = run(model, cpu, ignored={"activations": [name]})
    plan = {each.plan.name: each.plan for each in result.operations}[name]
    assert (plan.status, plan.weights) == (Status.FLOAT, None)
    models.evaluate(result.model, models.samples(model, 1)[0])


def test_what_is_ignored_whole_and_in_part_is_ignored_whole(cpu: Target) -> None:
    result = run(models.residual(), cpu, ignored={"activations": ["conv2"], "scope": ["conv2"]})
    plan = {each.plan.name: each.plan for each in result.operations}["conv2"]
    assert (plan.weights, plan.reason) == (None, "ignored by the user")
