"""Tiny OpenVINO models built in code, the same on every call, and samples that fit them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.runtime import F32, core, opset, ov

Array = NDArray[Any]
Rng = np.random.Generator


def evaluate(model: ov.Model, sample: Any) -> list[Array]:
    """All outputs of a model for one sample, in f32 on the CPU."""
    return evaluate_all(model, [sample])[0]


def evaluate_all(model: ov.Model, given: Sequence[Any]) -> list[list[Array]]:
    """All outputs of a model for each sample, in f32 on the CPU."""
    config = {**F32, "INFERENCE_NUM_THREADS": 1}
    request = core().compile_model(model, "CPU", config).create_infer_request()
    return [[np.array(value) for value in request.infer(each).values()] for each in given]


def samples(model: ov.Model, count: int = 8, seed: int = 0) -> list[list[Array]]:
    """Samples in input order: normal numbers, or whole ones that index any table of ours.

    Dynamic dimensions differ from sample to sample.
    """
    rng = np.random.default_rng(seed)
    return [[_array(rng, node, i) for node in model.inputs] for i in range(count)]


def _array(rng: Rng, node: ov.Output, number: int) -> Array:
    shape = [d.get_length() if d.is_static else 4 + number % 3 for d in node.get_partial_shape()]
    if node.get_element_type() == ov.Type.string:
        return np.full(shape, f"text {number}")
    kind = node.get_element_type().to_dtype()
    if node.get_element_type().is_real():
        return rng.standard_normal(shape).astype(kind)
    return rng.integers(0, 256 if kind == np.uint8 else 10, shape).astype(kind)


def parameter(name: str, *shape: int, kind: Any = np.float32) -> ov.Node:
    """An input; -1 stands for a dynamic dimension."""
    node = opset.parameter(ov.PartialShape(list(shape)), kind, name=name)
    node.output(0).set_names({name})
    return node


def named(node: ov.Node, name: str) -> ov.Node:
    """The node under a friendly name."""
    node.set_friendly_name(name)
    return node


def constant(values: Any, name: str) -> ov.Node:
    """A constant in f32 unless it is an array of another type."""
    array = values if isinstance(values, np.ndarray) else np.asarray(values, dtype=np.float32)
    return named(opset.constant(array), name)


def normal(rng: Rng, *shape: int, fan_in: int) -> Array:
    """Weights that keep the size of what they multiply."""
    return (rng.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)


def conv(
    rng: Rng,
    x: Any,
    sizes: tuple[int, ...],
    name: str,
    *,
    bias: bool = True,
    stride: int = 1,
    gain: float = 1,
) -> ov.Node:
    """A convolution of any rank with weights of `sizes`, [out, in, *kernel], with a bias."""
    drawn = normal(rng, *sizes, fan_in=int(np.prod(sizes[1:])))
    weights = constant(gain * drawn, f"{name}/weights")
    spatial = len(sizes) - 2
    pads = [size // 2 for size in sizes[2:]]
    node = opset.convolution(x, weights, [stride] * spatial, pads, pads, [1] * spatial)
    named(node, name)
    return add_bias(rng, node, sizes[0], spatial, name) if bias else node


def group_conv(rng: Rng, x: Any, sizes: tuple[int, ...], name: str, *, stride: int = 1) -> ov.Node:
    """A padded 2-D group convolution with weights [groups, out, in, kH, kW] and a bias."""
    fan_in = int(np.prod(sizes[2:]))
    weights = constant(normal(rng, *sizes, fan_in=fan_in), f"{name}/weights")
    pads = [size // 2 for size in sizes[3:]]
    strides = [stride, stride]
    node = named(opset.group_convolution(x, weights, strides, pads, pads, [1, 1]), name)
    return add_bias(rng, node, sizes[0] * sizes[1], 2, name)


def add_bias(rng: Rng, node: ov.Node, channels: int, spatial: int, name: str) -> ov.Node:
    """The node with a constant added to its channels, axis 1."""
    values = rng.standard_normal((1, channels) + (1,) * spatial).astype(np.float32)
    return named(opset.add(node, constant(values, f"{name}/bias")), f"{name}/add")


def linear(rng: Rng, x: Any, sizes: tuple[int, int], name: str) -> ov.Node:
    """A MatMul with weights [out, in] and a bias."""
    weights = constant(normal(rng, *sizes, fan_in=sizes[1]), f"{name}/weights")
    node = named(opset.matmul(x, weights, False, True), name)
    rank = node.get_output_partial_shape(0).rank.get_length()
    values = rng.standard_normal((1,) * (rank - 1) + (sizes[0],)).astype(np.float32)
    return named(opset.add(node, constant(values, f"{name}/bias")), f"{name}/add")


def reshape(x: Any, shape: list[int], name: str) -> ov.Node:
    """A Reshape to a constant shape."""
    return named(opset.reshape(x, np.array(shape, dtype=np.int64), special_zero=False), name)


def transpose(x: Any, order: list[int], name: str) -> ov.Node:
    """A Transpose by a constant order."""
    return named(opset.transpose(x, np.array(order, dtype=np.int64)), name)


def relu(x: Any, name: str) -> ov.Node:
    """A Relu."""
    return named(opset.relu(x), name)


def finish(
    outputs: list[Any], inputs: list[ov.Node], sinks: list[ov.Node] | None = None
) -> ov.Model:
    """The model, its outputs named y0, y1 and so on."""
    results = []
    for i, node in enumerate(outputs):
        output = node if isinstance(node, ov.Output) else node.output(0)
        output.add_names({f"y{i}"})
        results.append(named(opset.result(output), f"result{i}"))
    return ov.Model(results, sinks, inputs, "tiny") if sinks else ov.Model(results, inputs, "tiny")


def conv_relu_conv() -> ov.Model:
    """x -> conv -> relu -> conv."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    hidden = relu(conv(rng, x, (8, 3, 3, 3), "conv1"), "relu1")
    return finish([conv(rng, hidden, (4, 8, 3, 3), "conv2")], [x])


def residual() -> ov.Model:
    """conv1 -> relu1 -> conv2, their sum -> relu2 -> conv3."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    first = relu(conv(rng, x, (8, 3, 3, 3), "conv1"), "relu1")
    both = named(opset.add(conv(rng, first, (8, 8, 3, 3), "conv2"), first), "sum")
    return finish([conv(rng, relu(both, "relu2"), (4, 8, 1, 1), "conv3")], [x])


def depthwise() -> ov.Model:
    """A depthwise convolution on the input, and one between two pointwise ones."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 4, 8, 8)
    first = relu(group_conv(rng, x, (4, 1, 1, 3, 3), "depthwise1"), "relu1")
    second = relu(conv(rng, first, (8, 4, 1, 1), "conv2"), "relu2")
    third = relu(group_conv(rng, second, (8, 1, 1, 3, 3), "depthwise3"), "relu3")
    return finish([conv(rng, third, (4, 8, 1, 1), "conv4")], [x])


def depthwise_and_conv() -> ov.Model:
    """A depthwise and a plain convolution on one tensor."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    first = relu(conv(rng, x, (4, 3, 3, 3), "conv1"), "relu1")
    left = group_conv(rng, first, (4, 1, 1, 3, 3), "depthwise2")
    return finish([left, conv(rng, first, (4, 4, 1, 1), "conv2")], [x])


def depthwise_behind_pool() -> ov.Model:
    """A depthwise convolution behind a MaxPool, and one behind a Transpose of channels."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    first = relu(conv(rng, x, (4, 3, 3, 3), "conv1"), "relu1")
    pooled = _max_pool(first)
    second = relu(group_conv(rng, pooled, (4, 1, 1, 3, 3), "depthwise2"), "relu2")
    turned = transpose(second, [0, 2, 1, 3], "transpose")
    return finish([group_conv(rng, turned, (4, 1, 1, 3, 3), "depthwise3")], [x])


def _max_pool(x: Any) -> ov.Output:
    """The first output of a MaxPool: its second one holds indices."""
    return named(opset.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]), "pool").output(0)


def max_pool() -> ov.Model:
    """conv -> relu -> MaxPool -> conv."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    first = relu(conv(rng, x, (8, 3, 3, 3), "conv1"), "relu1")
    pooled = _max_pool(first)
    return finish([conv(rng, pooled, (4, 8, 3, 3), "conv2")], [x])


def classifier() -> ov.Model:
    """conv -> relu -> ReduceMean -> Reshape -> MatMul -> Softmax."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    first = relu(conv(rng, x, (8, 3, 3, 3), "conv1"), "relu1")
    mean = named(opset.reduce_mean(first, np.array([2, 3]), keep_dims=True), "mean")
    scores = linear(rng, reshape(mean, [1, 8], "flatten"), (4, 8), "linear")
    return finish([named(opset.softmax(scores, -1), "softmax")], [x])


def _two_branches(rng: Rng, x: ov.Node) -> list[ov.Node]:
    left = relu(conv(rng, x, (4, 3, 3, 3), "conv1"), "relu1")
    return [left, relu(conv(rng, x, (4, 3, 1, 1), "conv2"), "relu2")]


def concat() -> ov.Model:
    """Two convolutions -> Concat -> conv."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    both = named(opset.concat(_two_branches(rng, x), 1), "concat")
    return finish([conv(rng, both, (4, 8, 3, 3), "conv3")], [x])


def concat_to_result() -> ov.Model:
    """Two convolutions -> Concat -> the output."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    return finish([named(opset.concat(_two_branches(rng, x), 1), "concat")], [x])


def concat_to_pool() -> ov.Model:
    """Two convolutions -> Concat -> ReduceMean: nothing below needs one scale."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    both = named(opset.concat(_two_branches(rng, x), 1), "concat")
    return finish([named(opset.reduce_mean(both, np.array([2, 3])), "mean")], [x])


def split() -> ov.Model:
    """conv -> relu -> Split -> two convolutions."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    first = relu(conv(rng, x, (8, 3, 3, 3), "conv1"), "relu1")
    halves = named(opset.split(first, opset.constant(np.int64(1)), 2), "split")
    outputs = [conv(rng, halves.output(i), (4, 4, 3, 3), f"conv{i + 2}") for i in range(2)]
    return finish(list(outputs), [x])


def split_to_result() -> ov.Model:
    """conv -> relu -> Split -> one convolution and one output."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    first = relu(conv(rng, x, (8, 3, 3, 3), "conv1"), "relu1")
    halves = named(opset.split(first, opset.constant(np.int64(1)), 2), "split")
    return finish([conv(rng, halves.output(0), (4, 4, 3, 3), "conv2"), halves.output(1)], [x])


def float_branch() -> ov.Model:
    """conv -> relu -> conv, and a Sigmoid that needs floating point."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    first = relu(conv(rng, x, (8, 3, 3, 3), "conv1"), "relu1")
    second = conv(rng, first, (4, 8, 3, 3), "conv2")
    return finish([second, named(opset.sigmoid(first), "sigmoid")], [x])


def squeeze_excitation() -> ov.Model:
    """A gate from pooled values on the output of a Swish."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    value = named(opset.swish(conv(rng, x, (8, 3, 3, 3), "conv1")), "swish")
    pooled = named(opset.reduce_mean(value, np.array([2, 3]), keep_dims=True), "mean")
    squeezed = relu(conv(rng, pooled, (2, 8, 1, 1), "squeeze"), "relu")
    gate = named(opset.sigmoid(conv(rng, squeezed, (8, 2, 1, 1), "excite")), "sigmoid")
    gated = named(opset.multiply(value, gate), "gated")
    return finish([conv(rng, gated, (4, 8, 3, 3), "conv2")], [x])


def swish_spelled_out() -> ov.Model:
    """conv -> x * sigmoid(x) -> conv."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    value = conv(rng, x, (8, 3, 3, 3), "conv1")
    gated = named(opset.multiply(value, named(opset.sigmoid(value), "sigmoid")), "gated")
    return finish([conv(rng, gated, (4, 8, 3, 3), "conv2")], [x])


def pot_toy() -> ov.Model:
    """The network of POT's reference placement: every kind of branch."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    scaled = named(
        opset.multiply(x, constant(np.full((1, 3, 1, 1), 0.5, np.float32), "c")), "scaled"
    )
    shifted = named(
        opset.add(scaled, constant(np.full((1, 3, 1, 1), 0.1, np.float32), "d")), "shifted"
    )
    a = relu(conv(rng, shifted, (8, 3, 3, 3), "conv1"), "a")
    swish = named(opset.swish(conv(rng, a, (8, 8, 1, 1), "conv2")), "swish")
    res = named(opset.add(a, group_conv(rng, swish, (8, 1, 1, 3, 3), "dw")), "res")
    pooled = _max_pool(res)
    both = named(opset.concat([pooled, pooled], 1), "concat")
    y = conv(rng, both, (8, 16, 3, 3), "conv3")
    gated = named(opset.multiply(y, named(opset.sigmoid(y), "sigmoid")), "gated")
    mean = named(opset.reduce_mean(gated, np.array([2, 3]), keep_dims=False), "mean")
    return finish([named(opset.softmax(linear(rng, mean, (4, 8), "fc"), -1), "softmax")], [x])


def matmul() -> ov.Model:
    """Two linear layers with a Gelu between them."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, 16)
    hidden = named(opset.gelu(linear(rng, x, (32, 16), "linear1"), "erf"), "gelu")
    return finish([linear(rng, hidden, (8, 32), "linear2")], [x])


def matmul_weights_first() -> ov.Model:
    """A MatMul whose weights stand on the left."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, 4)
    weights = constant(normal(rng, 8, 6, fan_in=6), "weights")
    return finish([named(opset.matmul(weights, x, False, False), "product")], [x])


def matmul_of_two() -> ov.Model:
    """A MatMul of two activations."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, 16)
    left, right = linear(rng, x, (8, 16), "left"), linear(rng, x, (8, 16), "right")
    return finish([named(opset.matmul(left, right, False, True), "product")], [x])


def encoder_sdpa() -> ov.Model:
    """A pre-norm encoder block around ScaledDotProductAttention."""
    return finish(*_encoder(opset.scaled_dot_product_attention))


def encoder_softmax() -> ov.Model:
    """A pre-norm encoder block around MatMul -> Softmax -> MatMul, which OpenVINO can fuse."""
    return finish(*_encoder(_attention))


def encoder_attention() -> ov.Model:
    """The same, whose attention weights are an output too, so that nothing can be fused."""
    outputs, inputs = _encoder(_attention)
    weights = next(n for n in _ancestors(outputs[0]) if n.get_friendly_name() == "softmax")
    return finish([*outputs, weights], inputs)


def _ancestors(node: ov.Node) -> list[ov.Node]:
    above = [value.get_node() for value in node.input_values()]
    return above + [each for parent in above for each in _ancestors(parent)]


def _attention(q: ov.Node, k: ov.Node, v: ov.Node) -> ov.Node:
    scores = named(opset.matmul(q, k, False, True), "scores")
    scaled = named(opset.multiply(scores, constant(8**-0.5, "scale")), "scaled")
    return opset.matmul(named(opset.softmax(scaled, -1), "softmax"), v, False, False)


def _encoder(
    attend: Callable[[ov.Node, ov.Node, ov.Node], ov.Node],
) -> tuple[list[ov.Node], list[ov.Node]]:
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, 16)
    first = _norm(rng, x, "norm1")
    q, k, v = (_heads(linear(rng, first, (16, 16), name), name) for name in "qkv")
    attended = transpose(named(attend(q, k, v), "attention"), [0, 2, 1, 3], "attended")
    o = linear(rng, reshape(attended, [1, 6, 16], "joined"), (16, 16), "o")
    middle = named(opset.add(x, o), "sum1")
    hidden = linear(rng, _norm(rng, middle, "norm2"), (32, 16), "ff1")
    hidden = linear(rng, named(opset.gelu(hidden, "erf"), "gelu"), (16, 32), "ff2")
    return [named(opset.add(middle, hidden), "sum2")], [x]


def _norm(rng: Rng, x: Any, name: str) -> ov.Node:
    """Layer normalization over the last axis; one channel is much larger than the others."""
    node = named(opset.mvn(x, np.array([2]), True, 1e-5, "inside_sqrt"), name)
    gamma = rng.uniform(0.5, 1.5, (1, 1, 16)).astype(np.float32)
    gamma[..., 0] = 6
    node = named(opset.multiply(node, constant(gamma, f"{name}/gamma")), f"{name}/multiply")
    beta = rng.standard_normal((1, 1, 16)).astype(np.float32)
    return named(opset.add(node, constant(beta, f"{name}/beta")), f"{name}/add")


def _heads(x: ov.Node, name: str) -> ov.Node:
    return transpose(reshape(x, [1, 6, 2, 8], f"{name}/reshape"), [0, 2, 1, 3], f"{name}/heads")


def lstm() -> ov.Model:
    """An LSTMSequence and a linear layer on its last hidden state."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 5, 6)
    states = [constant(np.zeros((1, 1, 4), np.float32), name) for name in ("h0", "c0")]
    weights = [
        constant(normal(rng, 1, 16, n, fan_in=n), f"lstm/{s}") for n, s in ((6, "w"), (4, "r"))
    ]
    bias = constant(normal(rng, 1, 16, fan_in=1), "lstm/b")
    length = opset.constant(np.array([5], np.int32))
    cell = opset.lstm_sequence(x, *states, length, *weights, bias, 4, "forward")
    last = named(opset.squeeze(named(cell, "lstm").output(1), np.array([1])), "last")
    return finish([linear(rng, reshape(last, [1, 4], "flat"), (3, 4), "linear")], [x])


def gru(*, is_linear_before_reset: bool = False) -> ov.Model:
    """A GRUSequence and a linear layer on its last hidden state."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 5, 6)
    state = constant(np.zeros((1, 1, 4), np.float32), "h0")
    weights = [
        constant(normal(rng, 1, 12, n, fan_in=n), f"gru/{s}") for n, s in ((6, "w"), (4, "r"))
    ]
    bias = constant(normal(rng, 1, 16 if is_linear_before_reset else 12, fan_in=1), "gru/b")
    length = opset.constant(np.array([5], np.int32))
    cell = opset.gru_sequence(
        x, state, length, *weights, bias, 4, "forward", linear_before_reset=is_linear_before_reset
    )
    last = named(opset.squeeze(named(cell, "gru").output(1), np.array([1])), "last")
    return finish([linear(rng, reshape(last, [1, 4], "flat"), (3, 4), "linear")], [x])


def gru_linear_before_reset() -> ov.Model:
    """A GRUSequence of the variant that no device executes in integers."""
    return gru(is_linear_before_reset=True)


def shared_weights() -> ov.Model:
    """Two convolutions that read one constant."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 4, 8, 8)
    weights = constant(normal(rng, 4, 4, 3, 3, fan_in=36), "weights")
    first = named(opset.convolution(x, weights, [1, 1], [1, 1], [1, 1], [1, 1]), "conv1")
    hidden = relu(add_bias(rng, first, 4, 2, "conv1"), "relu1")
    return finish(
        [named(opset.convolution(hidden, weights, [1, 1], [1, 1], [1, 1], [1, 1]), "conv2")], [x]
    )


def embedding() -> ov.Model:
    """Rows of a table by token -> plus positions -> a linear layer."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, kind=np.int64)
    table = constant(normal(rng, 10, 16, fan_in=1), "table")
    rows = named(opset.gather(table, x, opset.constant(np.int64(0))), "embedding")
    positions = constant(normal(rng, 1, 6, 16, fan_in=1), "positions")
    return finish([linear(rng, named(opset.add(rows, positions), "sum"), (8, 16), "linear")], [x])


def embedding_to_linear() -> ov.Model:
    """Rows of a table by token -> a linear layer."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, kind=np.int64)
    table = constant(normal(rng, 10, 16, fan_in=1), "table")
    rows = named(opset.gather(table, x, opset.constant(np.int64(0))), "embedding")
    return finish([linear(rng, rows, (8, 16), "linear")], [x])


def shape_of() -> ov.Model:
    """A Reshape by the shape of a tensor, on the way to a linear layer."""
    rng, x = np.random.default_rng(0), parameter("x", -1, 4, 4)
    first = relu(linear(rng, x, (8, 4), "linear1"), "relu1")
    batch = opset.gather(opset.shape_of(first, "i64"), np.array([0]), opset.constant(np.int64(0)))
    target = opset.concat([batch, opset.constant(np.array([32], np.int64))], 0)
    flat = named(opset.reshape(first, target, special_zero=False), "flat")
    return finish([linear(rng, flat, (3, 32), "linear2")], [x])


def f16_weights() -> ov.Model:
    """Convolutions whose weights are f16 behind a Convert, as compressed IR files have them."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    stored = constant(normal(rng, 8, 3, 3, 3, fan_in=27).astype(np.float16), "conv1/weights")
    weights = named(opset.convert(stored, "f32"), "conv1/convert")
    first = named(opset.convolution(x, weights, [1, 1], [1, 1], [1, 1], [1, 1]), "conv1")
    hidden = relu(add_bias(rng, first, 8, 2, "conv1"), "relu1")
    return finish([conv(rng, hidden, (4, 8, 3, 3), "conv2")], [x])


def half_precision() -> ov.Model:
    """Two convolutions wholly in f16, inputs and outputs included."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8, kind=np.float16)
    sizes = {"conv1": (8, 3, 3, 3), "conv2": (4, 8, 3, 3)}
    node = x
    for name, shape in sizes.items():
        weights = normal(rng, *shape, fan_in=int(np.prod(shape[1:]))).astype(np.float16)
        ones = [1, 1]
        node = opset.convolution(node, constant(weights, f"{name}/weights"), ones, ones, ones, ones)
        bias = rng.standard_normal((1, shape[0], 1, 1)).astype(np.float16)
        node = opset.add(named(node, name), constant(bias, f"{name}/bias"))
        node = relu(named(node, f"{name}/add"), f"{name}/relu")
    return finish([node], [x])


def repeated_names() -> ov.Model:
    """Two convolutions that have one friendly name."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    hidden = relu(conv(rng, x, (8, 3, 3, 3), "conv"), "relu")
    return finish([conv(rng, hidden, (4, 8, 3, 3), "conv")], [x])


def two_inputs() -> ov.Model:
    """The sum of two convolutions, each on its own input."""
    rng, x, z = np.random.default_rng(0), parameter("x", 1, 3, 8, 8), parameter("z", 1, 2, 8, 8)
    both = opset.add(conv(rng, x, (4, 3, 3, 3), "conv1"), conv(rng, z, (4, 2, 3, 3), "conv2"))
    return finish([conv(rng, relu(named(both, "sum"), "relu"), (4, 4, 1, 1), "conv3")], [x, z])


def two_outputs() -> ov.Model:
    """An output in the middle and one at the end."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    hidden = relu(conv(rng, x, (8, 3, 3, 3), "conv1"), "relu1")
    return finish([hidden, conv(rng, hidden, (4, 8, 3, 3), "conv2")], [x])


def dynamic() -> ov.Model:
    """conv -> relu -> conv on batches and pictures of any size."""
    rng, x = np.random.default_rng(0), parameter("x", -1, 3, -1, -1)
    hidden = relu(conv(rng, x, (8, 3, 3, 3), "conv1"), "relu1")
    return finish([conv(rng, hidden, (4, 8, 3, 3), "conv2")], [x])


def transposed_conv() -> ov.Model:
    """conv -> relu -> ConvolutionBackpropData."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    hidden = relu(conv(rng, x, (4, 3, 3, 3), "conv1"), "relu1")
    weights = constant(normal(rng, 4, 6, 3, 3, fan_in=36), "up/weights")
    up = opset.convolution_backprop_data(
        hidden, weights, [2, 2], pads_begin=[1, 1], pads_end=[1, 1]
    )
    return finish([add_bias(rng, named(up, "up"), 6, 2, "up")], [x])


def group_transposed_conv() -> ov.Model:
    """conv -> relu -> GroupConvolutionBackpropData."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    hidden = relu(conv(rng, x, (4, 3, 3, 3), "conv1"), "relu1")
    weights = constant(normal(rng, 2, 2, 3, 3, 3, fan_in=18), "up/weights")
    up = opset.group_convolution_backprop_data(
        hidden, weights, [2, 2], pads_begin=[1, 1], pads_end=[1, 1]
    )
    return finish([add_bias(rng, named(up, "up"), 6, 2, "up")], [x])


def grouped() -> ov.Model:
    """conv -> relu -> a convolution in two groups."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    hidden = relu(conv(rng, x, (8, 3, 3, 3), "conv1"), "relu1")
    return finish([group_conv(rng, hidden, (2, 3, 4, 3, 3), "grouped")], [x])


def conv_1d() -> ov.Model:
    """conv -> relu -> conv over a sequence."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 16)
    hidden = relu(conv(rng, x, (8, 3, 3), "conv1"), "relu1")
    return finish([conv(rng, hidden, (4, 8, 3), "conv2")], [x])


def conv_3d() -> ov.Model:
    """conv -> relu -> conv over a volume."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 2, 6, 6, 6)
    hidden = relu(conv(rng, x, (4, 2, 3, 3, 3), "conv1"), "relu1")
    return finish([conv(rng, hidden, (2, 4, 3, 3, 3), "conv2")], [x])


def integer_input() -> ov.Model:
    """Pixels in u8 -> Convert -> scale -> conv -> relu -> conv."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8, kind=np.uint8)
    real = named(opset.convert(x, "f32"), "convert")
    scaled = named(opset.multiply(real, constant(1 / 255, "scale")), "scaled")
    hidden = relu(conv(rng, scaled, (8, 3, 3, 3), "conv1"), "relu1")
    return finish([conv(rng, hidden, (4, 8, 3, 3), "conv2")], [x])


def stateful() -> ov.Model:
    """A linear layer on the running sum of the inputs, and one more."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6)
    start = constant(np.zeros((1, 6), np.float32), "start")
    read = named(opset.read_value(start, "state", np.float32, [1, 6]), "read")
    total = named(opset.add(x, read), "total")
    assign = named(opset.assign(total, "state"), "assign")
    hidden = relu(linear(rng, total, (8, 6), "linear1"), "relu1")
    return finish([linear(rng, hidden, (4, 8), "linear2")], [x], [assign])


def top_k() -> ov.Model:
    """conv -> relu -> conv -> scores that are only sorted."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    hidden = relu(conv(rng, x, (8, 3, 3, 3), "conv1"), "relu1")
    flat = reshape(conv(rng, hidden, (4, 8, 3, 3), "conv2"), [1, 4, 64], "flat")
    halves = [opset.gather(flat, np.array([i, i + 1]), opset.constant(np.int64(1))) for i in (0, 2)]
    scores = named(opset.multiply(named(halves[0], "left"), named(halves[1], "right")), "scores")
    best = named(opset.topk(scores, opset.constant(np.int64(5)), -1, "max", "value"), "top")
    return finish([best.output(0)], [x])


def resize() -> ov.Model:
    """conv -> relu -> nearest Interpolate -> conv -> relu -> linear Interpolate -> conv."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    hidden = relu(conv(rng, x, (4, 3, 3, 3), "conv1"), "relu1")
    for i, mode in ((2, "nearest"), (3, "linear_onnx")):
        sizes, axes = np.array([16, 16], np.int64), np.array([2, 3], np.int64)
        hidden = named(opset.interpolate(hidden, sizes, mode, "sizes", axes=axes), f"{mode}")
        hidden = relu(conv(rng, hidden, (4, 4, 3, 3), f"conv{i}"), f"relu{i}")
    return finish([hidden], [x])


def compressed_weights() -> ov.Model:
    """A linear layer whose weights are integers already, and a plain one."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, 16)
    stored = constant(rng.integers(-127, 128, (8, 16)).astype(np.int8), "linear1/weights")
    real = named(opset.convert(stored, "f32"), "linear1/convert")
    weights = named(opset.multiply(real, constant([[0.01]] * 8, "linear1/scale")), "linear1/scaled")
    hidden = relu(named(opset.matmul(x, weights, False, True), "linear1"), "relu1")
    return finish([linear(rng, hidden, (4, 8), "linear2")], [x])


def rotary() -> ov.Model:
    """A linear layer whose results are turned by angles from a MatMul."""
    rng, x, z = np.random.default_rng(0), parameter("x", 1, 6, 16), parameter("z", 1, 6, 1)
    frequencies = constant(rng.uniform(0, 1, (1, 1, 16)).astype(np.float32), "frequencies")
    angles = named(opset.matmul(z, frequencies, False, False), "angles")
    value = linear(rng, x, (16, 16), "linear1")
    turned = named(opset.multiply(value, named(opset.cos(angles), "cos")), "turned")
    return finish([linear(rng, turned, (8, 16), "linear2")], [x, z])


def nothing_to_quantize() -> ov.Model:
    """A Relu and a Sigmoid."""
    x = parameter("x", 1, 4)
    return finish([named(opset.sigmoid(relu(x, "relu")), "sigmoid")], [x])


def concat_then_convs() -> ov.Model:
    """Two convolutions -> Concat -> a padded convolution -> a pointwise one."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    branches = [conv(rng, x, (4, 3, 3, 3), name, bias=False) for name in ("conv_a", "conv_b")]
    both = named(opset.concat(branches, 1), "concat")
    padded = conv(rng, both, (8, 8, 3, 3), "conv_d", bias=False)
    return finish([conv(rng, padded, (4, 8, 1, 1), "conv_e", bias=False)], [x])


def preprocessing() -> ov.Model:
    """Pixels less their mean, times a scale -> conv -> relu -> conv."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    mean = constant(np.full((1, 3, 1, 1), 0.3, np.float32), "mean")
    centred = named(opset.subtract(x, mean), "centred")
    scale = constant(np.float32([0.5, 1, 2]).reshape(1, 3, 1, 1), "scale")
    scaled = named(opset.multiply(centred, scale), "scaled")
    hidden = relu(conv(rng, scaled, (8, 3, 3, 3), "conv1"), "relu1")
    return finish([conv(rng, hidden, (4, 8, 3, 3), "conv2")], [x])


def scale_shift_relu() -> ov.Model:
    """conv -> a scale and a shift per channel -> relu -> conv."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    first = conv(rng, x, (8, 3, 3, 3), "conv1", bias=False)
    pooled = _max_pool(first)
    gamma = constant(rng.uniform(0.5, 2, (1, 8, 1, 1)).astype(np.float32), "gamma")
    scaled = named(opset.multiply(pooled, gamma), "scaled")
    hidden = relu(add_bias(rng, scaled, 8, 2, "shift"), "relu1")
    return finish([conv(rng, hidden, (4, 8, 3, 3), "conv2")], [x])


def comparison() -> ov.Model:
    """The larger of two convolutions, chosen by Greater and Select."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    left, right = _two_branches(rng, x)
    is_larger = named(opset.greater(left, right), "greater")
    return finish([named(opset.select(is_larger, left, right), "select")], [x])


def square() -> ov.Model:
    """conv -> a * a -> conv: one tensor on both inputs of an operation."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    first = conv(rng, x, (8, 3, 3, 3), "conv1")
    squared = named(opset.multiply(first, first), "square")
    return finish([conv(rng, squared, (4, 8, 3, 3), "conv2")], [x])


def scalar_gate() -> ov.Model:
    """A tensor times the mean of all its values, which has no dimension."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 8, 8)
    first = relu(conv(rng, x, (8, 3, 3, 3), "conv1"), "relu1")
    mean = named(opset.reduce_mean(first, np.array([0, 1, 2, 3]), keep_dims=False), "mean")
    gated = named(opset.multiply(first, mean), "gated")
    return finish([conv(rng, gated, (4, 8, 3, 3), "conv2")], [x])


def two_embeddings() -> ov.Model:
    """Rows of two tables -> Concat -> a linear layer."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, kind=np.int64)
    rows = [
        named(
            opset.gather(
                constant(normal(rng, 10, 8, fan_in=1), f"table{i}"), x, opset.constant(np.int64(0))
            ),
            f"embedding{i}",
        )
        for i in (1, 2)
    ]
    return finish([linear(rng, named(opset.concat(rows, 2), "concat"), (8, 16), "linear")], [x])


def depthwise_1d() -> ov.Model:
    """A depthwise convolution over a sequence between two pointwise ones."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 16)
    first = relu(conv(rng, x, (8, 3, 1), "conv1"), "relu1")
    weights = constant(normal(rng, 8, 1, 1, 3, fan_in=3), "depthwise2/weights")
    node = named(opset.group_convolution(first, weights, [1], [1], [1], [1]), "depthwise2")
    second = relu(add_bias(rng, node, 8, 1, "depthwise2"), "relu2")
    return finish([conv(rng, second, (4, 8, 1), "conv3")], [x])


def depthwise_3d() -> ov.Model:
    """The same over a volume."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 2, 4, 4, 4)
    first = relu(conv(rng, x, (4, 2, 1, 1, 1), "conv1"), "relu1")
    weights = constant(normal(rng, 4, 1, 1, 3, 3, 3, fan_in=27), "depthwise2/weights")
    ones = [1, 1, 1]
    node = named(opset.group_convolution(first, weights, ones, ones, ones, ones), "depthwise2")
    second = relu(add_bias(rng, node, 4, 3, "depthwise2"), "relu2")
    return finish([conv(rng, second, (4, 4, 1, 1, 1), "conv3")], [x])


def sam_positions() -> ov.Model:
    """Positions -> MatMul -> scale -> Sin and Cos -> Concat, added to a linear layer's result."""
    rng, x, z = np.random.default_rng(0), parameter("x", 1, 6, 16), parameter("z", 1, 6, 2)
    angles = named(
        opset.matmul(z, constant(normal(rng, 2, 8, fan_in=2), "w"), False, False), "angles"
    )
    scaled = named(opset.multiply(angles, constant(2 * np.pi, "two_pi")), "scaled")
    turned = [named(opset.sin(scaled), "sin"), named(opset.cos(scaled), "cos")]
    both = named(opset.concat(turned, 2), "concat")
    total = named(opset.add(linear(rng, x, (16, 16), "linear1"), both), "total")
    return finish([linear(rng, total, (8, 16), "linear2")], [x, z])


def pyramid() -> ov.Model:
    """A tiny detector: a coarse map is enlarged and joined with a finer one; two heads."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 16, 16)
    fine = relu(conv(rng, x, (8, 3, 3, 3), "conv1"), "relu1")
    pooled = named(opset.max_pool(fine, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]), "pool").output(0)
    coarse = relu(conv(rng, pooled, (8, 8, 3, 3), "conv2"), "relu2")
    narrow = relu(conv(rng, coarse, (4, 8, 1, 1), "conv3"), "relu3")
    sizes, axes = np.array([16, 16], np.int64), np.array([2, 3], np.int64)
    larger = named(opset.interpolate(narrow, sizes, "nearest", "sizes", axes=axes), "larger")
    joined = named(opset.concat([larger, fine], 1), "concat")
    return finish(
        [conv(rng, coarse, (6, 8, 1, 1), "head1"), conv(rng, joined, (6, 12, 1, 1), "head2")], [x]
    )


BUILDERS: Mapping[str, Callable[[], ov.Model]] = {
    build.__name__: build
    for build in (
        *(conv_relu_conv, residual, depthwise, depthwise_and_conv, depthwise_behind_pool),
        *(max_pool, classifier, concat, concat_to_result, concat_to_pool, split),
        *(split_to_result, float_branch, squeeze_excitation, swish_spelled_out, pot_toy),
        *(matmul, matmul_of_two, matmul_weights_first, encoder_sdpa, encoder_softmax),
        *(encoder_attention, lstm, gru, gru_linear_before_reset, shared_weights, embedding),
        *(embedding_to_linear, shape_of, f16_weights, half_precision, repeated_names),
        *(two_inputs, two_outputs, dynamic, transposed_conv, group_transposed_conv, grouped),
        *(conv_1d, conv_3d, integer_input, stateful, top_k, resize, compressed_weights),
        *(rotary, nothing_to_quantize, concat_then_convs),
        *(preprocessing, scale_shift_relu, comparison, square, scalar_gate, two_embeddings),
        *(depthwise_1d, depthwise_3d, sam_positions, pyramid),
    )
}
"""Every model above by its name."""
