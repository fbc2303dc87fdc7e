"""What recurrent cells read, scaled to go with their hidden state.

Devices quantize a cell's input and its hidden state by one scale, and the weights of both by
another. Wide inputs, such as logarithms of a spectrum, leave a state between -1 and 1 few levels,
and narrow ones are left few by it. So the input is divided by a factor on the way in, and its
weights are multiplied by it: the one with the least expected noise of the gates, errors of the
input and state, and of the weights of both. No operation is added: the quantizer divides.
Cells that share their scales each have a factor of their own, so that all inputs reach as far.
"""

from __future__ import annotations

from collections import defaultdict
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
    CellGroup,
    CellInput,
    CellSite,
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
) -> tuple[CellGroup, ...]:
    """The cells of each range where an input may be divided: one that is no hidden state, whose
    range is right."""
    together: dict[str, list[ActivationQuantizer]] = {}
    for each in activations:
        if each.covers is not None:
            together.setdefault(each.group or each.name, []).append(each)
    constants: dict[str, list[WeightQuantizer]] = {}
    for constant in weights:
        constants.setdefault(constant.group or "", []).append(constant)
    found = (_group(graph, each, constants) for each in together.values())
    return tuple(each for each in found if each is not None)


def _group(
    graph: Graph,
    quantizers: list[ActivationQuantizer],
    constants: Mapping[str, list[WeightQuantizer]],
) -> CellGroup | None:
    """The cells behind quantizers of one range; None where their inputs stay as they are."""
    inputs = [each for each in quantizers if each.consumers[0].port == 0]
    cells = {port.op: graph.by_name[port.op] for each in inputs for port in each.consumers}
    weights = {
        port.op: name
        for name, group in constants.items()
        for each in group
        for port in each.consumers
        if port.op in cells
    }
    own = [each for name in set(weights.values()) for each in constants[name]]
    is_known = all(op.type in RECURRENT and weights.get(name) for name, op in cells.items())
    is_theirs = all(len(each.consumers) == 1 and each.consumers[0].op in cells for each in own)
    schemes = [each.scheme for each in inputs] + [each.scheme for each in own]
    is_coarse = all(scheme.bits <= _BITS for scheme in schemes)
    is_flat = all(each.scheme.granularity is Granularity.PERTENSOR for each in inputs)
    if not (inputs and is_known and is_theirs and is_coarse and is_flat):
        return None
    found = tuple(
        CellInput(
            quantizer=each.name,
            cells=tuple(
                CellSite(input=_input(graph, cells[port.op]), weights=weights[port.op])
                for port in each.consumers
            ),
            is_hidden_state=is_hidden_state(graph, cells[each.consumers[0].op].inputs[0]),
        )
        for each in inputs
    )
    if all(each.is_hidden_state for each in found):
        return None
    states = tuple(each.name for each in quantizers if each not in inputs)
    return CellGroup(inputs=found, states=states, scheme=inputs[0].scheme)


def _input(graph: Graph, op: Op) -> BiasSite:
    weights = graph.shape(op.inputs[WEIGHT_PORTS[op.type][0]])
    assert weights is not None
    channels = weights[2]
    assert channels is not None  # constants have static shapes
    tensor = TensorRef(graph.op(op.inputs[0]).name, op.inputs[0].port)
    return BiasSite(operation=op.name, tensor=tensor, channel_axis=2, channels=channels)


def needs(plan: MinMaxPlan) -> Iterable[Need]:
    """Points of every cell's input, and how large its hidden state is."""
    for group in plan.cell_groups:
        for cell in (cell.input for each in group.inputs for cell in each.cells):
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
    for group in plan.cell_groups:
        inputs = [
            Input(
                ends=_widest(ends, [each.quantizer]),
                cells=tuple(_cell(work, plan, cell, statistics) for cell in each.cells),
                is_fixed=each.is_hidden_state,
            )
            for each in group.inputs
        ]
        states = _widest({**ends, "": HIDDEN_STATE}, ("", *group.states))
        found = best_factors(group.scheme, inputs, states)
        for each, factor in zip(group.inputs, found, strict=True):
            if factor != 1:
                for cell in each.cells:
                    _multiply(work, cell.input.operation, factor)
                factors[each.quantizer] = factor
                work.outcomes[f"cell input {each.quantizer}"] = f"divided by {factor:.3g}"
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
        weights: the group of cells that share the weights' scales, which each unit has one of.
    """

    gates: int
    input_peaks: Array
    state_peaks: Array
    input_energy: float
    state_energy: float
    input_power: float
    state_power: float
    weights: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Both ends of an input's range, the cells that read it, and whether it stays as it is."""

    ends: tuple[float, float]
    cells: tuple[Cell, ...]
    is_fixed: bool = False

    @property
    def factors(self) -> Array:
        """What it may be divided by: 1, and what lets it reach as far as `_REACHES`."""
        reach = max(-self.ends[0], self.ends[1])
        is_known = 0 < reach < np.inf and not self.is_fixed
        return np.array([1, *(reach / _REACHES if is_known else np.ones(len(_REACHES)))])


def _cell(work: Work, plan: MinMaxPlan, site: CellSite, statistics: Statistics) -> Cell:
    cell = site.input
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
        weights=site.weights,
    )


def best_factors(scheme: Scheme, inputs: list[Input], states: tuple[float, float]) -> list[float]:
    """What to divide each input by for the least expected squared error of all cells' gates; 1
    where nothing lowers it by much. Each rounding is uniform: a step's square over 12.

    Args:
        scheme: of the inputs and the states, which have one range.
        states: both ends of the states' range.

    >>> cell = Cell(gates=4, input_peaks=np.ones(1), state_peaks=np.ones(1), input_energy=1,
    ...             state_energy=1, input_power=1, state_power=1, weights="")
    >>> best_factors(Scheme(), [Input(ends=(-1.0, 1.0), cells=(cell,))], (-1, 1))
    [1.0]
    >>> best_factors(Scheme(), [Input(ends=(-8.0, 8.0), cells=(cell,))], (-1, 1))
    [2.0]
    """
    factors = [each.factors for each in inputs]
    low, high = (np.full(len(_REACHES) + 1, end) for end in states)
    for each, factor in zip(inputs, factors, strict=True):
        low, high = np.minimum(low, each.ends[0] / factor), np.maximum(high, each.ends[1] / factor)
    step = activation_levels(scheme, low, high).scale.astype(np.float64)
    noise = np.zeros(len(step))
    peaks, powers = defaultdict[str, Any](float), defaultdict[str, Any](float)
    for each, factor in zip(inputs, factors, strict=True):
        for cell in each.cells:
            noise += step**2 * (factor**2 * cell.input_energy + cell.state_energy)
            largest = np.maximum(factor[:, None] * cell.input_peaks, cell.state_peaks)
            peaks[cell.weights] = np.maximum(peaks[cell.weights], largest)
            powers[cell.weights] += cell.gates * (cell.input_power / factor**2 + cell.state_power)
    for weights, largest in peaks.items():
        noise += np.square(largest / _MOST).sum(axis=1) * powers[weights]
    best = int(noise.argmin())
    best = best if noise[best] < (1 - _LEAST) * noise[0] else 0
    return [float(factor[best]) for factor in factors]


def _multiply(work: Work, name: str, factor: float) -> None:
    """Multiplies the weights of a cell's input."""
    node = work.nodes[name]
    port = node.input(WEIGHT_PORTS[node.get_type_name()][0])
    constant = port.get_source_output().get_node()
    changed = opset.constant((constant.data * np.float32(factor)).astype(constant.data.dtype))
    changed.set_friendly_name(constant.get_friendly_name())
    port.replace_source_output(changed.output(0))
    work.nodes[constant.get_friendly_name()] = changed
