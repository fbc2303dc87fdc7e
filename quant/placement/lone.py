"""Operations without weights that would run in integers with no product of integers near them.

Integers speed up products with weights; what lies between two of them hands integers on. Alone, an
Add pays for two quantizers and gains nothing: a model whose weights are quantized already, each
layer with ranges measured in the graph, lost 5 dB by its Adds.
"""

from __future__ import annotations

from quant.graph import Graph
from quant.placement.demand import Demand, Role
from quant.placement.kept import Kept
from quant.placement.tables import ACTIVATION_FUNCTIONS, MULTIPLYING, WEIGHTED

_PRODUCTS = (WEIGHTED - {"Gather"}) | MULTIPLYING
LONE = "no operation with integer weights gives it its inputs or reads its result"


def lone(graph: Graph, found: Demand) -> Kept:
    """The operations in integers that no chain of others, and no tensor that both read, connects to
    a product in integers."""
    parent = list(range(len(graph.ops)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    connects = [
        found.roles[op.index] in (Role.INTEGER, Role.PASS, Role.NEUTRAL)
        or op.type in ACTIVATION_FUNCTIONS
        for op in graph.ops
    ]
    for op in graph.ops:
        for _, tensor in graph.data_inputs(op):
            if connects[op.index]:  # readers of one tensor share its quantizer, whatever it is
                parent[root(op.index)] = root(tensor.op)
    integer = [op for op in graph.ops if found.roles[op.index] is Role.INTEGER]
    accompanied = {root(op.index) for op in integer if op.type in _PRODUCTS}
    return {op.index: LONE for op in integer if root(op.index) not in accompanied}
