"""Digests of models: equal for what is equal, different for anything that a result follows from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quant.digest import digest
from quant.load import load_model
from quant.runtime import opset, ov
from tests import models
from tests.graphs import GRAPHS


def net(
    *, weight: float = 2.0, name: str = "product", side: int = 3, axis: int = 1, port: int = 0
) -> ov.Model:
    """Two inputs, of which one is multiplied and summed up."""
    inputs = [models.parameter("a", 1, side), models.parameter("b", 1, side)]
    product = opset.multiply(inputs[port], models.constant(weight, "weight"))
    total = opset.reduce_sum(models.named(product, name), np.array([axis]), keep_dims=True)
    return models.finish([opset.add(total, inputs[1 - port])], inputs)


def branching(*, weight: float = 2.0, is_crossed: bool = False) -> ov.Model:
    """An If whose first body multiplies, and whose second one negates its input."""
    x, y = models.parameter("x", 1, 3), models.parameter("y", 1, 3)
    inner, other = models.parameter("inner", 1, 3), models.parameter("other", 1, 3)
    first = ov.Model([opset.multiply(inner, np.float32(weight))], [inner], "then")
    second = ov.Model([opset.negative(other)], [other], "else")
    node = opset.if_op(opset.constant(np.array(True)))
    node.set_then_body(first)
    node.set_else_body(second)
    node.set_input((y if is_crossed else x).output(0), inner, None)
    node.set_input((x if is_crossed else y).output(0), None, other)
    node.set_output(first.results[0], second.results[0])
    return models.finish([node], [x, y])


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_a_model_has_one_digest(name: str) -> None:
    assert digest(load_model(GRAPHS[name]())) == digest(load_model(GRAPHS[name]()))


def test_different_models_have_different_digests() -> None:
    found = [digest(load_model(build())) for build in GRAPHS.values()]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("build", "changes"),
    [
        (net, {"weight": np.nextafter(np.float32(2), np.float32(3))}),
        (net, {"name": "other"}),
        (net, {"side": 4}),
        (net, {"axis": 0}),
        (net, {"port": 1}),
        (branching, {"weight": 3.0}),
        (branching, {"is_crossed": True}),
    ],
    ids=["weight", "name", "shape", "axis", "wire", "weight_inside", "port_inside"],
)
def test_any_change_changes_the_digest(
    build: Callable[..., ov.Model], changes: dict[str, object]
) -> None:
    assert digest(build(**changes)) != digest(build())


def test_strings_count() -> None:
    def of(*words: str) -> str:
        constant = models.named(ov.op.Constant(ov.Tensor(list(words))), "words")
        result = models.named(opset.result(constant), "result")
        return digest(ov.Model([result], [], "words"))

    assert of("a", "b") == of("a", "b") != of("a", "c")
