"""Operations that stay in floating point whatever their type could do, each with the reason.

The user's `ignored`, the architecture (`model_type`), and patterns that lose accuracy or bring no
speed. Source of the patterns: POT 2023.0.2 and NNCF 3.4.0, their ignored patterns, generalised:
instead of one chain of operations each, a rule on where a tensor comes from or goes to.
Spelled-out activation functions and normalizations need no rule, since `load_model` fuses them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from quant.graph import Graph, Op, Tensor, attributes
from quant.masks import is_masking
from quant.parameters import ModelType
from quant.placement.attention import SOFTMAX, attention, transformer_types
from quant.placement.fused import is_fused, is_scaled_reduction
from quant.placement.last import last_sums
from quant.placement.normalizing import functions_of_one, magnitudes, single_values, spectra
from quant.placement.tables import (
    ACTIVATION_FUNCTIONS,
    BODIES,
    ELEMENTWISE,
    LINEAR,
    MOVING,
    MULTI_INPUT_PASSTHROUGH,
    RECURRENT,
    WEIGHTED,
    is_nonnegative,
    value_readers,
)
from quant.placement.walks import above, ends
from quant.runtime import ov
from quant.target import Target

Kept = dict[int, str]
"""Reason by position of the operation in the graph."""

_GATES = frozenset({"Sigmoid", "HSigmoid", "HardSigmoid", "Clamp"})
_POOLS = frozenset({"ReduceMean", "AvgPool", "AdaptiveAvgPool"})
_AVERAGES = _POOLS | {"ReduceSum"}
_MIXING = frozenset({"Concat", "Interpolate"})
_ZERO_POINT_KEEPING = _AVERAGES | MOVING | _MIXING | ELEMENTWISE | {"MaxPool", "Clamp"}
_EPSILONS = {"MVN": "eps", "NormalizeL2": "eps", "GroupNormalization": "epsilon"}
_LARGEST_EPSILON = 1e-4
"""Of a variance or a sum of squares."""
_LARGEST_STRIDE = 3
_MASKING = frozenset({"Select", "Convert", "Slice", "StridedSlice", "Gather"})
_MASKS = {"ScaledDotProductAttention": 3}
"""Ports of attention that are added to scores."""
_EXTREMES = frozenset({"ReduceMax", "ReduceMin", "MaxPool", "AdaptiveMaxPool"})
_SELECTIONS = frozenset(
    {"TopK", "NonMaxSuppression", "MulticlassNms", "MatrixNms", "DetectionOutput"}
    | {"ExperimentalDetectronDetectionOutput", "NMSRotated"}
)


def kept(graph: Graph, model_type: ModelType | None, target: Target) -> Kept:
    """Every operation that a rule of ours keeps in floating point on a target."""
    found: Kept = {}
    rules: list[Callable[[Graph], Iterator[tuple[Op, str]]]] = [
        _shape_computations,
        _bodies,
        _of_constants,
        _broken_weights,
        _double_precision,
        _recurrent_variants,
        _dynamic_ranks,
        _padded_averages,
        _padded_values,
        _large_epsilons,
        _states,
        _post_processing,
        _logits,
        _masked_extremes,
        _squeeze_excitation,
        _positions,
        functions_of_one,
        _scaled_reductions,
    ]
    if not target.quantizes_outputs:
        rules += [magnitudes, spectra, single_values, last_sums]
    if target.device == "CPU":
        rules += [_transposed, _shared_products]
    if model_type is ModelType.TRANSFORMER:
        rules += [transformer_types, attention]
    for rule in rules:
        for op, reason in rule(graph):
            found.setdefault(op.index, reason)
    return found


def _shape_computations(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Operations that see shapes only, never the data."""
    shapes: set[int] = set()
    for op in graph.ops:
        sources = [t.op for t in op.inputs if not graph.is_constant(t)]
        if op.type == "ShapeOf" or (sources and all(source in shapes for source in sources)):
            shapes.add(op.index)
            yield op, "computes shapes"


def _bodies(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Operations with graphs of their own, which are not entered; what they hold is named."""
    for op in graph.ops:
        if op.type in BODIES:
            inside = [
                f"{node.get_type_name()} {node.get_friendly_name()!r}"
                for body in _bodies_of(op)
                for node in body.get_ordered_ops()
                if node.get_type_name() in LINEAR | RECURRENT
            ]
            held = f"; in floating point inside: {', '.join(inside)}" if inside else ""
            yield op, f"bodies are not entered{held}"


def _bodies_of(op: Op) -> list[ov.Model]:
    if op.type == "If":
        return [op.node.get_then_body(), op.node.get_else_body()]
    return [op.node.get_function()]


def _of_constants(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Operations that depend on no input of the model, which need to run once only, and those whose
    weights come from such operations."""
    for op in graph.ops:
        if not op.varies and op.type != "Constant":
            yield op, "is computed from constants alone"
        if op.type in LINEAR and any(
            not graph.op(t).varies and not graph.is_constant(t) for t in op.inputs
        ):
            yield op, "its weights are compressed already"


def _broken_weights(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Operations whose weights have no range."""
    broken = {
        op.index
        for op in graph.ops
        if op.type == "Constant"
        and op.is_real[0]
        and any(graph.op(port).type in WEIGHTED for port in op.consumers[0])
        and not np.isfinite(op.node.data).all()
    }
    for op in graph.ops:
        if op.type in WEIGHTED and any(tensor.op in broken for tensor in op.inputs):
            yield op, "its weights hold NaN or infinity"


def _transposed(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Transposed convolutions that OpenVINO's CPU plugin (2026.4.1) computes in f32, from integer
    weights that it converts in each inference: up to 25 times slower than from f32 ones."""
    for op in graph.ops:
        if op.type == "ConvolutionBackpropData":
            strides = [int(each) for each in attributes(op)["strides"]]
            taps = (graph.shape(op.inputs[1]) or ())[2:]
            is_sparse = any((k or 0) < stride for k, stride in zip(taps, strides, strict=False))
            if strides[-1] > _LARGEST_STRIDE or is_sparse:
                yield op, "the CPU executes no such stride in integers, and is slower with them"


def _double_precision(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Operations on f64, which OpenVINO's plugins run in f32 and never in integers."""
    for op in graph.ops:
        if any(source.get_element_type() == ov.Type.f64 for source in op.node.input_values()):
            yield op, "has f64 inputs, which no device takes in integers"


def _recurrent_variants(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Recurrent cells that no device executes in integers."""
    for op in graph.ops:
        if op.type not in RECURRENT:
            continue
        kept = attributes(op)
        usual = ["sigmoid", "tanh", "tanh"][: 3 if op.type == "LSTMSequence" else 2]
        if kept.get("linear_before_reset"):
            yield op, "linear_before_reset has no integer form"
        elif kept.get("clip") or list(kept.get("activations") or usual) != usual:
            yield op, "clipped or unusual activations have no integer form"
        elif _joins_constant(graph, op.inputs[0]):
            yield op, "OpenVINO compiles no cell in integers behind a Concat with a constant"


def _joins_constant(graph: Graph, tensor: Tensor) -> bool:
    """Whether a tensor, moved about at most, is joined with a constant."""
    op = graph.op(tensor)
    if op.type not in MOVING:
        return graph.is_constant(tensor)
    sources = op.inputs if op.type == "Concat" else op.inputs[:1]
    return any(_joins_constant(graph, each) for each in sources)


def _dynamic_ranks(graph: Graph) -> Iterator[tuple[Op, str]]:
    for op in graph.ops:
        if any(graph.op(tensor).ranks[tensor.port] is None for _, tensor in graph.data_inputs(op)):
            yield op, "the rank of an input is dynamic"


def _padded_averages(graph: Graph) -> Iterator[tuple[Op, str]]:
    """AvgPools that count the zeros of their padding, on tensors that may be negative, and above
    them averages, and what mixes tensors or their places.

    OpenVINO's CPU plugin (2026.4.1) pads with the integer 0, which is no zero where there is a zero
    point: -10 dB. It moves zero points down through those, so that a pool in floating point
    would get one from there: -19 dB.
    """
    for op in graph.ops:
        if op.type != "AvgPool" or _is_nonnegative(graph, op.inputs[0]):
            continue
        kept = attributes(op)
        if any((*kept["pads_begin"], *kept["pads_end"])) and not kept["exclude-pad"]:
            yield op, "averages the zeros of its padding, which need a zero point of zero"
            for source in above(graph, op, stop=frozenset(), through=_ZERO_POINT_KEEPING):
                if source.type in _AVERAGES | _MIXING:
                    yield source, "its zero point would move into the padding of the AvgPool below"


def _padded_values(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Pads with another constant than zero: OpenVINO's CPU plugin (2026.4.1) pads integers with the
    number itself instead of the integer that stands for it, or does not compile."""
    for op in graph.ops:
        if op.type != "Pad" or attributes(op)["pad_mode"] != "constant" or len(op.inputs) < 4:
            continue
        value = op.inputs[3]
        if not graph.is_constant(value) or np.any(graph.op(value).node.data != 0):
            yield op, "pads with another value than zero"


def _is_nonnegative(graph: Graph, tensor: Tensor) -> bool:
    """Whether a tensor is known to hold no negative value, from what is above it."""
    queue, seen = [tensor.op], set()
    while queue:
        op = graph.ops[queue.pop()]
        if op.index in seen or is_nonnegative(op.type, attributes(op)):
            continue
        if op.type not in MOVING | _POOLS | {"MaxPool"}:
            return False
        seen.add(op.index)
        queue += [source.op for _, source in graph.data_inputs(op)]
    return True


def _shared_products(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Products of two tensors of dynamic shape with several readers: in integers, OpenVINO's CPU
    plugin (2026.4.1) gives zeros to one that it computes together with the product."""
    for op in graph.ops:
        if op.type != "MatMul" or not graph.joins(op):
            continue
        product = Tensor(op.index, 0)
        is_dynamic = None in (graph.shape(product) or (None,))
        if is_dynamic and len(value_readers(graph, product)) > 1:
            yield op, "OpenVINO computes a product of dynamic shape for several readers wrongly"


def _large_epsilons(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Normalizations whose epsilon may be no small part of what they divide by.

    OpenVINO's CPU plugin (2026.4.1) normalizes integers, beside whose squares epsilon is nothing.
    For numbers around 0.05 and an epsilon of 0.01 that is 5 dB, for one of 1e-4 34 dB.
    """
    for op in graph.ops:
        if op.type not in _EPSILONS:
            continue
        kept = attributes(op)
        epsilon = float(kept[_EPSILONS[op.type]])
        is_of_deviation = str(kept.get("eps_mode")).lower() == "outside_sqrt"
        if (epsilon**2 if is_of_deviation else epsilon) > _LARGEST_EPSILON:
            yield op, f"its epsilon of {epsilon:g} would be left out in integers"


def _states(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Operations on a kept state, which calibration only sees as it is before the first sample.

    One that joins the state with another tensor has that one's range; a recurrent cell's own holds
    every state.
    """
    states: set[int] = set()
    for op in graph.ops:
        sources = [tensor.op in states for _, tensor in graph.data_inputs(op)]
        if op.type == "ReadValue" or (sources and all(sources)):
            states.add(op.index)
        joins = op.type in MULTI_INPUT_PASSTHROUGH and not all(sources)
        if any(sources) and not joins and op.type not in RECURRENT | {"Assign"}:
            yield op, "reads a state, whose range calibration does not see"


def _post_processing(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Everything between the last weighted operations and a selection of boxes or classes."""
    for start in graph.ops:
        if start.type in _SELECTIONS:
            for op in above(graph, start, stop=LINEAR):
                yield op, f"feeds {start.type} only to be sorted"


def _logits(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Element-wise operations above a Softmax, which runs in floating point, or a fused
    attention's mask.

    Attention masks come in here: their huge negative numbers would be all that a range holds.
    """
    stop, through = LINEAR | RECURRENT | _MASKS.keys(), MOVING | ELEMENTWISE | _MASKING
    for start in graph.ops:
        if start.type not in SOFTMAX | _MASKS.keys():
            continue
        for op in above(graph, start, stop=stop, through=through, port=_MASKS.get(start.type)):
            if op.type in ELEMENTWISE and graph.joins(op):
                yield op, f"feeds {start.type}, where masks are added"


def _masked_extremes(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Pooling of maxima or minima that masks keep values out of, and the element-wise operations
    that add those: a range that held the masks would hold nothing else."""
    through = MOVING | ELEMENTWISE | _MASKING
    for start in graph.ops:
        if start.type not in _EXTREMES:
            continue
        ops = tuple(above(graph, start, stop=LINEAR | RECURRENT, through=through))
        if any(_masks(graph, op) for op in ops):
            yield start, "takes the extremes of masked values"
            for op in ops:
                if op.type in ELEMENTWISE and graph.joins(op):
                    yield op, f"feeds {start.type}, where masks are added"


def _masks(graph: Graph, op: Op) -> bool:
    """Whether an operation adds numbers as large as masks', or puts them in, or around: constants,
    or what is multiplied by them and kept apart since (`guard_masks`)."""
    taken = {"Select": op.inputs[1:], "Pad": op.inputs[3:]}
    added = op.inputs if op.type in ("Add", "Subtract") else taken.get(op.type, ())
    sources = [graph.op(each) for each in added]
    behind = [graph.op(t) for each in sources if each.type == "Maximum" for t in each.inputs]
    products = [each for each in (*sources, *behind) if each.type == "Multiply"]
    factors = [graph.op(t) for each in products for t in each.inputs]
    return any(is_masking(each.node) for each in (*sources, *factors))


def _squeeze_excitation(graph: Graph) -> Iterator[tuple[Op, str]]:
    """The two linear layers that compute a gate from a pooled tensor, which then multiplies that
    tensor."""
    for gate in graph.ops:
        if gate.type != "Multiply" or len(gate.inputs) != 2:
            continue
        for value, gated in (gate.inputs, gate.inputs[::-1]):
            layers = _gate_layers(graph, gated, value)
            yield from ((op, "computes a gate from pooled values") for op in layers)


def _gate_layers(graph: Graph, tensor: Tensor, value: Tensor) -> list[Op]:
    """The linear layers between a gate and the pooling of `value`; empty where it is no such
    gate."""
    layers: list[Op] = []
    op = graph.op(tensor)
    if op.type not in _GATES:
        return []
    while op.type not in _POOLS:
        if op.type in LINEAR:
            layers.append(op)
        elif op.type not in (_GATES | ACTIVATION_FUNCTIONS | MOVING | ELEMENTWISE):
            return []
        sources = [t for _, t in graph.data_inputs(op)]
        if len(set(sources)) != 1 or len(layers) > 2:
            return []
        op = graph.op(sources[0])
    return layers if op.inputs[0] == value and len(layers) == 2 else []


def _positions(graph: Graph) -> Iterator[tuple[Op, str]]:
    """MatMuls that compute the angles of rotary or sinusoidal embeddings."""
    for start in graph.ops:
        if start.type in ("Sin", "Cos"):
            for op in above(
                graph, start, stop=frozenset({"MatMul"}), through=MOVING | {"Multiply"}
            ):
                if op.type == "Multiply":
                    yield op, f"computes angles for {start.type}"
            for op in ends(graph, start, frozenset({"MatMul"}), MOVING | {"Multiply"}):
                yield op, f"computes angles for {start.type}"


def _scaled_reductions(graph: Graph) -> Iterator[tuple[Op, str]]:
    """What reads the mean of vectors behind a constant per channel, such as a folded batch norm.

    OpenVINO's CPU plugin (2026.4.1) computes garbage where a quantizer stands between.
    """
    for op in graph.ops:
        if not is_fused(graph, op) and any(
            is_scaled_reduction(graph, tensor) for _, tensor in graph.data_inputs(op)
        ):
            yield op, "a quantizer on a reduction with a constant per channel comes out wrong"
