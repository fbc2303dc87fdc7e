"""Random models: layers drawn by a seed, each on tensors that came before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quant.runtime import opset, ov
from tests.models import Rng, constant, conv, finish, group_conv, linear, named, normal, parameter

Layer = Callable[[Rng, list[ov.Output], str], ov.Node]


def random_model(seed: int, layers: int = 10) -> ov.Model:
    """A model of so many layers on one picture `[1, 4, 8, 8]`; tensors that nothing reads are
    outputs."""
    rng = np.random.default_rng(seed)
    x = parameter("x", 1, 4, 8, 8)
    found = [x.output(0)]
    for i in range(layers):
        kind = str(rng.choice(list(LAYERS)))
        node = LAYERS[kind](rng, found, f"{kind}{i}")
        found += _bounded(node)
    return finish([each for each in found if not each.get_target_inputs()], [x])


def _bounded(node: ov.Node) -> list[ov.Output]:
    """The outputs of a layer that later ones may read: floating point, of rank 4, not too large."""
    outputs = [each for each in node.outputs() if each.get_element_type().is_real()]
    return [each for each in outputs if np.prod(each.get_shape()) <= 4096]


def _pick(rng: Rng, found: list[ov.Output]) -> ov.Output:
    """A tensor so far, rather a late one."""
    return found[max(len(found) - int(rng.geometric(0.5)), 0)]


def _pair(rng: Rng, found: list[ov.Output]) -> tuple[ov.Output, ov.Output]:
    """Two tensors of one shape; the same one twice where there are no two."""
    first = _pick(rng, found)
    alike = [each for each in found if each.get_shape() == first.get_shape()]
    return first, alike[int(rng.integers(len(alike)))]


def _conv(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    x = _pick(rng, found)
    out, kernel = int(rng.integers(2, 9)), int(rng.choice([1, 3]))
    return conv(rng, x, (out, x.get_shape()[1], kernel, kernel), name, bias=bool(rng.integers(2)))


def _depthwise(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    x = _pick(rng, found)
    return group_conv(rng, x, (x.get_shape()[1], 1, 1, 3, 3), name)


def _grouped(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    x = _pick(rng, found)
    groups = 2 if x.get_shape()[1] % 2 == 0 else 1
    return group_conv(rng, x, (groups, 2, x.get_shape()[1] // groups, 3, 3), name)


def _transposed(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    x = _pick(rng, found)
    channels = x.get_shape()[1]
    weights = constant(normal(rng, channels, 4, 2, 2, fan_in=channels), f"{name}/weights")
    return named(opset.convolution_backprop_data(x, weights, [2, 2]), name)


def _linear(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    x = _pick(rng, found)
    return linear(rng, x, (int(rng.integers(2, 9)), x.get_shape()[3]), name)


def _product(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    a, b = _pair(rng, found)
    scores = named(opset.matmul(a, b, False, True), name)
    return opset.multiply(scores, constant(1 / a.get_shape()[3], f"{name}/scale"))


def _attention(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    a, b = _pair(rng, found)
    scores = opset.softmax(named(opset.matmul(a, b, False, True), f"{name}/scores"), -1)
    return named(opset.matmul(scores, b, False, False), name)


def _eltwise(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    make = (opset.add, opset.add, opset.subtract, opset.multiply, opset.maximum)
    return named(make[int(rng.integers(len(make)))](*_pair(rng, found)), name)


def _scale(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    x = _pick(rng, found)
    sizes = (1, x.get_shape()[1], 1, 1) if rng.integers(2) else ()
    factor = constant(rng.uniform(0.5, 2, sizes).astype(np.float32), f"{name}/factor")
    return named((opset.multiply, opset.add)[int(rng.integers(2))](x, factor), name)


def _activation(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    make = (opset.relu, opset.relu, opset.hswish, opset.sigmoid, opset.swish, opset.tanh, _gelu)
    return named(make[int(rng.integers(len(make)))](_pick(rng, found)), name)


def _gelu(x: ov.Output) -> ov.Node:
    return opset.gelu(x, "erf")


def _gate(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    x = _pick(rng, found)
    mean = opset.reduce_mean(x, np.array([2, 3]), keep_dims=True)
    channels = x.get_shape()[1]
    gate = opset.sigmoid(conv(rng, mean, (channels, channels, 1, 1), f"{name}/excite"))
    return named(opset.multiply(x, gate), name)


def _concat(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    axis = int(rng.integers(1, 4))
    return named(opset.concat(list(_pair(rng, found)), axis), name)


def _split(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    x = _pick(rng, found)
    axis = int(rng.integers(1, 4))
    parts = 2 if x.get_shape()[axis] % 2 == 0 else 1
    return named(opset.split(x, opset.constant(np.int64(axis)), parts), name)


def _pool(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    x, ones = _pick(rng, found), [1, 1]
    if rng.integers(2):
        return named(opset.max_pool(x, ones, ones, ones, ones, [3, 3]), name)
    return named(opset.avg_pool(x, ones, ones, ones, [3, 3], False), name)


def _mean(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    axis = int(rng.integers(1, 4))
    return named(opset.reduce_mean(_pick(rng, found), np.array([axis]), keep_dims=True), name)


def _move(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    x = _pick(rng, found)
    a, b, c, d = x.get_shape()
    if rng.integers(2):
        order = np.array([0, *(rng.permutation(3) + 1)], dtype=np.int64)
        return named(opset.transpose(x, order), name)
    return named(opset.reshape(x, np.array([a, c, b, d], np.int64), special_zero=False), name)


def _resize(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    mode = ("nearest", "linear_onnx")[int(rng.integers(2))]
    sizes, axes = np.array([8, 8], np.int64), np.array([2, 3], np.int64)
    return named(opset.interpolate(_pick(rng, found), sizes, mode, "sizes", axes=axes), name)


def _norm(rng: Rng, found: list[ov.Output], name: str) -> ov.Node:
    x = _pick(rng, found)
    axes = np.array([2, 3] if rng.integers(2) else [3])
    return named(opset.mvn(x, axes, True, 1e-5, "inside_sqrt"), name)


LAYERS: dict[str, Layer] = {
    layer.__name__[1:]: layer
    for layer in (
        *(_conv, _depthwise, _grouped, _transposed, _linear, _product, _attention, _eltwise),
        *(_scale, _activation, _gate, _concat, _split, _pool, _mean, _move, _resize, _norm),
    )
}
"""What a layer may be."""
