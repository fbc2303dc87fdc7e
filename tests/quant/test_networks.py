"""Quantizers of whole networks, by what they stand behind and in front of.

As many as NNCF 3.4.0 was measured to place in torchvision's MobileNetV2 (64, 17 of them per
channel) and ResNet-50 (71), and in a BERT-base as a transformer (74, with 74 integer MatMuls and
two integer tables); its figures do not cover ResNet-18.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

import quant
from quant.plan import MinMaxPlan
from quant.target import Target
from tests.networks import NETWORKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is expected of one network: activations by types above and below, weights by type."""

    network: str
    model_type: str | None = None
    per_channel: int = 0
    activations: dict[str, int]
    weights: dict[str, int]


CASES = (
    Case(
        network="mobilenet_v2",
        per_channel=18,
        activations={
            "Parameter -> Convolution": 1,
            "Clamp -> GroupConvolution": 17,
            "Clamp -> Convolution": 17,
            "Add -> Convolution": 7,
            "Add -> Add": 10,
            "Add -> Add, Convolution": 10,
            "Clamp -> ReduceMean": 1,
            "ReduceMean -> Reshape": 1,
        },
        weights={"Convolution": 35, "GroupConvolution": 17, "MatMul": 1},
    ),
    Case(
        network="resnet_18",
        per_channel=1,
        activations={
            "Parameter -> Convolution": 1,
            "Relu -> MaxPool": 1,
            "Relu -> Convolution": 11,
            "Relu -> Add, Convolution": 4,
            "Add -> Add": 11,
            "Relu -> ReduceMean": 1,
            "ReduceMean -> Reshape": 1,
        },
        weights={"Convolution": 20, "MatMul": 1},
    ),
    Case(
        network="resnet_50",
        per_channel=1,
        activations={
            "Parameter -> Convolution": 1,
            "Relu -> MaxPool": 1,
            "Relu -> Convolution": 35,
            "Relu -> Add, Convolution": 12,
            "Add -> Add": 20,
            "Relu -> ReduceMean": 1,
            "ReduceMean -> Reshape": 1,
        },
        weights={"Convolution": 53, "MatMul": 1},
    ),
    Case(
        network="bert_base",
        model_type="transformer",
        activations={
            "Add -> MatMul": 24,
            "Add -> Reshape": 24,
            "Reshape -> MatMul": 12,
            "Gelu -> MatMul": 12,
            "Gather -> MatMul": 1,
            "Tanh -> MatMul": 1,
        },
        weights={"MatMul": 74, "Gather": 2},
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.network)
def test_quantizers_of_a_network(case: Case, cpu: Target) -> None:
    model = quant.load_model(NETWORKS[case.network]())
    types = {node.get_friendly_name(): node.get_type_name() for node in model.get_ordered_ops()}
    step = quant.Step(use="DefaultQuantization", parameters={"model_type": case.model_type})
    steps = quant.resolve(model, [step], cpu).steps
    (found,) = (each for each in steps if isinstance(each, MinMaxPlan))
    links = Counter(
        f"{types[each.tensor.op]} -> {', '.join(sorted({types[p.op] for p in each.consumers}))}"
        for each in found.activations
    )
    assert links == case.activations
    assert Counter(types[each.consumers[0].op] for each in found.weights) == case.weights
    assert sum(each.channels is not None for each in found.activations) == case.per_channel


def test_every_network_has_a_case() -> None:
    assert [case.network for case in CASES] == list(NETWORKS)
