"""Pairs for channel alignment: a linear operation, and the convolution that alone reads its result.

Source: POT 2023.0.2 and NNCF 3.4.0, channel alignment. Unlike theirs, strides, dilations and
padding only matter to what they stand in the way of: padding to the shift, the others to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from quant.graph import Graph, Op, attributes
from quant.parameters import Estimator
from quant.plan import ActivationQuantizer, AlignedPair, MinMaxPlan, TensorRef
from quant.runtime import ov
from quant.scheme import Granularity
from quant.steps.bias import bias_of

_PRODUCERS = frozenset({"Convolution", "GroupConvolution", "MatMul"})

_ESTIMATORS = frozenset({Estimator.MIN, Estimator.MAX, Estimator.ABS_MAX})
"""Those whose result after alignment follows from the channels' extremes."""


def pairs(graph: Graph, quantization: MinMaxPlan) -> Iterator[AlignedPair]:
    """The pairs whose tensor gets one range, and whose weights are quantized and their own."""
    weights = {port.op: each for each in quantization.weights for port in each.consumers}
    for activation in quantization.activations:
        consumer = graph.by_name[activation.consumers[0].op]
        if consumer.type != "Convolution" or not _is_free(graph, consumer):
            continue
        producer = _producer(graph, consumer) if _follows(graph, activation, consumer) else None
        if producer is None or not {producer.name, consumer.name} <= weights.keys():
            continue
        by_row = weights[producer.name].scheme.granularity is Granularity.PERCHANNEL
        yield AlignedPair(
            producer=producer.name,
            consumer=consumer.name,
            tensor=activation.tensor,
            channels=_channels(graph, consumer),
            is_shifted=not is_padded(consumer),
            is_scaled=by_row,
            is_open=activation.outside is not None,
            activations=activation.scheme,
            weights=weights[consumer.name].scheme,
        )


def _follows(graph: Graph, activation: ActivationQuantizer, consumer: Op) -> bool:
    """Whether the consumer's input gets one range, of its own, that follows from the channels'
    extremes."""
    sides = (activation.estimators.min, activation.estimators.max)
    return (
        activation.tensor == _input(graph, consumer)
        and len(activation.consumers) == 1
        and activation.group is None
        and activation.channels is None
        and all(side.type in _ESTIMATORS and side.clipping_value is None for side in sides)
    )


def _input(graph: Graph, op: Op) -> TensorRef:
    return TensorRef(graph.op(op.inputs[0]).name, op.inputs[0].port)


def _channels(graph: Graph, consumer: Op) -> int:
    weights = graph.shape(consumer.inputs[1])
    assert weights is not None
    assert weights[1] is not None  # the channels of a convolution are static
    return weights[1]


def _producer(graph: Graph, consumer: Op) -> Op | None:
    """The linear operation whose result, with its bias, the convolution alone reads."""
    last, channels = graph.op(consumer.inputs[0]), _channels(graph, consumer)
    if len(graph.consumers(consumer.inputs[0])) != 1:
        return None
    above = [graph.op(tensor) for tensor in last.inputs] if last.type == "Add" else [last]
    return next((op for op in above if _fits(graph, op, last, channels)), None)


def _fits(graph: Graph, op: Op, last: Op, channels: int) -> bool:
    """Whether an operation is linear, with `last` being itself or the Add of its bias."""
    if op.type not in _PRODUCERS or not _is_free(graph, op) or not _has_rows(graph, op):
        return False
    bias = bias_of(op.node, 1, channels)
    return op is last or (bias is not None and bias[0].get_friendly_name() == last.name)


def _weights_port(op: Op) -> int:
    return 0 if op.type == "MatMul" else 1


def _is_free(graph: Graph, op: Op) -> bool:
    """Whether an operation's weights are an f32 constant that nothing else reads."""
    tensor = op.inputs[_weights_port(op)]
    kind = graph.op(tensor).node.output(tensor.port).get_element_type()
    return graph.is_constant(tensor) and len(graph.consumers(tensor)) == 1 and kind == ov.Type.f32


def _has_rows(graph: Graph, op: Op) -> bool:
    """Whether axis 1 of the result comes from rows of the weights.

    A MatMul's does where its weights, a matrix, stand first and the result has rank 3.
    """
    if op.type != "MatMul":
        return True
    weights = graph.shape(op.inputs[0])
    return weights is not None and len(weights) == 2 and op.ranks[0] == 3


def is_padded(op: Op) -> bool:
    """Whether a convolution reads zeros around its input, which a shift would have to move too."""
    found = attributes(op)
    is_explicit = str(found["auto_pad"]).lower() in ("explicit", "notset", "valid")
    return not is_explicit or any([*found["pads_begin"], *found["pads_end"]])
