"""The user's `ignored`: what it keeps in floating point, and entries that match nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quant.errors import ParameterError
from quant.plan import Status
from quant.target import Target
from tests import models
from tests.quant.results import nodes_of, run, status_of


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
            {"operations": [{"type": "Convolution", "attributes": {"strides": [9, 9]}}]},
            "ignored.operations.0: no Convolution has the attributes {'strides': [9, 9]}",
        ),
    ],
    ids=["scope", "patterns", "type", "attributes"],
)
def test_ignored_that_matches_nothing(ignored: dict[str, Any], message: str, cpu: Target) -> None:
    with pytest.raises(ParameterError) as caught:
        run(models.residual(), cpu, ignored=ignored)
    assert str(caught.value) == message


def test_a_pattern_that_is_no_regular_expression(cpu: Target) -> None:
    with pytest.raises(ParameterError, match=r"ignored\.patterns\.0"):
        run(models.residual(), cpu, ignored={"patterns": ["conv("]})
