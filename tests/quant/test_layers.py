"""The user's `layers`: overrides of single operations, and of quantizers that several share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quant.errors import ParameterError
from quant.graph import view
from quant.load import load_model
from quant.parameter_reader import read_parameters
from quant.parameters import Estimator, LayerRequest, MinMaxParameters, Overrides
from quant.placement.place import Placement, place
from quant.plan import OperationPlan
from quant.runtime import ov
from quant.scheme import Granularity, Mode, Scheme
from quant.target import Support, Target
from tests import models

SYMMETRIC, ASYMMETRIC = Scheme(), Scheme(mode=Mode.ASYMMETRIC)


def chain() -> ov.Model:
    """conv1 -> relu1 -> conv2 -> relu2 -> conv3."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    hidden = models.relu(models.conv(rng, x, (8, 3, 1, 1), "conv1"), "relu1")
    hidden = models.relu(models.conv(rng, hidden, (8, 8, 1, 1), "conv2"), "relu2")
    return models.finish([models.conv(rng, hidden, (4, 8, 1, 1), "conv3")], [x])


def fork() -> ov.Model:
    """conv1 and conv2 read one tensor."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 3, 8, 8)
    ends = [models.conv(rng, x, (4, 3, 1, 1), name) for name in ("conv1", "conv2")]
    return models.finish(ends, [x])


def placed(model: ov.Model, target: Target, **given: Any) -> Placement:
    return place(view(load_model(model)), read_parameters(MinMaxParameters, given), target)


def plans(model: ov.Model, target: Target, **given: Any) -> dict[str, OperationPlan]:
    return {each.name: each for each in placed(model, target, **given).operations}


def modes(model: ov.Model, target: Target, *layers: dict[str, Any], **general: Any) -> list[str]:
    found = plans(model, target, activations={**general, "layers": list(layers)})
    return [str(each.activations[0].mode) for each in found.values() if each.activations]


def error(model: ov.Model, target: Target, **given: Any) -> str:
    with pytest.raises(ParameterError) as caught:
        placed(model, target, **given)
    return str(caught.value)


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ({"names": ["conv2"]}, ["symmetric", "asymmetric", "symmetric"]),
        ({"names": ["conv1", "conv3"]}, ["asymmetric", "symmetric", "asymmetric"]),
        ({"patterns": ["conv[23]"]}, ["symmetric", "asymmetric", "asymmetric"]),
        ({"types": ["Convolution"]}, ["asymmetric"] * 3),
    ],
    ids=["name", "names", "pattern", "type"],
)
def test_layers_are_named(who: dict[str, Any], expected: list[str], cpu: Target) -> None:
    assert modes(chain(), cpu, {**who, "mode": "asymmetric"}) == expected


def test_a_later_entry_wins_key_by_key(cpu: Target) -> None:
    all_of_them = {"types": ["Convolution"], "mode": "asymmetric"}
    one = {"names": ["conv2"], "mode": "symmetric"}
    assert modes(chain(), cpu, all_of_them, one) == ["asymmetric", "symmetric", "asymmetric"]
    assert modes(chain(), cpu, one, all_of_them) == ["asymmetric"] * 3


def test_layers_go_over_what_is_asked_of_all(cpu: Target) -> None:
    layer = {"names": ["conv2"], "mode": "symmetric"}
    found = modes(chain(), cpu, layer, mode="asymmetric")
    assert found == ["asymmetric", "symmetric", "asymmetric"]


def test_weights_of_one_layer(cpu: Target) -> None:
    layer = {"names": ["conv2"], "level_low": -7, "level_high": 7}
    found = plans(chain(), cpu, weights={"layers": [layer]})
    lows = {name: plan.weights.level_low for name, plan in found.items() if plan.weights}
    assert lows == {"conv1": -127, "conv2": -7, "conv3": -127}


def test_range_estimator_of_one_layer(cpu: Target) -> None:
    layer = {"names": ["conv2"], "range_estimator": {"preset": "quantile"}}
    found = placed(chain(), cpu, activations={"layers": [layer]}, weights={"layers": [layer]})
    of_activations = [each.estimators.max.type for each in found.activations]
    assert of_activations == [Estimator.ABS_MAX, Estimator.ABS_QUANTILE, Estimator.ABS_MAX]
    assert [each.estimators.max.type for each in found.weights] == of_activations


def test_depthwise_is_a_type(cpu: Target) -> None:
    layer = {"types": ["DepthwiseConvolution"], "mode": "asymmetric"}
    found = plans(models.depthwise(), cpu, activations={"layers": [layer]})
    per_channel = Scheme(mode=Mode.ASYMMETRIC, granularity=Granularity.PERCHANNEL)
    kinds = {name: plan.activations for name, plan in found.items() if plan.activations}
    assert per_channel in {scheme for schemes in kinds.values() for scheme in schemes}


def test_a_shared_quantizer_follows_the_layer_that_asks(cpu: Target) -> None:
    assert modes(fork(), cpu, {"names": ["conv2"], "mode": "asymmetric"}) == ["asymmetric"] * 2


def test_a_shared_quantizer_can_not_serve_two_masters(cpu: Target) -> None:
    layers = [
        {"names": ["conv1"], "mode": "asymmetric"},
        {"names": ["conv2"], "mode": "symmetric"},
    ]
    assert error(fork(), cpu, activations={"layers": layers}) == (
        "activations.layers.1.mode: 'conv2' and 'conv1' share a quantizer of activations, but are "
        "asked for mode symmetric and asymmetric (ask the same of both, or something of one alone)"
    )


def test_members_of_a_group_share_too(cpu: Target) -> None:
    layers = [{"names": ["conv3"], "mode": "asymmetric"}]
    found = placed(models.concat(), cpu, activations={"layers": layers})
    grouped = [each.scheme.mode for each in found.activations if each.group]
    assert grouped == [Mode.ASYMMETRIC] * 2


def test_a_request_that_the_other_reader_can_not_follow() -> None:
    small = Target(
        name="small",
        device="CPU",
        operations={
            "Convolution": Support(activations=(SYMMETRIC, ASYMMETRIC)),
            "MatMul": Support(activations=(SYMMETRIC,)),
        },
    )
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 8, 8, 8)
    ends = [models.conv(rng, x, (4, 8, 1, 1), "conv"), models.linear(rng, x, (4, 8), "linear")]
    layers = [{"names": ["conv"], "mode": "asymmetric"}]
    assert error(models.finish(ends, [x]), small, activations={"layers": layers}) == (
        "activations.layers.0: the activations of 'conv', which they share with 'linear', can't "
        "be run with mode asymmetric (they can be run with: int8 symmetric pertensor)"
    )


@pytest.mark.parametrize(
    ("who", "message"),
    [
        ({"names": ["conf2"]}, "names.0: no operation is named 'conf2' - did you mean 'conv2'?"),
        ({"names": ["conv1", "relu1"]}, "names.1: nothing of Relu 'relu1' is quantized"),
        (
            {"patterns": ["onv"]},
            "patterns.0: no operation with quantized weights has a whole name matching 'onv'; "
            "put .* around a part of one",
        ),
        (
            {"types": ["Convolutoin"]},
            "types.0: no operation with quantized weights is of type 'Convolutoin' - "
            "did you mean 'Convolution'?",
        ),
    ],
    ids=["name", "not quantized", "pattern", "type"],
)
def test_entries_that_match_nothing(who: dict[str, Any], message: str, cpu: Target) -> None:
    found = error(chain(), cpu, weights={"layers": [{**who, "bits": 8}]})
    assert found == f"weights.layers.0.{message}"


def test_ignored_operations_can_not_be_asked_anything(cpu: Target) -> None:
    layers = [{"names": ["conv2"], "bits": 8}]
    found = error(chain(), cpu, weights={"layers": layers}, ignored={"scope": ["conv2"]})
    assert found == "weights.layers.0.names.0: nothing of Convolution 'conv2' is quantized"


def test_what_the_target_can_not_run_names_the_layer(cpu: Target) -> None:
    found = error(chain(), cpu, weights={"layers": [{"names": ["conv2"], "bits": 4}]})
    assert found == (
        "weights.layers.0: the target 'cpu' can't run weights of Convolution 'conv2' with bits 4 "
        "(it can run: int8 symmetric perchannel [-127, 127]; int8 asymmetric perchannel; "
        "or put the operation into ignored)"
    )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"mode": "asymmetric"}, "it names no layers; add names, patterns or types"),
        ({"names": [], "bits": 8}, "it names no layers; add names, patterns or types"),
        ({"names": ["a"]}, "it asks for nothing; add one of bits, mode"),
        ({"names": ["a"], "level_low": -7}, "level_low and level_high go together"),
    ],
    ids=["no names", "empty names", "no request", "half a pair"],
)
def test_entries_that_say_too_little(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        read_parameters(MinMaxParameters, {"activations": {"layers": [entry]}})


def test_entries_as_dataclasses() -> None:
    entry = LayerRequest(names=("a",), mode=Mode.ASYMMETRIC)
    given = {"activations": {"layers": [{"names": ["a"], "mode": "asymmetric"}]}}
    expected = MinMaxParameters(activations=Overrides(layers=(entry,)))
    assert read_parameters(MinMaxParameters, given) == expected
    assert read_parameters(MinMaxParameters, {"activations": {"layers": [entry]}}) == expected
