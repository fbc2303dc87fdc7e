"""Graphs as users have them, beyond the smallest ones of `tests.models`: one builder per kind."""

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

HUGE = np.float32(-3.4028235e38)
"""What exporters write into attention masks: the lowest finite f32."""


def _picture() -> tuple[Rng, ov.Node]:
    return np.random.default_rng(0), parameter("x", 1, 3, 8, 8)


def _sequence(length: int = 6) -> tuple[Rng, ov.Node]:
    return np.random.default_rng(0), parameter("x", 1, length, 16)


def concat_tree() -> ov.Model:
    """Blocks whose results are concatenated with all before, as in DenseNet; one part is
    constant."""
    rng, x = _picture()
    found: ov.Node = relu(conv(rng, x, (4, 3, 3, 3), "conv0"), "relu0")
    for i in (1, 2, 3):
        grown = relu(conv(rng, found, (4, 4 * i, 3, 3), f"conv{i}"), f"relu{i}")
        found = named(opset.concat([found, grown], 1), f"concat{i}")
    plane = constant(rng.standard_normal((1, 2, 8, 8)).astype(np.float32), "plane")
    both = named(opset.concat([found, plane], 1), "concat4")
    return finish([conv(rng, both, (4, 18, 1, 1), "conv4")], [x])


def shared_by_two_layouts() -> ov.Model:
    """One matrix, multiplied once as it is and once transposed, as tied embeddings are."""
    rng, x = _sequence()
    weights = constant(normal(rng, 16, 16, fan_in=16), "weights")
    first = relu(named(opset.matmul(x, weights, False, True), "linear1"), "relu1")
    return finish([named(opset.matmul(first, weights, False, False), "linear2")], [x])


def tied_embedding() -> ov.Model:
    """A table that is looked up first and multiplied with last."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, kind=np.int64)
    table = constant(normal(rng, 10, 16, fan_in=1), "table")
    rows = named(opset.gather(table, x, opset.constant(np.int64(0))), "embedding")
    hidden = relu(linear(rng, rows, (16, 16), "linear1"), "relu1")
    return finish([named(opset.matmul(hidden, table, False, True), "scores")], [x])


def weight_chains() -> ov.Model:
    """Weights behind Convert, Transpose and Reshape, all of them foldable."""
    rng, x = _sequence()
    stored = constant(normal(rng, 2, 8, 16, fan_in=16).astype(np.float16), "linear1/weights")
    real = opset.convert(stored, "f32")
    turned = opset.transpose(real, np.array([2, 0, 1], np.int64))
    weights = opset.reshape(turned, np.array([16, 16], np.int64), special_zero=False)
    hidden = relu(named(opset.matmul(x, weights, False, False), "linear1"), "relu1")
    return finish([linear(rng, hidden, (8, 16), "linear2")], [x])


def bf16_weights() -> ov.Model:
    """Weights in bf16 behind a Convert."""
    rng, x = _sequence()
    stored = opset.constant(normal(rng, 16, 16, fan_in=16), dtype=ov.Type.bf16)
    weights = opset.convert(named(stored, "linear1/weights"), "f32")
    hidden = relu(named(opset.matmul(x, weights, False, True), "linear1"), "relu1")
    return finish([linear(rng, hidden, (8, 16), "linear2")], [x])


def lstm_of_any_batch() -> ov.Model:
    """An LSTMSequence whose zero states are made in the size of the batch."""
    rng, x = np.random.default_rng(0), parameter("x", -1, 5, 6)
    batch = opset.gather(opset.shape_of(x, "i64"), np.array([0]), opset.constant(np.int64(0)))
    sizes = opset.concat([batch, opset.constant(np.array([1, 4]))], 0)
    states = [opset.broadcast(constant(0.0, f"{name}/zero"), sizes) for name in "hc"]
    length = opset.broadcast(opset.constant(np.int32(5)), batch)
    cell = _lstm(rng, x, states, length)
    rows = named(opset.squeeze(cell.output(0), np.array([1])), "rows")
    return finish([linear(rng, rows, (3, 4), "linear")], [x])


def lstm_with_state() -> ov.Model:
    """An LSTMSequence whose states live from call to call."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 5, 6)
    start = constant(np.zeros((1, 1, 4), np.float32), "start")
    states = [named(opset.read_value(start, n, np.float32, [1, 1, 4]), f"{n}/read") for n in "hc"]
    cell = _lstm(rng, x, states, opset.constant(np.array([5], np.int32)))
    last = [reshape(cell.output(i + 1), [1, 1, 4], f"{n}/last") for i, n in enumerate("hc")]
    sinks = [named(opset.assign(last[i], n), f"{n}/assign") for i, n in enumerate("hc")]
    rows = named(opset.squeeze(cell.output(0), np.array([1])), "rows")
    return finish([linear(rng, rows, (3, 4), "linear")], [x], sinks)


def _lstm(rng: Rng, x: ov.Node, states: list[ov.Node], length: ov.Node) -> ov.Node:
    weights = [
        constant(normal(rng, 1, 16, n, fan_in=n), f"lstm/{s}") for n, s in ((6, "w"), (4, "r"))
    ]
    bias = constant(normal(rng, 1, 16, fan_in=1), "lstm/b")
    return named(opset.lstm_sequence(x, *states, length, *weights, bias, 4, "forward"), "lstm")


def bidirectional_lstm() -> ov.Model:
    """A bidirectional LSTMSequence whose initial states are inputs."""
    rng, x = np.random.default_rng(0), parameter("x", 2, 5, 6)
    h, c = parameter("h", 2, 2, 4), parameter("c", 2, 2, 4)
    weights = [
        constant(normal(rng, 2, 16, n, fan_in=n), f"lstm/{s}") for n, s in ((6, "w"), (4, "r"))
    ]
    bias = constant(normal(rng, 2, 16, fan_in=1), "lstm/b")
    length = opset.constant(np.array([5, 5], np.int32))
    cell = named(opset.lstm_sequence(x, h, c, length, *weights, bias, 4, "bidirectional"), "lstm")
    rows = reshape(transpose(cell.output(0), [0, 2, 1, 3], "turned"), [2, 5, 8], "rows")
    return finish([linear(rng, rows, (3, 8), "linear")], [x, h, c])


def bidirectional_gru() -> ov.Model:
    """A bidirectional GRUSequence, both results of which are read."""
    rng, x = np.random.default_rng(0), parameter("x", 2, 5, 6)
    start = constant(np.zeros((2, 2, 4), np.float32), "h0")
    weights = [
        constant(normal(rng, 2, 12, n, fan_in=n), f"gru/{s}") for n, s in ((6, "w"), (4, "r"))
    ]
    bias = constant(normal(rng, 2, 12, fan_in=1), "gru/b")
    length = opset.constant(np.array([5, 3], np.int32))
    cell = named(opset.gru_sequence(x, start, length, *weights, bias, 4, "bidirectional"), "gru")
    last = reshape(cell.output(1), [2, 8], "last")
    return finish([linear(rng, last, (3, 8), "linear"), cell.output(0)], [x])


def _projected(rng: Rng, x: ov.Node, length: int) -> list[ov.Node]:
    """Queries, keys and values by heads, `[1, 2, length, 8]`."""
    return [
        transpose(
            reshape(linear(rng, x, (16, 16), name), [1, length, 2, 8], f"{name}/heads"),
            [0, 2, 1, 3],
            f"{name}/turned",
        )
        for name in "qkv"
    ]


def _joined(rng: Rng, attended: ov.Node, length: int) -> ov.Node:
    rows = reshape(transpose(attended, [0, 2, 1, 3], "joined"), [1, length, 16], "rows")
    return linear(rng, rows, (16, 16), "o")


def sdpa_with_mask() -> ov.Model:
    """ScaledDotProductAttention under a mask of zeros and the lowest f32."""
    rng, x = _sequence()
    q, k, v = _projected(rng, x, 6)
    attended = opset.scaled_dot_product_attention(q, k, v, _mask(6))
    return finish([_joined(rng, named(attended, "attention"), 6)], [x])


def _mask(length: int) -> ov.Node:
    values = np.triu(np.full((1, 1, length, length), HUGE, np.float32), 1)
    return constant(values, "mask")


def sdpa_causal() -> ov.Model:
    """ScaledDotProductAttention that masks by itself."""
    rng, x = _sequence()
    q, k, v = _projected(rng, x, 6)
    attended = opset.scaled_dot_product_attention(q, k, v, causal=True)
    return finish([_joined(rng, named(attended, "attention"), 6)], [x])


def masked_attention() -> ov.Model:
    """Decomposed attention with a mask that is computed from an input, as exporters write it.

    The scores before the mask are an output, so that nothing is fused.
    """
    rng, x = _sequence()
    kept = parameter("kept", 1, 6, kind=np.int64)
    q, k, v = _projected(rng, x, 6)
    gone = opset.convert(opset.less(kept, opset.constant(np.int64(3))), "f32")
    rows = opset.unsqueeze(opset.unsqueeze(gone, np.array([1])), np.array([1]))
    mask = named(opset.multiply(rows, constant(HUGE, "lowest")), "mask")
    scores = named(opset.matmul(q, k, False, True), "scores")
    scaled = named(opset.multiply(scores, constant(8**-0.5, "scale")), "scaled")
    weights = named(opset.softmax(named(opset.add(scaled, mask), "masked"), -1), "softmax")
    attended = named(opset.matmul(weights, v, False, False), "attention")
    return finish([_joined(rng, attended, 6), weights], [x, kept])


def position_bias() -> ov.Model:
    """Decomposed attention that adds a learnt bias to the scores, as in Swin."""
    rng, x = _sequence()
    q, k, v = _projected(rng, x, 6)
    scores = named(opset.matmul(q, k, False, True), "scores")
    bias = constant(rng.standard_normal((1, 2, 6, 6)).astype(np.float32), "bias")
    biased = named(opset.add(scores, bias), "biased")
    weights = named(opset.softmax(biased, -1), "softmax")
    attended = named(opset.matmul(weights, v, False, False), "attention")
    return finish([_joined(rng, attended, 6), weights], [x])


def rotary_attention() -> ov.Model:
    """Attention on queries and keys turned by rotary embeddings, x * cos + rotate_half(x) * sin."""
    rng, x = _sequence()
    places = parameter("places", 1, 6)
    rates = constant((100.0 ** -(np.arange(4) / 4)).astype(np.float32)[None], "rates")
    column = opset.unsqueeze(places, np.array([2]))
    angles = named(opset.matmul(column, rates, False, False), "angles")
    twice = opset.unsqueeze(opset.concat([angles, angles], -1), np.array([1]))
    cosine, sine = named(opset.cos(twice), "cos"), named(opset.sin(twice), "sin")
    q, k, v = _projected(rng, x, 6)
    q, k = _turned(q, cosine, sine, "q"), _turned(k, cosine, sine, "k")
    attended = named(opset.scaled_dot_product_attention(q, k, v), "attention")
    return finish([_joined(rng, attended, 6)], [x, places])


def _turned(x: ov.Node, cosine: ov.Node, sine: ov.Node, name: str) -> ov.Node:
    low, high = opset.split(x, opset.constant(np.int64(3)), 2).outputs()
    half = opset.concat([opset.negative(high), low], 3)
    straight = named(opset.multiply(x, cosine), f"{name}/straight")
    turned = named(opset.multiply(half, sine), f"{name}/crossed")
    return named(opset.add(straight, turned), f"{name}/rotary")


def layer_norm() -> ov.Model:
    """LayerNorm spelled out between two linear layers, with a residual around it."""
    rng, x = _sequence()
    first = linear(rng, x, (16, 16), "linear1")
    mean = opset.reduce_mean(first, np.array([2]), keep_dims=True)
    centred = opset.subtract(first, mean)
    square = opset.power(centred, constant(2.0, "two"))
    variance = opset.reduce_mean(square, np.array([2]), keep_dims=True)
    deviation = opset.sqrt(opset.add(variance, constant(1e-5, "epsilon")))
    scaled = opset.multiply(opset.divide(centred, deviation), _vector(rng, "gamma"))
    normed = named(opset.add(scaled, _vector(rng, "beta")), "normed")
    second = linear(rng, relu(normed, "relu"), (16, 16), "linear2")
    return finish([named(opset.add(first, second), "sum")], [x])


def _vector(rng: Rng, name: str) -> ov.Node:
    return constant(rng.uniform(0.5, 1.5, (1, 1, 16)).astype(np.float32), name)


def rms_norm() -> ov.Model:
    """RMSNorm spelled out: a gated feed-forward block as in Llama."""
    rng, x = _sequence()
    square = opset.reduce_mean(opset.power(x, constant(2.0, "two")), np.array([2]), keep_dims=True)
    root = opset.sqrt(opset.add(square, constant(1e-6, "epsilon")))
    scaled = opset.multiply(x, opset.divide(constant(1.0, "one"), root))
    normed = named(opset.multiply(scaled, _vector(rng, "gamma")), "normed")
    gate = named(opset.swish(linear(rng, normed, (32, 16), "gate")), "swish")
    gated = named(opset.multiply(gate, linear(rng, normed, (32, 16), "up")), "gated")
    return finish([named(opset.add(x, linear(rng, gated, (16, 32), "down")), "sum")], [x])


def mvn() -> ov.Model:
    """MVN over pixels between two convolutions."""
    rng, x = _picture()
    hidden = conv(rng, x, (8, 3, 3, 3), "conv1")
    normed = named(opset.mvn(hidden, np.array([2, 3]), True, 1e-5, "inside_sqrt"), "mvn")
    return finish([conv(rng, relu(normed, "relu"), (4, 8, 3, 3), "conv2")], [x])


def unweighted_norm() -> ov.Model:
    """LayerNorm without weights between two linear layers, the second with uneven columns."""
    rng, x = _sequence()
    first = linear(rng, x, (16, 16), "linear1")
    normed = named(opset.mvn(first, np.array([-1]), True, 1e-5, "inside_sqrt"), "normed")
    return finish([_uneven(rng, normed, 16, "linear2")], [x])


def _uneven(rng: Rng, x: ov.Node, channels: int, name: str) -> ov.Node:
    """A linear layer on channels of different weight, which is worth smoothing."""
    weights = normal(rng, 4, channels, fan_in=channels) * np.exp(rng.standard_normal(channels))
    return named(
        opset.matmul(x, constant(weights.astype(np.float32), f"{name}/w"), False, True), name
    )


def mean_to_linear() -> ov.Model:
    """The mean of a sequence's vectors, beside the first of them, to a linear layer."""
    rng, x = _sequence()
    hidden = relu(linear(rng, x, (16, 16), "linear1"), "relu")
    mean = named(opset.reduce_mean(hidden, np.array([1]), keep_dims=False), "mean")
    first = opset.gather(hidden, np.int64(0), np.int64(1))
    joined = named(opset.concat([first, mean], -1), "joined")
    return finish([_uneven(rng, joined, 32, "linear2")], [x])


def picture_mean_to_linear() -> ov.Model:
    """The mean of a picture with channels on the last axis to a linear layer."""
    rng = np.random.default_rng(0)
    x = parameter("x", 2, 6, 5, 16)
    hidden = relu(linear(rng, x, (16, 16), "linear1"), "relu")
    mean = named(opset.reduce_mean(hidden, np.array([1, 2]), keep_dims=False), "mean")
    return finish([_uneven(rng, mean, 16, "linear2")], [x])


def normed_mean_to_linear() -> ov.Model:
    """The mean of a sequence's vectors with a scale and shift per channel to a linear layer."""
    rng = np.random.default_rng(0)
    x = parameter("x", 2, 6, 16)
    hidden = relu(linear(rng, x, (16, 16), "linear1"), "relu")
    mean = named(opset.reduce_mean(hidden, np.array([1]), keep_dims=False), "mean")
    scale, shift = (constant(rng.uniform(0.2, 2, 16).astype(np.float32), n) for n in ("s", "b"))
    normed = relu(opset.subtract(opset.multiply(mean, scale), shift), "normed")
    return finish([_uneven(rng, normed, 16, "linear2")], [x])


def conv_1d_to_linear() -> ov.Model:
    """A convolution over time, and a linear layer that mixes times."""
    rng = np.random.default_rng(0)
    x = parameter("x", 1, 4, 16)
    hidden = relu(conv(rng, x, (8, 4, 1), "conv1"), "relu")
    return finish([_uneven(rng, hidden, 16, "linear1")], [x])


def group_norm() -> ov.Model:
    """GroupNormalization between two convolutions."""
    rng, x = _picture()
    hidden = conv(rng, x, (8, 3, 3, 3), "conv1")
    scale, bias = (constant(rng.uniform(0.5, 1.5, 8).astype(np.float32), n) for n in ("s", "b"))
    normed = named(opset.group_normalization(hidden, scale, bias, 2, 1e-5), "norm")
    return finish([conv(rng, relu(normed, "relu"), (4, 8, 3, 3), "conv2")], [x])


def batch_norm() -> ov.Model:
    """Batch normalization behind a convolution, behind a Relu, and on the input."""
    rng, x = _picture()
    first = _batch_norm(rng, x, 3, "norm0")
    second = _batch_norm(rng, conv(rng, first, (8, 3, 3, 3), "conv1", bias=False), 8, "norm1")
    third = _batch_norm(rng, relu(second, "relu1"), 8, "norm2")
    return finish([conv(rng, third, (4, 8, 3, 3), "conv2")], [x])


def _batch_norm(rng: Rng, x: ov.Node, channels: int, name: str) -> ov.Node:
    values = [
        constant(rng.uniform(0.5, 1.5, channels).astype(np.float32), f"{name}/{i}")
        for i in range(4)
    ]
    return named(opset.batch_norm_inference(x, *values, 1e-5), name)


def _body(rng: Rng) -> tuple[ov.Model, list[ov.Node]]:
    """A recurrent body of linear layers: the next state is tanh(W x + R state)."""
    step, state = parameter("step", 1, 1, 6), parameter("state", 1, 4)
    row = opset.squeeze(step, np.array([1]))
    both = opset.add(linear(rng, row, (4, 6), "w"), linear(rng, state, (4, 4), "r"))
    after = named(opset.tanh(both), "after")
    return finish([after, opset.unsqueeze(after, np.array([1]))], [step, state]), [step, state]


def tensor_iterator() -> ov.Model:
    """A TensorIterator over steps of a sequence between two linear layers."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 5, 6)
    first = linear(rng, x, (6, 6), "linear1")
    body, (step, state) = _body(rng)
    node = opset.tensor_iterator()
    node.set_body(body)
    node.set_sliced_input(step, first.output(0), 0, 1, 1, -1, 1)
    start = constant(np.zeros((1, 4), np.float32), "start")
    node.set_merged_input(state, start.output(0), body.results[0].output(0))
    rows = node.get_concatenated_slices(body.results[1].output(0), 0, 1, 1, -1, 1)
    named(node, "iterator")
    return finish([linear(rng, rows, (3, 4), "linear2")], [x])


def unrolled_lstm() -> ov.Model:
    """A TensorIterator over an LSTMCell, as older converters write recurrent layers."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 5, 6)
    step, h, c = parameter("step", 1, 1, 6), parameter("h", 1, 4), parameter("c", 1, 4)
    weights = [constant(normal(rng, 16, n, fan_in=n), f"cell/{n}") for n in (6, 4)]
    bias = constant(normal(rng, 16, fan_in=1), "cell/b")
    cell = opset.lstm_cell(opset.squeeze(step, np.array([1])), h, c, *weights, bias, 4)
    row = opset.unsqueeze(cell.output(0), np.array([1]))
    body = finish([cell.output(0), cell.output(1), row], [step, h, c])
    node = opset.tensor_iterator()
    node.set_body(body)
    node.set_sliced_input(step, x.output(0), 0, 1, 1, -1, 1)
    start = constant(np.zeros((1, 4), np.float32), "start")
    node.set_merged_input(h, start.output(0), body.results[0].output(0))
    node.set_merged_input(c, start.output(0), body.results[1].output(0))
    return finish([node.get_concatenated_slices(body.results[2].output(0), 0, 1, 1, -1, 1)], [x])


def loop() -> ov.Model:
    """A Loop that applies one linear layer three times, between two linear layers."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6)
    first = linear(rng, x, (6, 6), "linear1")
    state = parameter("state", 1, 6)
    after = opset.tanh(linear(rng, state, (6, 6), "inner"))
    going = opset.result(opset.constant(np.array(True)))
    body = ov.Model([going, opset.result(after)], [state], "body")
    node = opset.loop(opset.constant(np.int64(3)), opset.constant(np.array(True)))
    node.set_function(body)
    node.set_special_body_ports([-1, 0])
    node.set_merged_input(state, first.output(0), body.results[1].output(0))
    last = node.get_iter_value(body.results[1].output(0), -1)
    named(node, "loop")
    return finish([linear(rng, last, (3, 6), "linear2")], [x])


def branches() -> ov.Model:
    """An If whose bodies are one linear layer each, between two linear layers."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 6)
    first = linear(rng, x, (6, 6), "linear1")
    total = opset.reduce_sum(x, np.array([0, 1]), keep_dims=False)
    node = opset.if_op(opset.greater(total, constant(0.0, "zero")).output(0))
    bodies = []
    for name in ("then", "else"):
        inner = parameter(f"{name}/x", 1, 6)
        bodies.append((finish([linear(rng, inner, (6, 6), name)], [inner]), inner))
    node.set_then_body(bodies[0][0])
    node.set_else_body(bodies[1][0])
    node.set_input(first.output(0), bodies[0][1], bodies[1][1])
    out = node.set_output(bodies[0][0].results[0], bodies[1][0].results[0])
    named(node, "if")
    return finish([linear(rng, relu(out, "relu"), (3, 6), "linear2")], [x])


def string_input() -> ov.Model:
    """A string input that goes straight to an output, beside two linear layers."""
    rng, x = _sequence()
    text = parameter("text", 1, kind=ov.Type.string)
    hidden = relu(linear(rng, x, (16, 16), "linear1"), "relu1")
    return finish([linear(rng, hidden, (8, 16), "linear2"), text], [x, text])


def input_to_result() -> ov.Model:
    """An input that is an output too, beside a linear layer on it."""
    rng, x = _sequence()
    return finish([x, linear(rng, x, (8, 16), "linear1")], [x])


def dynamic_sequence() -> ov.Model:
    """Attention over sequences of any length, in batches of any size."""
    rng, x = np.random.default_rng(0), parameter("x", -1, -1, 16)
    q, k, v = (_split_heads(linear(rng, x, (16, 16), name)) for name in "qkv")
    attended = named(opset.scaled_dot_product_attention(q, k, v), "attention")
    turned = opset.transpose(attended, np.array([0, 2, 1, 3], np.int64))
    rows = opset.reshape(turned, np.array([0, 0, 16], np.int64), special_zero=True)
    return finish([linear(rng, rows, (16, 16), "o")], [x])


def _split_heads(x: ov.Node) -> ov.Node:
    heads = opset.reshape(x, np.array([0, 0, 2, 8], np.int64), special_zero=True)
    return opset.transpose(heads, np.array([0, 2, 1, 3], np.int64))


def empty_tensor() -> ov.Model:
    """A Concat one part of which holds no element, and a scalar that scales its result."""
    rng, x = _picture()
    empty = constant(np.zeros((1, 0, 8, 8), np.float32), "empty")
    hidden = relu(conv(rng, x, (4, 3, 3, 3), "conv1"), "relu1")
    both = named(opset.concat([hidden, empty], 1), "concat")
    factor = named(opset.reduce_mean(x, np.array([0, 1, 2, 3])), "factor")
    scaled = named(opset.multiply(both, opset.exp(factor)), "scaled")
    return finish([conv(rng, scaled, (4, 4, 3, 3), "conv2")], [x])


def infinite_constant() -> ov.Model:
    """Attention scores masked by minus infinity with a Select, as exporters write it."""
    rng, x = _sequence()
    q, k, v = _projected(rng, x, 6)
    scores = named(opset.matmul(q, k, False, True), "scores")
    hidden = opset.constant(np.triu(np.ones((1, 1, 6, 6), bool), 1))
    masked = named(opset.select(hidden, constant(-np.inf, "infinity"), scores), "masked")
    weights = named(opset.softmax(masked, -1), "softmax")
    attended = named(opset.matmul(weights, v, False, False), "attention")
    return finish([_joined(rng, attended, 6), weights], [x])


def nan_weights() -> ov.Model:
    """A linear layer one of whose weights is NaN, in a branch of its own."""
    rng, x = _sequence()
    values = normal(rng, 8, 16, fan_in=16)
    values[0, 0] = np.nan
    broken = named(opset.matmul(x, constant(values, "broken/weights"), False, True), "broken")
    return finish([broken, linear(rng, x, (8, 16), "linear1")], [x])


def double_precision() -> ov.Model:
    """Two linear layers wholly in f64."""
    rng = np.random.default_rng(0)
    x: ov.Node = parameter("x", 1, 6, 16, kind=np.float64)
    node = x
    for name, size in (("linear1", 16), ("linear2", 8)):
        weights = normal(rng, size, 16, fan_in=16).astype(np.float64)
        node = named(opset.matmul(node, constant(weights, f"{name}/weights"), False, True), name)
        node = relu(node, f"{name}/relu")
    return finish([node], [x])


def half_precision_linear() -> ov.Model:
    """Two linear layers wholly in f16, on sequences of any length."""
    rng = np.random.default_rng(0)
    x: ov.Node = parameter("x", 1, -1, 16, kind=np.float16)
    node = x
    for name, size in (("linear1", 16), ("linear2", 8)):
        weights = normal(rng, size, 16, fan_in=16).astype(np.float16)
        node = named(opset.matmul(node, constant(weights, f"{name}/weights"), False, True), name)
        node = relu(node, f"{name}/relu")
    return finish([node], [x])


def half_outputs() -> ov.Model:
    """Two convolutions in f32 whose result is handed out in f16."""
    rng, x = _picture()
    hidden = relu(conv(rng, x, (8, 3, 3, 3), "conv1"), "relu1")
    last = conv(rng, hidden, (4, 8, 3, 3), "conv2")
    return finish([named(opset.convert(last, "f16"), "half")], [x])


def mobile_block() -> ov.Model:
    """An inverted residual with squeeze-excitation and HSwish, as in MobileNetV3."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 8, 8, 8)
    wide = named(opset.hswish(conv(rng, x, (16, 8, 1, 1), "expand")), "hswish1")
    deep = named(opset.hswish(group_conv(rng, wide, (16, 1, 1, 3, 3), "depthwise")), "hswish2")
    pooled = named(opset.reduce_mean(deep, np.array([2, 3]), keep_dims=True), "pool")
    small = relu(conv(rng, pooled, (4, 16, 1, 1), "squeeze"), "relu")
    gate = named(opset.hsigmoid(conv(rng, small, (16, 4, 1, 1), "excite")), "gate")
    gated = named(opset.multiply(deep, gate), "gated")
    return finish([named(opset.add(x, conv(rng, gated, (8, 16, 1, 1), "project")), "sum")], [x])


def cached_attention() -> ov.Model:
    """Attention over keys and values that are kept from call to call."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 1, 16)
    q, k, v = _projected(rng, x, 1)
    sinks, longer = [], []
    for name, value in (("k", k), ("v", v)):
        start = constant(np.zeros((1, 2, 0, 8), np.float32), f"{name}/start")
        read = opset.read_value(start, name, np.float32, ov.PartialShape([1, 2, -1, 8]))
        both = named(opset.concat([named(read, f"{name}/read"), value], 2), f"{name}/all")
        sinks.append(named(opset.assign(both, name), f"{name}/assign"))
        longer.append(both)
    attended = named(opset.scaled_dot_product_attention(q, *longer), "attention")
    return finish([_joined(rng, attended, 1)], [x], sinks)


def depthwise_multiplier() -> ov.Model:
    """A convolution of single channels that makes two of each, on numbers of either sign."""
    rng, x = _picture()
    scale = constant(np.array([1.0, 4.0, 9.0], np.float32).reshape(1, 3, 1, 1), "scale")
    shift = constant(np.array([0.0, 2.0, 9.0], np.float32).reshape(1, 3, 1, 1), "shift")
    spread = opset.add(opset.multiply(x, scale), shift)
    return finish([group_conv(rng, spread, (3, 2, 1, 3, 3), "depthwise")], [x])


def average_pools() -> ov.Model:
    """AvgPools that count their padding: on numbers of either sign, and behind a Relu."""
    rng, x = _picture()
    first = conv(rng, x, (4, 3, 3, 3), "conv1")
    pool = _average(first, "pool1")
    left = conv(rng, pool, (4, 4, 3, 3), "conv2")
    right = conv(rng, _average(relu(first, "relu"), "pool2"), (4, 4, 3, 3), "conv3")
    return finish([left, right, pool], [x])


def average_below_mean() -> ov.Model:
    """An AvgPool that counts its padding, on means over columns that a convolution reads as
    well."""
    rng, x = _picture()
    first = conv(rng, x, (4, 3, 3, 3), "conv1")
    mean = named(opset.reduce_mean(first, np.array([3]), keep_dims=True), "mean")
    return finish([_average(mean, "pool1"), conv(rng, mean, (4, 4, 1, 1), "conv2")], [x])


def average_below_shift() -> ov.Model:
    """An AvgPool that counts its padding, on means that are shifted by a constant per channel."""
    rng, x = _picture()
    mean = named(opset.reduce_mean(x, np.array([3]), keep_dims=True), "mean")
    shift = constant(rng.standard_normal((1, 3, 1, 1)).astype(np.float32), "shift")
    pool = _average(named(opset.add(mean, shift), "shifted"), "pool1")
    return finish([pool, conv(rng, x, (4, 3, 3, 3), "conv1")], [x])


def head_scales() -> ov.Model:
    """Attention without a Softmax, whose scores have a scale for each head."""
    rng, x = _sequence(8)
    q, k, v = _projected(rng, x, 8)
    scores = named(opset.matmul(q, k, False, True), "scores")
    scales = constant(rng.uniform(0.5, 2, (1, 2, 1, 1)).astype(np.float32), "scales")
    scaled = named(opset.multiply(scores, scales), "scaled")
    return finish([_joined(rng, named(opset.matmul(scaled, v, False, False), "mixed"), 8)], [x])


def pooled_attention() -> ov.Model:
    """The mean of what heads attend to, over all heads."""
    rng, x = _sequence()
    q, k, v = _projected(rng, x, 6)
    attended = named(opset.scaled_dot_product_attention(q, k, v), "attention")
    return finish([named(opset.reduce_mean(attended, np.array([1]), keep_dims=True), "mean")], [x])


def large_epsilon() -> ov.Model:
    """Normalizations of small numbers, with epsilons that are a large part of their squares."""
    rng, x = _picture()
    small = opset.tanh(opset.multiply(x, np.float32(0.05)))
    first = named(opset.mvn(small, np.array([2, 3]), True, 1e-2, "inside_sqrt"), "mvn")
    second = named(opset.normalize_l2(small, np.array([1]), 1e-2, "add"), "l2")
    layers = [conv(rng, y, (4, 3, 3, 3), f"conv{i}") for i, y in enumerate((first, second))]
    return finish(layers, [x])


def _average(x: ov.Node, name: str) -> ov.Node:
    return named(opset.avg_pool(x, [1, 1], [1, 1], [1, 1], [3, 3], False), name)


def conv_and_linear() -> ov.Model:
    """A convolution and a linear layer on one tensor, each with channels on an axis of its own."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 4, 6, 16)
    left = conv(rng, x, (4, 4, 3, 3), "conv1")
    return finish([left, linear(rng, x, (8, 16), "linear1")], [x])


GRAPHS: Mapping[str, Callable[[], ov.Model]] = {
    build.__name__: build
    for build in (
        *(concat_tree, shared_by_two_layouts, tied_embedding, weight_chains, bf16_weights),
        *(
            lstm_of_any_batch,
            lstm_with_state,
            bidirectional_lstm,
            bidirectional_gru,
            sdpa_with_mask,
            sdpa_causal,
            masked_attention,
            position_bias,
        ),
        *(rotary_attention, layer_norm, rms_norm, mvn, group_norm, batch_norm),
        *(tensor_iterator, loop, branches, string_input, input_to_result, dynamic_sequence),
        *(empty_tensor, infinite_constant, nan_weights, double_precision, half_outputs),
        half_precision_linear,
        *(mobile_block, cached_attention, depthwise_multiplier),
        *(average_pools, average_below_mean, average_below_shift, conv_and_linear),
        *(head_scales, pooled_attention, large_epsilon),
        *(unweighted_norm, mean_to_linear, picture_mean_to_linear, conv_1d_to_linear),
        normed_mean_to_linear,
    )
}
"""Every graph above by its name."""
