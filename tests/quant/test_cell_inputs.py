"""What recurrent cells read, scaled to go with their hidden state."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import quant
from quant.fake_quantize import activation_levels
from quant.plan import CellGroup, MinMaxPlan
from quant.runtime import core, opset, ov
from quant.scheme import Mode, Scheme
from quant.steps import cell_inputs
from quant.steps.cell_inputs import Cell, Input, best_factors
from quant.target import Target
from tests import models
from tests.models import constant, finish, linear, named, parameter
from tests.quant.results import nodes_of, sqnr_db
from tests.quant.test_cells import LENGTH, cell, stack

Array = NDArray[Any]

SIZES = st.floats(0.01, 100)


def drawn(seed: int, units: int) -> Cell:
    rng = np.random.default_rng(seed)
    weights = [rng.standard_normal((4, units, width)) for width in (7, units)]
    spread = rng.uniform(0.1, 10, 4)
    return Cell(
        gates=4,
        input_peaks=np.abs(weights[0]).max(axis=(0, 2)) * spread[0],
        state_peaks=np.abs(weights[1]).max(axis=(0, 2)),
        input_energy=float(np.square(weights[0]).sum() * spread[0] ** 2),
        state_energy=float(np.square(weights[1]).sum()),
        input_power=float(spread[1]),
        state_power=float(spread[2]),
        weights="shared",
    )


def noise(scheme: Scheme, ends: tuple[float, float], found: Cell, factor: float) -> float:
    """Twelve times the expected squared error of all gates, number by number."""
    low, high = min(ends[0] / factor, -1.0), max(ends[1] / factor, 1.0)
    step = float(activation_levels(scheme, np.array([low]), np.array([high])).scale[0])
    total = step**2 * (found.input_energy * factor**2 + found.state_energy)
    for of_input, of_state in zip(found.input_peaks, found.state_peaks, strict=True):
        width = max(float(of_input) * factor, float(of_state)) / 127
        total += width**2 * found.gates * (found.input_power / factor**2 + found.state_power)
    return total


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), SIZES, SIZES, st.sampled_from(list(Mode)))
def test_no_other_reach_has_less_noise(
    seed: int, units: int, below: float, above: float, mode: Mode
) -> None:
    found, ends, scheme = drawn(seed, units), (-below, above), Scheme(mode=mode)
    (factor,) = best_factors(scheme, [Input(ends=ends, cells=(found,))], (-1, 1))
    least, as_it_is = (noise(scheme, ends, found, each) for each in (factor, 1.0))
    assert factor == 1 or least < 0.95 * as_it_is
    for reach in (1, 2, 8, 64):
        other = noise(scheme, ends, found, max(below, above) / reach)
        assert min(least, 0.95 * as_it_is) <= other * (1 + 1e-5)


def noise_of_two(ends: list[float], cells: list[Cell], factors: list[float]) -> float:
    """The same of two cells that share their scales, with symmetric ranges."""
    reach = max(1.0, *(end / factor for end, factor in zip(ends, factors, strict=True)))
    step = float(activation_levels(Scheme(), np.array([-reach]), np.array([reach])).scale[0])
    peaks = np.zeros(len(cells[0].input_peaks))
    total = power = 0.0
    for each, factor in zip(cells, factors, strict=True):
        total += step**2 * (each.input_energy * factor**2 + each.state_energy)
        peaks = np.maximum(peaks, np.maximum(each.input_peaks * factor, each.state_peaks))
        power += each.gates * (each.input_power / factor**2 + each.state_power)
    return total + float(np.square(peaks / 127).sum()) * power


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), SIZES, SIZES, st.booleans())
def test_cells_that_share_scales_have_the_factors_of_least_noise(
    seed: int, units: int, first: float, second: float, is_hidden: bool
) -> None:
    cells, ends = [drawn(seed, units), drawn(seed + 1, units)], [first, second]
    inputs = [
        Input(ends=(-end, end), cells=(each,), is_fixed=is_fixed)
        for end, each, is_fixed in zip(ends, cells, (False, is_hidden), strict=True)
    ]
    found = best_factors(Scheme(), inputs, (-1, 1))
    least, as_it_is = (noise_of_two(ends, cells, each) for each in (found, [1.0, 1.0]))
    assert found == [1, 1] or least < 0.95 * as_it_is * (1 + 1e-5)
    assert found[1] == 1 or not is_hidden
    for reach in (1, 2, 8, 64):
        factors = [first / reach, 1.0 if is_hidden else second / reach]
        other = noise_of_two(ends, cells, factors)
        assert min(least, 0.95 * as_it_is) <= other * (1 + 1e-5)


@pytest.mark.parametrize("ends", [(0.0, 0.0), (0.0, np.inf), (-np.inf, 1.0)])
def test_ranges_that_tell_nothing_leave_the_input_as_it_is(ends: tuple[float, float]) -> None:
    assert best_factors(Scheme(), [Input(ends=ends, cells=(drawn(0, 3),))], (-1, 1)) == [1]


def wide(kind: str, *, way: str = "direct", size: float = 30.0) -> ov.Model:
    """A cell on an input of this size, whose weights make up for it; 5 numbers, 12 times."""
    rng = np.random.default_rng(0)
    x = parameter("x", 1, LENGTH, 5)
    node: Any = named(opset.multiply(x, constant(size, "size")), "wide")
    extra: list[Any] = []
    match way:
        case "moved":
            x = parameter("x", 1, 5, LENGTH)
            node = named(opset.multiply(x, constant(size, "size")), "wide")
            node = opset.transpose(node, np.array([0, 2, 1]))
        case "joined":
            node = opset.concat([node, opset.multiply(x, constant(0.1, "tenth"))], 2)
        case "padded":
            x = parameter("x", 1, LENGTH - 2, 5)
            node = named(opset.multiply(x, constant(size, "size")), "wide")
            begin, end = np.array([0, 1, 0]), np.array([0, 1, 0])
            node = opset.pad(node, begin, end, "constant", np.float32(size / 2))
        case "looked up":
            x = parameter("x", 1, LENGTH, kind=np.int64)
            table = constant(models.normal(rng, 10, 5, fan_in=1) * np.float32(size), "table")
            node = named(opset.gather(table, x, opset.constant(np.int64(0))), "rows")
        case "read":
            extra = [linear(rng, node, (3, 5), "other")]
        case "hidden":
            node = cell(rng, node, kind, 5, 24, "above", 1.0 / size, 1.0)
    width = {"joined": 10, "hidden": 24}.get(way, 5)
    spread = 1.0 if way == "hidden" else 1.0 / size
    node = cell(rng, node, kind, width, 32, "cell", spread, 1.0)
    return finish([linear(rng, node, (4, 32), "linear"), *extra], [x])


def of_plan(model: ov.Model, target: Target, **given: Any) -> tuple[CellGroup, ...]:
    step = quant.Step(use="MinMaxQuantization", parameters=given)
    plan = quant.resolve(quant.load_model(model), [step], target)
    (found,) = (each for each in plan.steps if isinstance(each, MinMaxPlan))
    return found.cell_groups


def operations(groups: tuple[CellGroup, ...]) -> list[list[str]]:
    """The cells of each group."""
    return [
        [cell.input.operation for each in group.inputs for cell in each.cells] for group in groups
    ]


def quality(model: ov.Model, target: Target, preset: str) -> float:
    """SQNR of the outputs on samples that calibration has not seen."""
    samples = models.samples(model, 64)
    result = quant.quantize(model, samples[:32], target=target, preset=preset)
    before, after = (
        np.concatenate([out[0] for out in models.evaluate_all(each, samples[32:])])
        for each in (model, result.model)
    )
    return sqnr_db(before, after)


@pytest.mark.parametrize("way", ["direct", "moved", "joined", "padded", "looked up", "read"])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_a_wide_input_leaves_the_state_its_levels(
    kind: str, way: str, preset: str, cpu: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = quality(wide(kind, way=way), cpu, preset)
    monkeypatch.setattr(cell_inputs, "best_factors", lambda *given: [1.0] * len(given[1]))
    assert found > quality(wide(kind, way=way), cpu, preset) + 8


@pytest.mark.parametrize("size", [0.01, 30.0])
def test_the_unit_of_the_input_does_not_matter(size: float, cpu: Target) -> None:
    found, usual = (quality(wide("lstm", size=each), cpu, "performance") for each in (size, 1.0))
    assert usual > 35
    assert found == pytest.approx(usual, abs=0.2)


def test_the_quantizer_divides_and_the_weights_make_up_for_it(cpu: Target) -> None:
    model = wide("lstm")
    result = quant.quantize(model, models.samples(model), target=cpu)
    quantizer = nodes_of(result.model)["cell/fq_input_0"]
    ends = [float(quantizer.input_value(i).get_node().data.max()) for i in (2, 4)]
    (divided,) = (text for name, text in result.outcomes.items() if name.startswith("cell input"))
    assert float(divided.split()[-1]) == pytest.approx(ends[0] / ends[1], rel=1e-2)
    assert ends[0] / ends[1] > 5


def test_hidden_states_stay(cpu: Target) -> None:
    found = of_plan(wide("lstm", way="hidden"), cpu)
    assert operations(found) == [["above"]]


def test_cells_that_share_scales_are_looked_at_together(cpu: Target) -> None:
    found = [operations(of_plan(stack("lstm", [n, 32, 32]), cpu)) for n in (16, 32)]
    assert found == [[["cell0"]], [["cell0", "cell1"]]]


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_what_is_known_of_a_cell(kind: str, cpu: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all gates and numbers, against the weights and what the model computes."""
    model, seen = wide(kind, size=3.0), list[Cell]()
    monkeypatch.setattr(
        cell_inputs, "best_factors", lambda *given: seen.extend(given[1][0].cells) or [1.0]
    )
    samples = models.samples(model, 8)
    quant.quantize(model, samples, target=cpu)
    (found,), nodes = seen, nodes_of(model)
    weights = [nodes[f"cell/{each}"].data[0].astype(np.float64) for each in "wr"]
    gates = {"lstm": 4, "gru": 3}[kind]
    by_unit = [np.abs(each).reshape(gates, 32, -1).max(axis=(0, 2)) for each in weights]
    assert found.gates == gates
    np.testing.assert_allclose(found.input_peaks, by_unit[0], rtol=1e-5)
    np.testing.assert_allclose(found.state_peaks, by_unit[1], rtol=1e-5)
    energies = [float(np.square(each).sum()) for each in weights]
    assert (found.input_energy, found.state_energy) == pytest.approx(energies, rel=1e-5)
    wanted = ov.Model(
        [nodes["cell"].input_value(0), nodes["cell"].output(0)], [model.inputs[0].node]
    )
    inputs, states = (
        np.concatenate([np.ravel(out[i]) for out in models.evaluate_all(wanted, samples)])
        for i in range(2)
    )
    assert found.input_power == pytest.approx(5 * np.square(inputs).mean(), rel=0.3)  # by points
    assert found.state_power == pytest.approx(32 * np.square(states).mean(), rel=1e-3)


def test_finer_grids_stay(cpu: Target) -> None:
    support = cpu.operations["LSTMSequence"]
    finer = dataclasses.replace(
        support, activations=tuple(dataclasses.replace(e, bits=16) for e in support.activations)
    )
    target = dataclasses.replace(cpu, operations={**cpu.operations, "LSTMSequence": finer})
    found = of_plan(wide("lstm"), target), of_plan(wide("lstm"), cpu)
    assert [len(each) for each in found] == [0, 1]


def streaming() -> ov.Model:
    """A cell whose two states come as one tensor, in which the second is 20 times as wide."""
    rng = np.random.default_rng(0)
    x, both = parameter("x", 1, LENGTH, 5), parameter("state", 2, 1, 32)
    sizes = opset.multiply(both, constant(np.array([[[0.3]], [[6.0]]], np.float32), "sizes"))
    states = [
        opset.unsqueeze(opset.gather(named(sizes, "states"), np.int64(i), np.int64(0)), np.int64(1))
        for i in range(2)
    ]
    weights = [
        constant(models.normal(rng, 1, 128, n, fan_in=n), name) for n, name in ((5, "w"), (32, "r"))
    ]
    bias = constant(models.normal(rng, 1, 128, fan_in=100), "b")
    length = opset.constant(np.array([LENGTH], np.int32))
    node = opset.lstm_sequence(x, *states, length, *weights, bias, 32, "forward")
    rows = opset.squeeze(named(node, "cell").output(0), np.array([1]))
    return finish([linear(rng, rows, (4, 32), "linear")], [x, both])


def test_a_wide_state_lets_the_input_reach_as_far(
    cpu: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[Any] = []
    monkeypatch.setattr(cell_inputs, "best_factors", lambda *given: ends.append(given[2]) or [1.0])
    model = streaming()
    samples = [[x, state * 9] for x, state in models.samples(model, 16)]
    quant.quantize(model, samples, target=cpu)
    (found,) = ends
    assert found[1] > 4


def test_each_state_has_a_quantizer_and_cells_share_that_of_their_input(cpu: Target) -> None:
    rng, x = np.random.default_rng(0), parameter("x", 1, LENGTH, 5)
    state = parameter("state", 1, 1, 32)
    nodes = []
    for size in (1, 4):
        weights = [
            constant(models.normal(rng, 1, 96, n, fan_in=n) * np.float32(size), f"{name}{size}")
            for n, name in ((5, "w"), (32, "r"))
        ]
        bias = constant(models.normal(rng, 1, 96, fan_in=100), f"b{size}")
        length, way = opset.constant(np.array([LENGTH], np.int32)), ("forward", "reverse")[size > 1]
        made = opset.gru_sequence(x, state, length, *weights, bias, 32, way)
        nodes.append(opset.squeeze(named(made, f"cell{size}").output(0), np.array([1])))
    model = finish([linear(rng, opset.concat(nodes, 2), (4, 64), "linear")], [x, state])
    result = quant.quantize(model, models.samples(model), target=cpu)
    names = sorted(name for name in nodes_of(result.model) if "/fq_input" in name)
    assert names == ["cell1/fq_input_0", "cell1/fq_input_1", "cell4/fq_input_1"]
    assert operations(of_plan(model, cpu)) == [["cell1", "cell4"]]


def test_a_state_has_its_own_range_and_not_that_of_what_it_is_cut_from(cpu: Target) -> None:
    model = streaming()
    samples = models.samples(model, 16)
    result = quant.quantize(model, samples, target=cpu)
    quantizer = nodes_of(result.model)["cell/fq_input_1"]
    assert float(quantizer.input_value(4).get_node().data.max()) < 3
    core().compile_model(result.model, "CPU")
    before, after = (
        np.concatenate([out[0] for out in models.evaluate_all(each, samples)])
        for each in (model, result.model)
    )
    assert sqnr_db(before, after) > 35
