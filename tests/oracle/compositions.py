"""Networks of random blocks: the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quant.runtime import opset, ov
from tests.models import (
    Rng,
    conv,
    finish,
    group_conv,
    linear,
    named,
    parameter,
    relu,
    reshape,
)

CHANNELS = 8
Block = Callable[[Rng, ov.Node, str], ov.Node]


def composition(seed: int) -> ov.Model:
    """A stem, three to six random blocks, and a classifier or a convolution behind them."""
    rng, x = np.random.default_rng(seed), parameter("x", 1, 3, 8, 8)
    node = _activation(rng, conv(rng, x, (CHANNELS, 3, 3, 3), "stem"), "stem")
    for i in range(int(rng.integers(3, 7))):
        block = BLOCKS[int(rng.integers(len(BLOCKS)))]
        node = block(rng, node, f"{block.__name__}{i}")
    if rng.integers(2):
        return finish([conv(rng, node, (4, CHANNELS, 1, 1), "head")], [x])
    mean = named(opset.reduce_mean(node, np.array([2, 3]), keep_dims=False), "mean")
    return finish([linear(rng, mean, (4, CHANNELS), "head")], [x])


def _activation(rng: Rng, x: ov.Node, name: str) -> ov.Node:
    """One of those that networks have, or none."""
    kinds = (opset.relu, opset.swish, opset.hswish, opset.gelu, opset.sigmoid, None)
    kind = kinds[int(rng.integers(len(kinds)))]
    if kind is None:
        return x
    return named(kind(x, "erf") if kind is opset.gelu else kind(x), f"{name}/activation")


def plain(rng: Rng, x: ov.Node, name: str) -> ov.Node:
    size = int(rng.choice([1, 3]))
    has_bias = bool(rng.integers(2))
    return _activation(
        rng, conv(rng, x, (CHANNELS, CHANNELS, size, size), name, bias=has_bias), name
    )


def depthwise(rng: Rng, x: ov.Node, name: str) -> ov.Node:
    return _activation(rng, group_conv(rng, x, (CHANNELS, 1, 1, 3, 3), name), name)


def grouped(rng: Rng, x: ov.Node, name: str) -> ov.Node:
    return _activation(rng, group_conv(rng, x, (2, CHANNELS // 2, CHANNELS // 2, 3, 3), name), name)


def residual(rng: Rng, x: ov.Node, name: str) -> ov.Node:
    branch = plain(rng, x, f"{name}/branch")
    return _activation(rng, named(opset.add(x, branch), name), name)


def inverted(rng: Rng, x: ov.Node, name: str) -> ov.Node:
    """MobileNet's block: wider, depthwise, narrow again, and the sum with what came in."""
    wide = 2 * CHANNELS
    node = _activation(rng, conv(rng, x, (wide, CHANNELS, 1, 1), f"{name}/wide"), f"{name}/wide")
    node = group_conv(rng, node, (wide, 1, 1, 3, 3), f"{name}/depthwise")
    node = _activation(rng, node, f"{name}/depthwise")
    node = conv(rng, node, (CHANNELS, wide, 1, 1), f"{name}/narrow")
    return named(opset.add(x, node), name)


def squeeze(rng: Rng, x: ov.Node, name: str) -> ov.Node:
    """Squeeze-and-excitation, its gate a Sigmoid or a HardSigmoid."""
    node = named(opset.reduce_mean(x, np.array([2, 3]), keep_dims=True), f"{name}/mean")
    node = relu(conv(rng, node, (4, CHANNELS, 1, 1), f"{name}/down"), f"{name}/relu")
    node = conv(rng, node, (CHANNELS, 4, 1, 1), f"{name}/up")
    gate = (opset.sigmoid, opset.hsigmoid)[int(rng.integers(2))](node)
    return named(opset.multiply(x, named(gate, f"{name}/gate")), name)


def branches(rng: Rng, x: ov.Node, name: str) -> ov.Node:
    """Two convolutions beside each other, their results concatenated."""
    half = (CHANNELS // 2, CHANNELS)
    parts = [
        _activation(rng, conv(rng, x, (*half, size, size), f"{name}/{size}"), f"{name}/{size}")
        for size in (1, 3)
    ]
    return named(opset.concat(parts, 1), name)


def split(rng: Rng, x: ov.Node, name: str) -> ov.Node:
    """Half of the channels go through a convolution, the others past it."""
    halves = named(opset.split(x, opset.constant(np.int64(1)), 2), f"{name}/split")
    n = CHANNELS // 2
    turned = _activation(rng, conv(rng, halves.output(0), (n, n, 3, 3), f"{name}/conv"), name)
    return named(opset.concat([turned, halves.output(1)], 1), name)


def pool(rng: Rng, x: ov.Node, name: str) -> ov.Node:
    ones, pads = [1, 1], [1, 1]
    if rng.integers(2):
        return named(opset.avg_pool(x, ones, pads, pads, [3, 3], True), name)
    return _first(opset.max_pool(x, ones, ones, pads, pads, [3, 3]), name)


def _first(node: ov.Node, name: str) -> ov.Node:
    """A node that hands on the first output only."""
    shape = list(node.output(0).get_shape())
    return reshape(named(node, f"{name}/pool").output(0), shape, name)


BLOCKS: tuple[Block, ...] = (
    *(plain, depthwise, grouped, residual, inverted, squeeze, branches, split, pool),
)
