"""Whole networks: as many operations, wired in the same way, as the real ones.

As small as they can be unless sizes are given: width 64, 32 and 768 make the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

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

INVERTED = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, repeats and first stride. Source: Sandler et al. (2018), table 2."""


def mobilenet_v2(*, width: int = 4, side: int = 64, classes: int = 10) -> ov.Model:
    """17 inverted residuals between a stem of `width` channels and a classifier, Clamp behind each
    wide layer.

    Source: Sandler et al. (2018), table 2.
    """
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, side, side)
    node = _clamped(conv(rng, x, (width, 3, 3, 3), "stem", stride=2), "stem")
    before, block = width, 0
    for factor, channels, repeats, first in INVERTED:
        grown = channels * width // 32
        for i in range(repeats):
            sizes = (before, grown, factor)
            node = _inverted(rng, node, sizes, f"block{block}", stride=first if i == 0 else 1)
            before, block = grown, block + 1
    last = 40 * width
    node = _clamped(conv(rng, node, (last, before, 1, 1), "last"), "last")
    return finish([_classifier(rng, node, last, classes)], [x])


def _clamped(x: ov.Node, name: str) -> ov.Node:
    return named(opset.clamp(x, 0, 6), f"{name}/clamp")


def _inverted(
    rng: Rng, x: ov.Node, sizes: tuple[int, int, int], name: str, *, stride: int
) -> ov.Node:
    width, grown, factor = sizes
    wide, node = width * factor, x
    if factor > 1:
        node = _clamped(conv(rng, x, (wide, width, 1, 1), f"{name}/wide"), f"{name}/wide")
    depthwise = group_conv(rng, node, (wide, 1, 1, 3, 3), f"{name}/depthwise", stride=stride)
    node = conv(
        rng, _clamped(depthwise, f"{name}/depthwise"), (grown, wide, 1, 1), f"{name}/narrow"
    )
    is_residual = stride == 1 and width == grown
    return named(opset.add(x, node), f"{name}/sum") if is_residual else node


def _classifier(rng: Rng, x: ov.Node, channels: int, classes: int) -> ov.Node:
    mean = named(opset.reduce_mean(x, np.array([2, 3]), keep_dims=True), "mean")
    return linear(rng, reshape(mean, [1, channels], "flat"), (classes, channels), "classifier")


def resnet_18(*, width: int = 4, side: int = 64, classes: int = 10) -> ov.Model:
    """Eight blocks of two convolutions. Source: He et al. (2015), table 1."""
    return _resnet((2, 2, 2, 2), (3, 3), (width, side, classes))


def resnet_50(*, width: int = 4, side: int = 64, classes: int = 10) -> ov.Model:
    """Sixteen blocks of three convolutions, the second of them strided.

    Source: He et al. (2015), table 1.
    """
    return _resnet((3, 4, 6, 3), (1, 3, 1), (width, side, classes))


def _resnet(
    stages: tuple[int, ...], kernels: tuple[int, ...], sizes: tuple[int, int, int]
) -> ov.Model:
    """Channels double from stage to stage; blocks of three convolutions end with four times as
    many as they have inside."""
    width, side, classes = sizes
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, side, side)
    node: Any = relu(conv(rng, x, (width, 3, 7, 7), "stem", stride=2), "stem/relu")
    pooled = opset.max_pool(node, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3])
    node, before = named(pooled, "pool").output(0), width
    for stage, blocks in enumerate(stages):
        inner = width * 2**stage
        grown = inner * (4 if len(kernels) == 3 else 1)
        for block in range(blocks):
            name, stride = f"stage{stage}/block{block}", 2 if stage and not block else 1
            channels = (before, *[inner] * (len(kernels) - 1), grown)
            branch = _branch(rng, node, channels, kernels, name, stride=stride)
            if before != grown:
                shortcut = (grown, before, 1, 1)
                node = conv(rng, node, shortcut, f"{name}/shortcut", stride=stride)
            node = relu(named(opset.add(branch, node), f"{name}/sum"), f"{name}/relu")
            before = grown
    return finish([_classifier(rng, node, before, classes)], [x])


def _branch(
    rng: Rng,
    x: Any,
    channels: tuple[int, ...],
    kernels: tuple[int, ...],
    name: str,
    *,
    stride: int,
) -> ov.Node:
    """Convolutions with Relus between; the first one that is not pointwise is strided."""
    node = x
    for i, size in enumerate(kernels):
        sizes = (channels[i + 1], channels[i], size, size)
        step = stride if i == kernels.index(3) else 1
        node = conv(rng, node, sizes, f"{name}/conv{i}", stride=step)
        if i < len(kernels) - 1:
            node = relu(node, f"{name}/relu{i}")
    return node


def bert_base(*, width: int = 16, heads: int = 2, length: int = 6, words: int = 10) -> ov.Model:
    """Twelve post-norm encoders behind three embeddings, a pooler and a classifier.

    Source: Devlin et al. (2018).
    """
    rng, x = np.random.default_rng(0), parameter("tokens", 1, length, kind=np.int64)
    kinds = parameter("kinds", 1, length, kind=np.int64)
    zero = opset.constant(np.int64(0))
    rows = opset.gather(constant(normal(rng, words, width, fan_in=1), "words"), x, zero)
    types = opset.gather(constant(normal(rng, 10, width, fan_in=1), "types"), kinds, zero)
    total = opset.add(named(rows, "word_rows"), named(types, "type_rows"))
    positions = constant(normal(rng, 1, length, width, fan_in=1), "positions")
    node = _norm(rng, named(opset.add(total, positions), "embedding"), width, "embedding/norm")
    for layer in range(12):
        node = _encoder(rng, node, (length, heads, width), f"layer{layer}")
    first = named(
        opset.gather(node, opset.constant(np.int64(0)), opset.constant(np.int64(1))), "cls"
    )
    pooled = named(opset.tanh(linear(rng, first, (width, width), "pooler")), "tanh")
    return finish([linear(rng, pooled, (2, width), "classifier")], [x, kinds])


def _encoder(rng: Rng, x: ov.Node, sizes: tuple[int, int, int], name: str) -> ov.Node:
    length, _, width = sizes
    q, k, v = (
        _heads(linear(rng, x, (width, width), f"{name}/{each}"), sizes, f"{name}/{each}")
        for each in "qkv"
    )
    attended = named(opset.scaled_dot_product_attention(q, k, v), f"{name}/attention")
    joined = reshape(
        transpose(attended, [0, 2, 1, 3], f"{name}/turned"), [1, length, width], f"{name}/joined"
    )
    output = linear(rng, joined, (width, width), f"{name}/o")
    middle = _norm(rng, named(opset.add(output, x), f"{name}/sum1"), width, f"{name}/norm1")
    wide = linear(rng, middle, (4 * width, width), f"{name}/ff1")
    hidden = named(opset.gelu(wide, "erf"), f"{name}/gelu")
    output = linear(rng, hidden, (width, 4 * width), f"{name}/ff2")
    return _norm(rng, named(opset.add(output, middle), f"{name}/sum2"), width, f"{name}/norm2")


def _heads(x: ov.Node, sizes: tuple[int, int, int], name: str) -> ov.Node:
    length, heads, width = sizes
    split = reshape(x, [1, length, heads, width // heads], f"{name}/reshape")
    return transpose(split, [0, 2, 1, 3], f"{name}/heads")


def _norm(rng: Rng, x: ov.Node, width: int, name: str) -> ov.Node:
    node = named(opset.mvn(x, np.array([2]), True, 1e-5, "inside_sqrt"), name)
    gamma = constant(rng.uniform(0.5, 1.5, (1, 1, width)).astype(np.float32), f"{name}/gamma")
    beta = constant(rng.standard_normal((1, 1, width)).astype(np.float32), f"{name}/beta")
    return named(
        opset.add(named(opset.multiply(node, gamma), f"{name}/multiply"), beta), f"{name}/add"
    )


def residual_blocks(operations: int) -> ov.Model:
    """Blocks of three convolutions one after the other, the last two with nothing but a bias
    between them; of about so many operations, like the other networks that grow. The more blocks,
    the less each adds to its shortcut, so that the sum stays finite.

    Source: Zhang et al. (2019), Fixup initialization.
    """
    rng, x = np.random.default_rng(0), parameter("x", 1, 4, 4, 4)
    node = x
    for block in range(operations // 9):
        name = f"block{block}"
        branch = relu(conv(rng, node, (4, 4, 1, 1), f"{name}/conv0"), f"{name}/relu0")
        branch = conv(rng, branch, (4, 4, 1, 1), f"{name}/conv1")
        branch = conv(rng, branch, (4, 4, 1, 1), f"{name}/conv2", gain=9 / operations)
        node = relu(named(opset.add(branch, node), f"{name}/sum"), f"{name}/relu")
    return finish([node], [x])


def encoders(operations: int) -> ov.Model:
    """A stack of BERT's encoders."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, 16)
    node = x
    for layer in range(operations // 30):
        node = _encoder(rng, node, (6, 2, 16), f"layer{layer}")
    return finish([node], [x])


def dense_blocks(operations: int) -> ov.Model:
    """Blocks of sixteen layers that each read all before them, by a chain of Concats.

    Source: Huang et al. (2016), figure 2.
    """
    rng, x = np.random.default_rng(0), parameter("x", 1, 4, 4, 4)
    node = x
    for block in range(operations // 67):
        channels = 4
        for i in range(16):
            name = f"block{block}/layer{i}"
            layer = relu(conv(rng, node, (2, channels, 1, 1), name), f"{name}/relu")
            node, channels = named(opset.concat([node, layer], 1), f"{name}/concat"), channels + 2
        name = f"block{block}/transition"
        node = relu(conv(rng, node, (4, channels, 1, 1), name), f"{name}/relu")
    return finish([node], [x])


GROWING: Mapping[str, Callable[[int], ov.Model]] = {
    build.__name__: build for build in (residual_blocks, encoders, dense_blocks)
}
"""Networks of any number of operations, constants not counted, by their names."""

NETWORKS: Mapping[str, Callable[..., ov.Model]] = {
    build.__name__: build for build in (mobilenet_v2, resnet_18, resnet_50, bert_base)
}
"""Every network above by its name."""
