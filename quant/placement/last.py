"""Element-wise operations behind the last product of all: nothing reads integers there.

A detector puts its boxes together from numbers of unlike size there: one YOLOv8 lost 0.9 dB.
"""

from __future__ import annotations

from collections.abc import Iterator

from quant.graph import Graph, Op
from quant.placement.tables import BODIES, ELEMENTWISE, LINEAR, MULTIPLYING, RECURRENT

_READERS = LINEAR | RECURRENT | MULTIPLYING | BODIES | {"Assign"}
"""Products, and what may lead to one: bodies, and states for the next sample."""


def last_sums(graph: Graph) -> Iterator[tuple[Op, str]]:
    """Those of two tensors. Products count whatever runs in integers: to keep one in floating point
    changes no other operation."""
    read: set[int] = set()
    for op in reversed(graph.ops):
        if op.type in _READERS or op.index in read:
            read.update(tensor.op for tensor in op.inputs)
        elif op.type in ELEMENTWISE and graph.joins(op):
            yield op, "no product comes behind it that would read integers"
