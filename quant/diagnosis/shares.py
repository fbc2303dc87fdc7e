"""Whose noise it is that arrives at a model's outputs.

From the outputs upwards, noise is divided at every tensor: a quantized operation keeps the part
that it adds by itself, the rest goes to the operations above it; where several tensors are joined,
by how much noise each of them brings. So noise that is averaged away, or that is small beside what
it is added to, counts as little as it does at the output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from quant.diagnosis.probe import Key, Measure, Subject
from quant.graph import Graph, Op, Tensor
from quant.plan import TensorRef

Means = Mapping[Key, float]

_SUMS = frozenset({"Add", "Subtract"})


def joined(graph: Graph) -> Iterator[TensorRef]:
    """The tensors among which noise is divided: those of operations that read several."""
    for op in graph.ops:
        tensors = [tensor for _, tensor in graph.data_inputs(op)]
        if len(tensors) > 1:
            yield from (TensorRef(graph.op(each).name, each.port) for each in tensors)


def noise_shares(graph: Graph, ends: Mapping[str, str], means: Means) -> dict[str, float]:
    """The share of each quantized operation in the noise of the outputs; the outputs count equally.

    Args:
        graph: of the FP32 model.
        ends: the quantized operation by the operation that computes its result, bias included.
        means: what the probes measured.
    """
    found = dict.fromkeys(ends.values(), 0.0)
    flow = dict(_outputs(graph, means))
    for op in reversed(graph.ops):
        arriving = sum(flow.get(Tensor(op.index, port), 0.0) for port in range(len(op.is_real)))
        if arriving and op.name in ends:
            own = arriving * _own(ends[op.name], means)
            found[ends[op.name]] += own
            arriving -= own
        if arriving:
            for tensor, part in _parts(graph, op, ends, means):
                flow[tensor] = flow.get(tensor, 0.0) + arriving * part
    return found


def _outputs(graph: Graph, means: Means) -> Iterator[tuple[Tensor, float]]:
    """The tensors of the outputs that have noise, or of which it is not known."""
    results = [op.inputs[0] for op in graph.ops if op.type == "Result"]
    noisy = {
        tensor
        for position, tensor in enumerate(results)
        if means.get(Key(Measure.NOISE, position)) != 0
    }
    return ((tensor, 1 / len(noisy)) for tensor in noisy)


def _own(name: str, means: Means) -> float:
    """The part of the noise at an operation's result that it adds by itself.

    Its own noise and the inherited one are taken as independent. What can be measured as inherited
    is too much: where values are rounded, a noise far below a step of the grid moves some by a
    whole step.
    """
    noise, own = (means.get(Key(each, name), 0.0) for each in (Measure.NOISE, Measure.OWN))
    return min(1.0, own / noise) if 0 < noise < np.inf and np.isfinite(own) else 0.0


def _parts(
    graph: Graph, op: Op, ends: Mapping[str, str], means: Means
) -> Iterable[tuple[Tensor, float]]:
    """How the noise that an operation inherits divides among the tensors that it reads."""
    tensors = [tensor for _, tensor in graph.data_inputs(op)]
    if len(tensors) < 2:
        return ((tensor, 1.0) for tensor in tensors)
    weights = np.array([_weight(graph, op, tensor, ends, means) for tensor in tensors])
    if not np.isfinite(weights).all():
        weights = np.ones(len(tensors))
    total = weights.sum() or 1.0
    return zip(tensors, (float(each) for each in weights / total), strict=True)


def _weight(graph: Graph, op: Op, tensor: Tensor, ends: Mapping[str, str], means: Means) -> float:
    """How much noise a tensor brings to an operation; NaN where it was not measured.

    Sums add squares of noise, a Concat as many of them as there are elements; where tensors are
    multiplied or the like, noise counts in relation to its signal.
    """
    source = graph.op(tensor)
    subject: Subject = ends.get(source.name) or TensorRef(source.name, tensor.port)
    signal, noise = (
        means.get(Key(each, subject), np.nan) for each in (Measure.SIGNAL, Measure.NOISE)
    )
    if op.type in _SUMS:
        return noise
    if op.type == "Concat":
        return noise * float(np.prod([size or 1 for size in graph.shape(tensor) or ()]))
    return noise / signal if signal else 0.0
