"""Recurrent cells of the same shapes: OpenVINO's CPU plugin computes the second one with the
scales of the first."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

import quant
from quant.plan import MinMaxPlan, Status
from quant.runtime import core, opset, ov
from quant.target import Target
from tests import models
from tests.models import constant, finish, linear, named, parameter
from tests.quant.results import nodes_of, outputs_db, run, sqnr_db, status_of

LENGTH = 12
GATES = {"lstm": 4, "gru": 3}


def cell(rng: Any, x: Any, kind: str, width: int, size: int, name: str, *spreads: float) -> ov.Node:
    """A recurrent layer [1, length, width] -> [1, length, size], its weights times `spreads`, for
    the input and the state."""
    zeros = constant(np.zeros((1, 1, size), np.float32), f"{name}/state")
    weights = [
        constant(
            models.normal(rng, 1, GATES[kind] * size, n, fan_in=n) * np.float32(spread),
            f"{name}/{port}",
        )
        for n, port, spread in ((width, "w", spreads[0]), (size, "r", spreads[-1]))
    ]
    bias = constant(models.normal(rng, 1, GATES[kind] * size, fan_in=100), f"{name}/b")
    make = opset.lstm_sequence if kind == "lstm" else opset.gru_sequence
    states = [zeros] * (2 if kind == "lstm" else 1)
    length = opset.constant(np.array([LENGTH], np.int32))
    node = named(make(x, *states, length, *weights, bias, size, "forward"), name)
    return opset.squeeze(node.output(0), np.array([1]))


def stack(kind: str, sizes: list[int], *, is_last_scaled: bool = False) -> ov.Model:
    """Recurrent layers one behind the other, each with smaller weights than the one above."""
    rng = np.random.default_rng(0)
    x = parameter("x", 1, LENGTH, sizes[0])
    node: Any = x
    for i, (width, size) in enumerate(itertools.pairwise(sizes)):
        if is_last_scaled and i == len(sizes) - 2:
            node = opset.multiply(node, constant(7.0, "seven"))
        node = cell(rng, node, kind, width, size, f"cell{i}", 2.0 / (i + 1))
    return finish([linear(rng, node, (4, sizes[-1]), "linear")], [x])


@pytest.mark.parametrize("preset", ["performance", "mixed"])
@pytest.mark.parametrize(("kind", "floor"), [("lstm", 48), ("gru", 35)])
def test_stacked_cells_of_one_shape_compute_with_their_own_scales(
    kind: str, floor: float, preset: str, cpu: Target
) -> None:
    model = stack(kind, [16, 32, 32, 32])
    given = models.samples(model, 32)
    result = quant.quantize(model, given, target=cpu, preset=preset)
    assert all(status_of(result)[f"cell{i}"] is Status.QUANTIZED for i in range(3))
    before, after = (
        np.concatenate([each[0] for each in models.evaluate_all(each, given)])
        for each in (model, result.model)
    )
    assert sqnr_db(before, after) > floor


def test_only_cells_of_the_same_shapes_share_scales(cpu: Target) -> None:
    result = run(stack("lstm", [16, 32, 32, 32]), cpu)
    scales = [
        nodes_of(result.model)[f"cell{i}/fq_weights_4"].input_value(1).get_node().data
        for i in range(3)
    ]
    assert scales[1].tolist() == scales[2].tolist() != scales[0].tolist()


def reasons(model: ov.Model, target: Target) -> dict[str, str]:
    """Why cells stay in floating point; empty for those that do not."""
    asked = [quant.Step(use="DefaultQuantization")]
    plan = quant.resolve(quant.load_model(model), asked, target)
    return {each.name: each.reason for each in plan.operations if "cell" in each.name}


@pytest.mark.parametrize("preset", ["performance", "mixed"])
@pytest.mark.parametrize(("kind", "floor"), [("lstm", 34), ("gru", 25)])
@pytest.mark.parametrize("is_last_scaled", [False, True])
def test_cells_that_read_other_values_than_hidden_states_share_scales_with_those(
    is_last_scaled: bool, kind: str, floor: float, preset: str, cpu: Target
) -> None:
    """The first one reads numbers of any size, the last one states, or states times seven."""
    model = stack(kind, [32, 32, 32], is_last_scaled=is_last_scaled)
    assert set(reasons(model, cpu).values()) == {""}
    given = models.samples(model, 40)
    result = quant.quantize(model, given, target=cpu, preset=preset)
    assert outputs_db(model, result.model, given)[0] > floor
    nodes = nodes_of(result.model)
    ends = [
        [float(nodes[f"cell{i}/fq_input_0"].input_value(port).get_node().data) for i in range(2)]
        for port in (1, 3, 4)
    ]
    assert ends[0][0] != ends[0][1]
    assert ends[1][0] == ends[1][1]
    assert ends[2][0] == ends[2][1]


def both_ways() -> ov.Model:
    """A bidirectional LSTM that starts from zeros."""
    rng = np.random.default_rng(0)
    x = parameter("x", 1, LENGTH, 16)
    states = [constant(np.zeros((1, 2, 32), np.float32), name) for name in ("h", "c")]
    weights = [
        constant(models.normal(rng, 2, 128, n, fan_in=n), name)
        for n, name in ((16, "w"), (32, "r"))
    ]
    bias = constant(models.normal(rng, 2, 128, fan_in=100), "b")
    length = opset.constant(np.array([LENGTH], np.int32))
    node = opset.lstm_sequence(x, *states, length, *weights, bias, 32, "bidirectional")
    rows = models.reshape(named(node, "cell").output(1), [1, 64], "rows")
    return finish([linear(rng, rows, (4, 64), "linear")], [x])


@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_the_cpu_runs_both_directions_in_integers(preset: str, cpu: Target) -> None:
    model = both_ways()
    result = quant.quantize(model, models.samples(model, 8), target=cpu, preset=preset)
    compiled = core().compile_model(result.model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = [
        node.get_rt_info()["primitiveType"].astype(str)
        for node in compiled.get_runtime_model().get_ordered_ops()
        if node.get_rt_info()["layerType"].astype(str) == "RNNSeq"
    ]
    assert found == ["ref_any_I8"] * 2


def test_states_that_reach_their_bounds_keep_the_range_of_all(cpu: Target) -> None:
    """However far calibration expects new values to go: none is beyond 1."""
    rng, x = np.random.default_rng(0), parameter("x", 1, LENGTH, 16)
    node: Any = x
    for i, width in enumerate((16, 32, 32)):
        node = cell(rng, node, "lstm", width, 32, f"cell{i}", 4.0 - i)
    model = finish([linear(rng, node, (4, 32), "linear")], [x])
    samples = [np.float32([[[size]]]) * models.samples(model, 1)[0][0] for size in (0.02, 0.1, 9)]
    result = quant.quantize(model, [[each] for each in samples], target=cpu)
    ranges = [
        each.ranges[f"{each.plan.name}/fq_input_0"]
        for each in result.operations
        if each.plan.name in ("cell1", "cell2")
    ]
    assert ranges[0] == ranges[1] == pytest.approx((-1, 1), abs=0.01)


def test_other_devices_keep_scales_apart(cpu: Target) -> None:
    other = dataclasses.replace(cpu, device="GPU")
    found = run(stack("lstm", [32, 32, 32], is_last_scaled=True), other)
    scales = [
        nodes_of(found.model)[f"cell{i}/fq_weights_4"].input_value(1).get_node().data
        for i in range(2)
    ]
    assert scales[0].tolist() != scales[1].tolist()


def joined(other: str) -> ov.Model:
    """A cell on a hidden state that a Concat joins with another tensor for a linear layer."""
    rng, x = np.random.default_rng(0), parameter("x", 1, LENGTH, 16)
    first = cell(rng, x, "lstm", 16, 32, "cell0", 1.0)
    second = cell(rng, first, "lstm", 32, 32, "cell1", 1.0)
    third = cell(rng, second, "lstm", 32, 32, "cell2", 1.0)
    beside = first if other == "state" else opset.multiply(x, constant(10.0, "ten"))
    rows = models.named(opset.concat([second, beside], 2), "joined")
    width = 64 if other == "state" else 48
    return finish([linear(rng, third, (4, 32), "a"), linear(rng, rows, (4, width), "b")], [x])


@pytest.mark.parametrize("other", ["state", "numbers"])
def test_a_state_that_is_joined_with_others_has_a_quantizer_of_its_own(
    other: str, cpu: Target
) -> None:
    model = joined(other)
    assert set(reasons(model, cpu).values()) == {""}
    found = noise_db(model, cpu)
    assert found[0] > 45
    assert found[1] > 30


def noise_db(model: ov.Model, target: Target) -> list[float]:
    """The SQNR of each output on 40 samples."""
    given = models.samples(model, 40)
    return outputs_db(model, quant.quantize(model, given, target=target).model, given)


def streaming(kind: str, reaches: list[float]) -> ov.Model:
    """Stacked cells of 32 units whose hidden states come from outside, normal times `reaches`."""
    model = stack(kind, [32] * (1 + len(reaches)))
    cells = {node.get_friendly_name(): node for node in model.get_ops()}
    for i, reach in enumerate(reaches):
        state = parameter(f"h{i}", 1, 1, 32)
        scaled = opset.multiply(state, constant(reach, f"reach{i}"))
        cells[f"cell{i}"].input(1).replace_source_output(scaled.output(0))
        model.add_parameters([state])
    return model


@pytest.mark.parametrize("reaches", [[0.25, 0.25, 0.25], [0.25, 1.3, 0.25], [0.25, 0.25, 1.3]])
@pytest.mark.parametrize(("kind", "floor"), [("lstm", 37), ("gru", 28)])
def test_states_from_outside_have_one_range_in_all_cells_of_a_shape(
    kind: str, floor: float, reaches: list[float], cpu: Target
) -> None:
    """With a range each, 9 to 29 dB."""
    model = streaming(kind, reaches)
    assert noise_db(model, cpu)[0] > floor
    operations = run(model, cpu).operations
    stacked = [each for each in operations if each.plan.name in ("cell1", "cell2")]
    assert len({span for each in stacked for span in each.ranges.values()}) == 1


def test_a_cell_whose_state_comes_from_outside_is_of_another_form(cpu: Target) -> None:
    model = stack("lstm", [16, 32, 32, 32])
    (second,) = (node for node in model.get_ops() if node.get_friendly_name() == "cell1")
    state = parameter("h", 1, 1, 32)
    second.input(1).replace_source_output(opset.multiply(state, constant(4.0, "four")).output(0))
    model.add_parameters([state])
    ranges = {each.plan.name: list(each.ranges.values()) for each in run(model, cpu).operations}
    assert max(ranges["cell1"])[1] > 2
    assert max(ranges["cell2"])[1] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("way", ["two inputs", "one behind the other"])
def test_cells_that_share_their_weights_have_a_factor_each(
    way: str, kind: str, cpu: Target
) -> None:
    rng, x, y = (
        np.random.default_rng(0),
        parameter("x", 1, LENGTH, 32),
        parameter("y", 1, LENGTH, 32),
    )
    wide = opset.multiply(x, constant(30.0, "wide"))
    first = cell(rng, wide, kind, 32, 32, "cell0", 1 / 30, 1.0)
    below = first if way != "two inputs" else opset.multiply(y, constant(3.0, "less wide"))
    second = cell(rng, below, kind, 32, 32, "cell1", 1.0, 1.0)
    ports = {"lstm": (4, 5, 6), "gru": (3, 4, 5)}[kind]
    nodes = {node.get_friendly_name(): node for node in _nodes(second) + _nodes(first)}
    for port in ports:
        nodes["cell1"].input(port).replace_source_output(nodes["cell0"].input_value(port))
    model = finish([linear(rng, opset.concat([first, second], 2), (4, 64), "linear")], [x, y])
    assert set(reasons(model, cpu).values()) == {""}
    assert noise_db(model, cpu)[0] > 35


def test_what_is_asked_of_one_cells_weights_holds_for_all_of_its_form(cpu: Target) -> None:
    given = {"layers": [{"names": ["cell1"], "level_low": -63, "level_high": 63}]}
    model = stack("lstm", [16, 32, 32, 32])
    samples = models.samples(model, 40)
    result = quant.quantize(model, samples, target=cpu, weights=given)
    assert outputs_db(model, result.model, samples)[0] > 43
    scales = [
        nodes_of(result.model)[f"cell{i}/fq_weights_4"].input_value(1).get_node().data
        for i in range(3)
    ]
    assert scales[1].tolist() == scales[2].tolist() != scales[0].tolist()


def test_a_cell_behind_a_constant_that_is_joined_compiles(cpu: Target) -> None:
    rng, x = np.random.default_rng(0), parameter("x", 1, LENGTH, 16)
    ones = constant(np.ones((1, LENGTH, 4), np.float32), "ones")
    node = cell(rng, opset.concat([x, ones], 2), "lstm", 20, 32, "cell", 1.0)
    model = finish([linear(rng, node, (4, 32), "linear")], [x])
    result = quant.quantize(model, models.samples(model), target=cpu)
    core().compile_model(result.model, "CPU")
    assert "Concat with a constant" in reasons(model, cpu)["cell"]


def test_the_state_of_an_lstms_cell_is_no_hidden_one(cpu: Target) -> None:
    """It grows beyond 1."""
    rng, x = np.random.default_rng(0), parameter("x", 1, LENGTH, 16)
    first = cell(rng, x, "lstm", 16, 32, "cell0", 1.0)
    second = cell(rng, first, "lstm", 32, 32, "cell1", 1.0)
    (above,) = {node for node in _nodes(second) if node.get_friendly_name() == "cell1"}
    length = opset.constant(np.array([LENGTH]))
    shape = opset.concat([opset.constant(np.array([1])), length, opset.constant(np.array([32]))], 0)
    rows = opset.broadcast(above.output(2), shape)
    third = cell(rng, rows, "lstm", 32, 32, "cell2", 1.0)
    model = finish([linear(rng, opset.add(second, third), (4, 32), "linear")], [x])
    plan = quant.resolve(quant.load_model(model), [quant.Step(use="MinMaxQuantization")], cpu)
    (found,) = (each for each in plan.steps if isinstance(each, MinMaxPlan))
    hidden = {
        cell.input.operation: each.is_hidden_state
        for group in found.cell_groups
        for each in group.inputs
        for cell in each.cells
    }
    assert hidden == {"cell0": False, "cell1": True, "cell2": False}


def _nodes(output: Any) -> list[ov.Node]:
    """The nodes above, by first inputs."""
    found = [output]
    while found[-1].get_input_size():
        found.append(found[-1].input_value(0).get_node())
    return found[:-1]
