"""What recurrent cells read, scaled to go with their hidden state.

Devices quantize a cell's input and its hidden state by one scale, and the weights of both by
another. Wide inputs, such as logarithms of a spectrum, leave a state between -1 and 1 few levels,
and narrow ones are left few by it. So the input is divided by a factor on the way in, and its
weights are multiplied by it: the one with the least expected noise of the gates, errors of the
input and state, and of the weights of both. No operation is added: the quantizer divides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.emulation import Stretch
from quant.fake_quantize import activation_levels
from quant.graph import Graph, Op
from quant.parameters import Aggregator
from quant.placement.cells import is_hidden_state
from quant.placement.tables import GATES, HIDDEN_STATE, RECURRENT, WEIGHT_PORTS
from quant.plan import (
    ActivationQuantizer,
    BiasSite,
    CellInput,
    MinMaxPlan,
    TensorRef,
    WeightQuantizer,
)
from quant.runtime import opset
from quant.scheme import Granularity, Scheme
from quant.statistics.need import Need, Reduction, Statistics
from quant.steps.fast_bias import points_need
from quant.work import Work

Array = NDArray[Any]
Ends = Mapping[str, tuple[Array, Array]]

_REACHES = 2.0 ** (np.arange(15) / 2)
"""How far the input may reach where the hidden state reaches 1: in steps of 3 dB, up to 128, where
a state has a level."""

_BITS = 8
"""Finer grids need no help."""

_MOST = 127
"""The largest integer of 8-bit weights, which share their scale with those of the state."""

_LEAST = 0.05
"""Of the noise, below which an input stays as it is: the model says no more than that."""


def sites(
    graph: Graph,
    activations: tuple[ActivationQuantizer, ...],
    weights: tuple[WeightQuantizer, ...],
) -> tuple[CellInput, ...]:
    """The quantizers that recurrent cells read their input from.

    Not of hidden states, whose range is right. Nor where cells share their scales (see
    `placement.cells`).
    """
    together: dict[str, list[ActivationQuantizer]] = {}
    for each in activations:
        if each.covers is not None:
            together.setdefault(each.group or each.name, []).append(each)
    constants: dict[str, list[WeightQuantizer]] = {}
    for constant in weights:
        constants.setdefault(constant.group or "", []).append(constant)
    found = (_site(graph, each, constants) for each in together.values())
    return tuple(each for each in found if each is not None)


def _site(
    graph: Graph,
    quantizers: list[ActivationQuantizer],
    constants: Mapping[str, list[WeightQuantizer]],
) -> CellInput | None:
    """The site of quantizers of one range; None where the input stays as it is."""
    inputs = [each for each in quantizers if each.consumers[0].port == 0]
    cells = {port.op: graph.by_name[port.op] for each in inputs for port in each.consumers}
    own = [
        each
        for group in constants.values()
        for each in group
        if any(port.op in cells for port in each.consumers)
    ]
    shared = {each.group or "" for each in own}
    is_known = all(op.type in RECURRENT for op in cells.values()) and "" not in shared
    is_theirs = all(
        len(each.consumers) == 1 and each.consumers[0].op in cells
        for group in shared
        for each in constants[group]
    )
    schemes = [each.scheme for each in inputs] + [each.scheme for each in own]
    is_coarse = all(scheme.bits <= _BITS for scheme in schemes)
    is_flat = all(each.scheme.granularity is Granularity.PERTENSOR for each in inputs)
    if not (inputs and is_known and is_theirs and is_coarse and is_flat):
        return None
    if all(is_hidden_state(graph, op.inputs[0]) for op in cells.values()):
        return None
    return CellInput(
        quantizers=tuple(each.name for each in inputs),
        states=tuple(each.name for each in quantizers if each not in inputs),
        scheme=inputs[0].scheme,
        cells=tuple(_input(graph, op) for op in cells.values()),
    )


def _input(graph: Graph, op: Op) -> BiasSite:
    weights = graph.shape(op.inputs[WEIGHT_PORTS[op.type][0]])
    assert weights is not None
    channels = weights[2]
    assert channels is not None  # constants have static shapes
    tensor = TensorRef(graph.op(op.inputs[0]).name, op.inputs[0].port)
    return BiasSite(operation=op.name, tensor=tensor, channel_axis=2, channels=channels)


def needs(plan: MinMaxPlan) -> Iterable[Need]:
    """Points of every cell's input, and how large its hidden state is."""
    for each in plan.cell_inputs:
        for cell in each.cells:
            yield points_need(plan.subset, cell)
            yield _power(plan, cell)


def _power(plan: MinMaxPlan, cell: BiasSite) -> Need:
    return Need(
        tensor=TensorRef(cell.operation, 0),
        reduction=Reduction.MEAN_SQUARE,
        aggregator=Aggregator.MEAN,
        subset=plan.subset,
    )


def scale(work: Work, plan: MinMaxPlan, ends: Ends, statistics: Statistics) -> dict[str, float]:
    """Multiplies the weights of cells' inputs where that lowers the noise; returns what each of
    the quantizers divides by then.

    Args:
        ends: of every quantizer's range, as its tensor is.
    """
    factors: dict[str, float] = {}
    for each in plan.cell_inputs:
        cells = [_cell(work, plan, cell, statistics) for cell in each.cells]
        inputs = _widest(ends, each.quantizers)
        states = _widest({**ends, "": HIDDEN_STATE}, ("", *each.states))
        factor = best_factor(each.scheme, inputs, states, cells)
        if factor != 1:
            for cell in each.cells:
                _multiply(work, cell.operation, factor)
            factors |= dict.fromkeys(each.quantizers, factor)
            work.outcomes[f"cell input {each.quantizers[0]}"] = f"divided by {factor:.3g}"
    work.stretches |= {name: Stretch(factor=factor) for name, factor in factors.items()}
    return factors


def _widest(ends: Mapping[str, Any], names: Iterable[str]) -> tuple[float, float]:
    low, high = zip(*(np.ravel(ends[name]) for name in names), strict=True)
    return float(min(low)), float(max(high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What of a cell's weights, and of what they are multiplied by, tells the noise of its gates.

    Attributes:
        gates: of each unit.
        input_peaks, state_peaks: each unit's largest weight, `[units]`.
        input_energy, state_energy: sums of the weights' squares.
        input_power, state_power: sums of the mean squares of the features, and of the units.
    """

    gates: int
    input_peaks: Array
    state_peaks: Array
    input_energy: float
    state_energy: float
    input_power: float
    state_power: float


def _cell(work: Work, plan: MinMaxPlan, cell: BiasSite, statistics: Statistics) -> Cell:
    node = work.nodes[cell.operation]
    kind = node.get_type_name()
    weights = [node.input_value(port).get_node().data for port in WEIGHT_PORTS[kind]]
    units = weights[1].shape[2]
    peaks = [np.abs(each).max(axis=(0, 2)).reshape(-1, units).max(axis=0) for each in weights]
    energies = [float(np.square(each, dtype=np.float64).sum()) for each in weights]
    points = statistics.of(points_need(plan.subset, cell), cell.operation)
    state = float(statistics.of(_power(plan, cell), cell.operation)[0])
    return Cell(
        gates=GATES[kind],
        input_peaks=peaks[0],
        state_peaks=peaks[1],
        input_energy=energies[0],
        state_energy=energies[1],
        input_power=float(np.square(points, dtype=np.float64).mean(axis=0).sum()),
        state_power=state * units,
    )


def best_factor(
    scheme: Scheme, inputs: tuple[float, float], states: tuple[float, float], cells: list[Cell]
) -> float:
    """What to divide the cells' input by for the least expected squared error of their gates; 1
    where nothing lowers it by much. Each rounding is uniform: a step's square over 12.

    Args:
        scheme: of the input and the states.
        inputs, states: both ends of their ranges.

    >>> cell = Cell(gates=4, input_peaks=np.ones(1), state_peaks=np.ones(1), input_energy=1,
    ...             state_energy=1, input_power=1, state_power=1)
    >>> ends = [(-1.0, 1.0), (-8.0, 8.0)]
    >>> [best_factor(Scheme(), each, (-1, 1), [cell]) for each in ends]
    [1.0, 2.0]
    """
    reach = max(-inputs[0], inputs[1])
    if not 0 < reach < np.inf:
        return 1.0
    factors = np.array([1, *(reach / _REACHES)])
    low = np.minimum(inputs[0] / factors, states[0])
    high = np.maximum(inputs[1] / factors, states[1])
    step = activation_levels(scheme, low, high).scale.astype(np.float64)
    noise = np.zeros(len(factors))
    for cell in cells:
        noise += step**2 * (factors**2 * cell.input_energy + cell.state_energy)
        peaks = np.maximum(factors[:, None] * cell.input_peaks, cell.state_peaks) / _MOST
        power = cell.input_power / factors**2 + cell.state_power
        noise += np.square(peaks).sum(axis=1) * cell.gates * power
    best = int(noise.argmin())
    return float(factors[best]) if noise[best] < (1 - _LEAST) * noise[0] else 1.0


def _multiply(work: Work, name: str, factor: float) -> None:
    """Multiplies the weights of a cell's input."""
    node = work.nodes[name]
    port = node.input(WEIGHT_PORTS[node.get_type_name()][0])
    constant = port.get_source_output().get_node()
    changed = opset.constant((constant.data * np.float32(factor)).astype(constant.data.dtype))
    changed.set_friendly_name(constant.get_friendly_name())
    port.replace_source_output(changed.output(0))
    work.nodes[constant.get_friendly_name()] = changed
