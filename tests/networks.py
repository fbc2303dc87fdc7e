"""Whole networks with few channels: as many operations, wired in the same way, as the real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from quant.runtime import opset, ov
from tests.models import (
    Rng,
    constant,
    conv,
    finish,
    group_conv,
    linear,
    named,
    normal,
    parameter,
    relu,
    reshape,
    transpose,
)


def mobilenet_v2() -> ov.Model:
    """17 inverted residuals between a stem and a classifier, Clamp behind each wide layer.

    Source: Sandler et al. (2018), table 2.
    """
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 16, 16)
    width = 3
    node = _clamped(conv(rng, x, (width, 3, 3, 3), "stem"), "stem")
    block = 0
    for repeats, grown, factor in zip(
        (1, 2, 3, 4, 3, 3, 1), (4, 5, 6, 7, 8, 9, 10), (1, *[6] * 6), strict=True
    ):
        for _ in range(repeats):
            node = _inverted(rng, node, (width, grown, factor), f"block{block}")
            width, block = grown, block + 1
    node = _clamped(conv(rng, node, (16, width, 1, 1), "last"), "last")
    return finish([_classifier(rng, node, 16)], [x])


def _clamped(x: ov.Node, name: str) -> ov.Node:
    return named(opset.clamp(x, 0, 6), f"{name}/clamp")


def _inverted(rng: Rng, x: ov.Node, sizes: tuple[int, int, int], name: str) -> ov.Node:
    width, grown, factor = sizes
    wide, node = width * factor, x
    if factor > 1:
        node = _clamped(conv(rng, x, (wide, width, 1, 1), f"{name}/wide"), f"{name}/wide")
    depthwise = group_conv(rng, node, (wide, 1, 1, 3, 3), f"{name}/depthwise")
    node = conv(
        rng, _clamped(depthwise, f"{name}/depthwise"), (grown, wide, 1, 1), f"{name}/narrow"
    )
    return named(opset.add(x, node), f"{name}/sum") if width == grown else node


def _classifier(rng: Rng, x: ov.Node, channels: int) -> ov.Node:
    mean = named(opset.reduce_mean(x, np.array([2, 3]), keep_dims=True), "mean")
    return linear(rng, reshape(mean, [1, channels], "flat"), (10, channels), "classifier")


def resnet_18() -> ov.Model:
    """Eight blocks of two convolutions. Source: He et al. (2015), table 1."""
    return _resnet((2, 2, 2, 2), is_bottleneck=False)


def resnet_50() -> ov.Model:
    """Sixteen blocks of three convolutions. Source: He et al. (2015), table 1."""
    return _resnet((3, 4, 6, 3), is_bottleneck=True)


def _resnet(stages: tuple[int, ...], *, is_bottleneck: bool) -> ov.Model:
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 16, 16)
    node = relu(conv(rng, x, (4, 3, 3, 3), "stem"), "stem/relu")
    ones = [1, 1]
    pooled = opset.max_pool(node, ones, ones, ones, ones, [3, 3])
    node, width = reshape(named(pooled, "pool").output(0), [1, 4, 16, 16], "same"), 4
    for stage, blocks in enumerate(stages):
        grown = 4 * (stage + 1) + (4 if is_bottleneck else 0)
        for block in range(blocks):
            name = f"stage{stage}/block{block}"
            branch = _branch(rng, node, (width, grown), name, is_bottleneck=is_bottleneck)
            if width != grown:
                node = conv(rng, node, (grown, width, 1, 1), f"{name}/shortcut")
            node = relu(named(opset.add(branch, node), f"{name}/sum"), f"{name}/relu")
            width = grown
    return finish([_classifier(rng, node, width)], [x])


def _branch(
    rng: Rng, x: ov.Node, sizes: tuple[int, int], name: str, *, is_bottleneck: bool
) -> ov.Node:
    width, grown = sizes
    kernels = (1, 3, 1) if is_bottleneck else (3, 3)
    node = x
    for i, size in enumerate(kernels):
        channels = grown if i == len(kernels) - 1 else 4
        node = conv(rng, node, (channels, width, size, size), f"{name}/conv{i}")
        if i < len(kernels) - 1:
            node = relu(node, f"{name}/relu{i}")
        width = channels
    return node


def bert_base() -> ov.Model:
    """Twelve post-norm encoders behind three embeddings, a pooler and a classifier.

    Source: Devlin et al. (2018).
    """
    rng, x = np.random.default_rng(0), parameter("tokens", 1, 6, kind=np.int64)
    kinds = parameter("kinds", 1, 6, kind=np.int64)
    zero = opset.constant(np.int64(0))
    words = opset.gather(constant(normal(rng, 10, 16, fan_in=1), "words"), x, zero)
    types = opset.gather(constant(normal(rng, 10, 16, fan_in=1), "types"), kinds, zero)
    total = opset.add(named(words, "word_rows"), named(types, "type_rows"))
    positions = constant(normal(rng, 1, 6, 16, fan_in=1), "positions")
    node = _norm(rng, named(opset.add(total, positions), "embedding"), "embedding/norm")
    for layer in range(12):
        node = _encoder(rng, node, f"layer{layer}")
    first = named(
        opset.gather(node, opset.constant(np.int64(0)), opset.constant(np.int64(1))), "cls"
    )
    pooled = named(opset.tanh(linear(rng, first, (16, 16), "pooler")), "tanh")
    return finish([linear(rng, pooled, (2, 16), "classifier")], [x, kinds])


def _encoder(rng: Rng, x: ov.Node, name: str) -> ov.Node:
    q, k, v = (
        _heads(linear(rng, x, (16, 16), f"{name}/{each}"), f"{name}/{each}") for each in "qkv"
    )
    attended = named(opset.scaled_dot_product_attention(q, k, v), f"{name}/attention")
    joined = reshape(
        transpose(attended, [0, 2, 1, 3], f"{name}/turned"), [1, 6, 16], f"{name}/joined"
    )
    output = linear(rng, joined, (16, 16), f"{name}/o")
    middle = _norm(rng, named(opset.add(output, x), f"{name}/sum1"), f"{name}/norm1")
    hidden = named(opset.gelu(linear(rng, middle, (32, 16), f"{name}/ff1"), "erf"), f"{name}/gelu")
    output = linear(rng, hidden, (16, 32), f"{name}/ff2")
    return _norm(rng, named(opset.add(output, middle), f"{name}/sum2"), f"{name}/norm2")


def _heads(x: ov.Node, name: str) -> ov.Node:
    return transpose(reshape(x, [1, 6, 2, 8], f"{name}/reshape"), [0, 2, 1, 3], f"{name}/heads")


def _norm(rng: Rng, x: ov.Node, name: str) -> ov.Node:
    node = named(opset.mvn(x, np.array([2]), True, 1e-5, "inside_sqrt"), name)
    gamma = constant(rng.uniform(0.5, 1.5, (1, 1, 16)).astype(np.float32), f"{name}/gamma")
    beta = constant(rng.standard_normal((1, 1, 16)).astype(np.float32), f"{name}/beta")
    return named(
        opset.add(named(opset.multiply(node, gamma), f"{name}/multiply"), beta), f"{name}/add"
    )


NETWORKS: Mapping[str, Callable[[], ov.Model]] = {
    build.__name__: build for build in (mobilenet_v2, resnet_18, resnet_50, bert_base)
}
"""Every network above by its name."""
