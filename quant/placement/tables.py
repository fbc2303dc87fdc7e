"""What placement has to know of operation types, whatever the target."""

from __future__ import annotations

from typing import Any

from quant.graph import Graph, Op, Port, Tensor, attributes
from quant.target import DEPTHWISE, EMBEDDING

ELEMENTWISE = frozenset(
    {
        "Add",
        "Subtract",
        "Multiply",
        "Divide",
        "Maximum",
        "Minimum",
        "Power",
        "FloorMod",
        "SquaredDifference",
    }
    | {"Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual"}
    | {"LogicalAnd", "LogicalOr", "LogicalXor", "LogicalNot"}
)
"""Taken in integers only where two tensors meet: with a constant they are fused into their
producer."""

CONVOLUTIONS = frozenset(
    {"Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData"}
)
LINEAR = CONVOLUTIONS | {"MatMul"}
RECURRENT = frozenset({"LSTMSequence", "GRUSequence"})
WEIGHTED = LINEAR | RECURRENT | {"Gather"}
"""Operations that read quantized constants."""

BODIES = frozenset({"If", "Loop", "TensorIterator"})
"""Operations with graphs of their own."""

CHANNEL_AXES = {
    "Convolution": (0,),
    "GroupConvolution": (0, 1),
    "ConvolutionBackpropData": (1,),
    "GroupConvolutionBackpropData": (0, 2),
    "LSTMSequence": (1,),
    "GRUSequence": (1,),
    "Gather": (0,),
}
"""Axes of the weights that keep their own range: output channels, and the group where there is one.
Source: OpenVINO's operation set (layout of each operation's weights). MatMul: see `matmul_axes`."""

WEIGHT_PORTS = {"LSTMSequence": (4, 5), "GRUSequence": (3, 4), "Gather": (0,)}
"""Weights W and R (initial states and biases stay in floating point); all others: ports 0 and 1."""

ACTIVATION_PORTS = {
    "LSTMSequence": (0, 1),
    "GRUSequence": (0, 1),
    "ScaledDotProductAttention": (0, 1),
}
"""Ports that are quantized, where not every one is. The values of attention stay in floating
point."""

GATES = {"LSTMSequence": 4, "GRUSequence": 3}
"""Gates of a recurrent cell, whose weights stand one behind the other on the channel axis. All
gates of a hidden unit share one scale, and so do W and R (`unified_scales` of the descriptor):
OpenVINO's CPU plugin keeps one set of scales per cell and orders gates differently from the
weights (measured with 2026.4.1)."""

HIDDEN_STATE = (-1.0, 1.0)
"""What the input's range of a recurrent cell has to hold: the hidden state is quantized by the same
parameters, and is a product of a sigmoid and a hyperbolic tangent."""

FIRST_PORT_ONLY = frozenset(
    {
        "AvgPool",
        "AdaptiveAvgPool",
        "ReduceMean",
        "ReduceSum",
        "ReduceL2",
        "MVN",
        "NormalizeL2",
        "Interpolate",
    }
    | {"GroupNormalization", "BatchNormInference", "Sqrt"}
)

MULTI_INPUT_PASSTHROUGH = {"Concat": None, "ScatterUpdate": (0, 2), "ScatterNDUpdate": (0, 2)}
"""Pass-through operations that mix several tensors (None: all ports), so all of them are
quantized."""

CHANNEL_KEEPING = frozenset({"MaxPool", "AdaptiveMaxPool"})
"""Pass-through operations below which axis 1 is still the same channels."""

ACTIVATION_FUNCTIONS = frozenset(
    {"Relu", "PRelu", "Swish", "HSwish", "Gelu", "Elu", "Selu", "Clamp", "Mish", "Tanh"}
    | {"Sigmoid", "HSigmoid", "HardSigmoid", "SoftPlus"}
)
"""Functions of one tensor that devices compute together with the operation above them."""

COMPUTED_TOGETHER = ELEMENTWISE | ACTIVATION_FUNCTIONS | {"Abs", "Sqrt", "Round"}
"""What OpenVINO's CPU plugin computes together with the operation above it."""

NONNEGATIVE = frozenset(
    {"Relu", "Sigmoid", "HSigmoid", "HardSigmoid", "Softmax", "SoftPlus", "Abs"}
)
"""Operations whose results are never below zero."""

SIGN_KEEPING = frozenset(
    {"MaxPool", "AvgPool", "ReduceMean", "ReduceMax", "Concat", "Split", "VariadicSplit"}
    | {"Reshape", "Squeeze", "Unsqueeze", "Transpose"}
)
"""Operations whose results are not below zero where no floating-point input is."""

TRANSFORMER_FLOAT = frozenset(
    {"Add", "Power", "Squeeze", "Subtract", "AvgPool", "ReduceMean", "ReduceL2", "ReduceSum"}
    | {
        "SquaredDifference",
        "MVN",
        "GroupNormalization",
        "BatchNormInference",
        "Divide",
        "Sqrt",
        "Maximum",
    }
    | {"Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual", "Multiply"}
)
"""Kept in floating point under `model_type: transformer`.
Source: NNCF 3.4.0 and POT 2023.0, their lists of types for transformers."""


def bias_add(graph: Graph, op: Op) -> Op | None:
    """The Add of a constant that alone reads a linear operation's result."""
    readers = op.consumers[0] if op.type in LINEAR else ()
    if len(readers) != 1 or graph.op(readers[0]).type != "Add":
        return None
    add = graph.op(readers[0])
    return add if graph.is_constant(add.inputs[1 - readers[0].port]) else None


def is_nonnegative(kind: str, attributes: dict[str, Any]) -> bool:
    """Whether an operation's results can't be below zero, so that no minimum has to be measured."""
    return kind in NONNEGATIVE or (kind == "Clamp" and float(attributes["min"]) >= 0)


MULTIPLYING = frozenset({"MatMul", "ScaledDotProductAttention"})
"""Operations that are, or are made of, products of matrices."""


def behind_matmuls(graph: Graph) -> frozenset[int]:
    """The MatMuls, those inside attention too, and the operations with element-wise ones at most
    between them and a MatMul, by index.

    OpenVINO's CPU plugin (2026.4.1) computes them, and a quantizer below, together with the MatMul;
    it fails to compile where that quantizer's channels are not on the last axis.
    """
    found: set[int] = set()
    for op in graph.ops:
        is_fused = op.type in COMPUTED_TOGETHER
        if op.type in MULTIPLYING or (
            is_fused and any(source.op in found for _, source in graph.data_inputs(op))
        ):
            found.add(op.index)
    return frozenset(found)


def has_weights_first(graph: Graph, op: Op) -> bool:
    """Whether an operation is a MatMul with a constant on the left: its activations are symmetric
    and signed.

    With any others OpenVINO's CPU plugin (2026.4.1) computes it in f32 from weights that it
    converts in each inference, and where several streams do so at once, wrongly.
    """
    return op.type == "MatMul" and graph.is_constant(op.inputs[0])


def needs_one_scale(graph: Graph, op: Op) -> bool:
    """Whether an operation is a MatMul with a constant on the left, but for a matrix with a bias
    for each row and nothing else.

    Where a quantizer follows, OpenVINO's CPU plugin (2026.4.1) compiles none with a scale per row.
    """
    if not has_weights_first(graph, op):
        return False
    add, weights = bias_add(graph, op), graph.shape(op.inputs[0])
    if add is None or weights is None or len(weights) != 2:
        return True
    (shape,) = (graph.shape(tensor) or () for tensor in add.inputs if graph.is_constant(tensor))
    rows = weights[1 if attributes(op)["transpose_a"] else 0]
    return shape[-2:] != (rows, 1) or any(size != 1 for size in shape[:-2])


def value_readers(graph: Graph, tensor: Tensor) -> tuple[Port, ...]:
    """The ports that read a tensor's values, and not its shape alone."""
    return tuple(port for port in graph.consumers(tensor) if graph.op(port).type != "ShapeOf")


def descriptor_type(graph: Graph, op: Op) -> str:
    """The name under which descriptors list an operation."""
    if op.type == "GroupConvolution" and _is_depthwise(graph, op):
        return DEPTHWISE
    if op.type == "Gather" and graph.is_constant(op.inputs[0]) and graph.is_real(op.inputs[0]):
        return EMBEDDING
    return op.type


def _is_depthwise(graph: Graph, op: Op) -> bool:
    """Groups = input channels = output channels > 1, as POT has it.

    Weights are [groups, out / groups, in / groups, *kernel]. With several outputs per channel,
    OpenVINO's CPU plugin (2026.4.1) gets zero points per channel wrong: 6 dB.
    """
    shape = graph.shape(op.inputs[1])
    return shape is not None and shape[0] is not None and shape[0] > 1 and shape[1:3] == (1, 1)


def activation_ports(op: Op) -> tuple[int, ...]:
    """The ports of a quantizable operation that can take quantized activations."""
    if op.type in FIRST_PORT_ONLY:
        return (0,)
    if op.type in LINEAR:
        return (0, 1)
    return ACTIVATION_PORTS.get(op.type, tuple(range(len(op.inputs))))


def weight_ports(op: Op) -> tuple[int, ...]:
    """The ports of a quantizable operation that can take quantized constants."""
    return WEIGHT_PORTS.get(op.type, (0, 1) if op.type in LINEAR | ELEMENTWISE else ())


def channel_axes(op: Op, port: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of the weights at `port` that keep their own range.

    Of a constant that is combined element by element: the one that is longer than 1, if only one
    is.
    """
    if op.type in ELEMENTWISE:
        axes = tuple(axis for axis, size in enumerate(shape) if size > 1)
        return axes if len(axes) == 1 else ()
    return matmul_axes(op, port, len(shape)) if op.type == "MatMul" else CHANNEL_AXES[op.type]


def matmul_axes(op: Op, port: int, rank: int) -> tuple[int, ...]:
    """All axes of a MatMul's constant but the one that is summed over; none for a vector."""
    if rank < 2:
        return ()
    kept = attributes(op)
    summed = (
        rank - 1
        if (port == 1) == bool(kept["transpose_b" if port else "transpose_a"])
        else rank - 2
    )
    return tuple(axis for axis in range(rank) if axis != summed)


def is_value_preserving(op: Op) -> bool:
    """Whether an Interpolate only repeats values, so that quantized tensors flow through it."""
    return op.type == "Interpolate" and attributes(op).get("mode") == "nearest"


MOVING = frozenset(
    {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Broadcast", "Tile", "Concat", "Split"}
)
"""Operations that hand on values as they are, in another order or shape."""
