"""What becomes of every operation, and why some stay in floating point."""

from __future__ import annotations

from quant.graph import Graph, Op
from quant.placement.demand import Demand, Role
from quant.placement.ignored import ACTIVATIONS
from quant.placement.kept import Kept
from quant.placement.tables import ACTIVATION_FUNCTIONS, RECURRENT
from quant.plan import ActivationQuantizer, OperationPlan, Status, WeightQuantizer
from quant.scheme import Scheme
from quant.target import Target

SKIPPED = frozenset({"Constant", "Parameter", "Result", "ShapeOf"})
"""Operations that have no fate."""


def operation_plans(
    graph: Graph,
    target: Target,
    found: Demand,
    floats: Kept,
    activations: tuple[ActivationQuantizer, ...],
    weighted: tuple[WeightQuantizer, ...],
) -> tuple[OperationPlan, ...]:
    schemes: dict[str, list[Scheme]] = {}
    for activation in activations:
        for name in activation.operations:
            schemes.setdefault(name, []).append(activation.scheme)
    weight_schemes = {ref.op: each.scheme for each in weighted for ref in each.consumers}
    plans = []
    for op in graph.ops:
        if op.type in SKIPPED or floats.get(op.index) == "computes shapes":
            continue
        taken = tuple(dict.fromkeys(schemes.get(op.name, ())))
        weight = weight_schemes.get(op.name)
        status, reason = _fate(graph, target, found, floats, op, is_quantized=bool(taken or weight))
        plans.append(
            OperationPlan(
                name=op.name,
                type=op.type,
                status=status,
                activations=taken,
                weights=weight,
                reason=reason,
            )
        )
    return tuple(plans)


def _fate(
    graph: Graph, target: Target, found: Demand, floats: Kept, op: Op, *, is_quantized: bool
) -> tuple[Status, str]:
    """What becomes of an operation, and why it is not executed in integers."""
    role = found.roles[op.index]
    if floats.get(op.index) == ACTIVATIONS:
        return Status.FLOAT, ACTIVATIONS
    if is_quantized:
        return Status.QUANTIZED, ""
    if found.is_covered(op):
        return Status.PASSTHROUGH, "hands on quantized tensors"
    if op.index in floats:
        return Status.FLOAT, floats[op.index]
    if not any(graph.is_real(t) for t in op.inputs if not graph.is_constant(t)):
        return Status.FLOAT, "no floating-point input"
    if op.type in ACTIVATION_FUNCTIONS:
        return Status.FUSED, "activation function: fused into its producer"
    if role is Role.NEUTRAL:
        return Status.FUSED, "element-wise with a constant: fused into its producer"
    if role is Role.PASS:
        if any(found.is_apart(port) for readers in op.consumers for port in readers):
            return Status.FLOAT, "what reads its result has a quantizer of its own"
        return Status.FLOAT, "some reader of its result needs floating point"
    reason = f"the target {target.name!r} has no integer {op.type}"
    if op.type in RECURRENT:
        reason += ", only what a cell is made of, and cells are not taken apart"
    return Status.FLOAT, reason
