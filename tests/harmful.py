"""Nets in which one layer alone does all the harm of quantization."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.runtime import opset, ov
from tests.models import constant, evaluate_all, finish, named, normal, parameter, relu

WIDTH = 16
CLASSES = 4
PLAIN: dict[str, Any] = {"use_smooth_quant": False, "use_channel_alignment": False}
"""Parameters that leave the harm as it is."""

Array = NDArray[Any]


def harmful_net(*harmful: int, depth: int = 5) -> ov.Model:
    """Linear layers `layer0` ..., with Relus between; `x` [1, 16] -> `y0` [1, 4].

    A harmful layer has one huge weight in every row, for an input that is always 0: all its other
    weights round to nothing in 8 bits, and hardly change in 16.
    """
    rng, x = np.random.default_rng(0), parameter("x", 1, WIDTH)
    node: Any = x
    seen = np.concatenate(harmful_samples())
    for i in range(depth):
        weights = np.eye(WIDTH, dtype=np.float32) + 0.2 * normal(rng, WIDTH, WIDTH, fan_in=WIDTH)
        bias = np.ones((1, WIDTH), np.float32)
        bias[0, 0], weights[0] = -1, 0  # behind the Relu, the first value is 0
        if i in harmful:
            weights[:, 0] = 300
        name = f"layer{i}"
        product = opset.matmul(node, constant(weights, f"{name}/weights"), False, True)
        sum_ = named(opset.add(named(product, name), constant(bias, f"{name}/bias")), f"{name}/add")
        node = relu(sum_, f"{name}/relu")
        seen = np.maximum(seen @ weights.T + bias, 0)
    weights = normal(rng, CLASSES, WIDTH, fan_in=WIDTH)
    head = named(opset.matmul(node, constant(weights, "head/weights"), False, True), "head")
    balance = -(seen @ weights.T).mean(axis=0, keepdims=True)  # every class about as often
    return finish([named(opset.add(head, constant(balance, "head/bias")), "head/add")], [x])


def harmful_samples(count: int = 256) -> list[Array]:
    """Samples `[1, 16]`, the first value 0."""
    x = np.random.default_rng(1).standard_normal((count, 1, WIDTH)).astype(np.float32)
    x[:, :, 0] = 0
    return list(x)


def classes(model: ov.Model, samples: list[Array]) -> Array:
    """The model's class for every sample."""
    return np.array([np.argmax(y[0]) for y in evaluate_all(model, [[x] for x in samples])])
