"""Pieces of models that change, against the whole of them."""

from __future__ import annotations

from typing import IO

import numpy as np
import pytest
from numpy.typing import NDArray

import quant
from quant.clones import by_name
from quant.inference import Inference
from quant.plan import Subset
from quant.runtime import opset, ov
from quant.statistics.passes import Array
from quant.steps import relay as module
from quant.steps.relay import Relay
from tests import models

Samples = list[list[NDArray[np.float32]]]


def split_and_joined(batch: int = 1) -> ov.Model:
    """Two halves of the input, one of which waits for what is made of the other; and an integer
    that counts."""
    rng, x = np.random.default_rng(0), models.parameter("x", batch, 8)
    halves = models.named(opset.split(x, np.int64(1), 2), "halves")
    left = models.relu(models.linear(rng, halves.output(0), (4, 4), "a"), "a_relu")
    left = models.relu(models.linear(rng, left, (4, 4), "b"), "b_relu")
    count = models.named(
        opset.convert(opset.reduce_sum(x, np.int64(1), keep_dims=True), "i32"), "n"
    )
    both = models.named(opset.add(left, halves.output(1)), "both")
    both = models.named(opset.add(both, opset.convert(count, "f32")), "all")
    return models.finish([models.linear(rng, both, (3, 4), "c")], [x])


LAYERS = ("a", "b", "c")


def relayed(
    model: ov.Model, samples: Samples, subset: Subset | None = None, double: str = ""
) -> dict[str, list[Array]]:
    """What each layer reads of each sample, piece by piece; the weights of one layer are doubled as
    soon as it was seen."""
    found: dict[str, list[Array]] = {name: [] for name in LAYERS}
    infer = Inference(reference=model, samples=samples, sample_count=len(samples))
    with Relay(infer, subset or Subset()) as relay:
        for number, name in enumerate(LAYERS):
            (nodes,) = relay.cut(model.clone())
            x = nodes[name].input_value(0)
            relay.run(
                [x],
                [nodes[later].input_value(0) for later in LAYERS[number + 1 :]],
                [opset.multiply(x, np.float32(1))],
                lambda _, values, name=name: found[name].append(values[0].copy()),  # type: ignore[misc]
            )
            if name == double:
                _double(by_name(model)[name])
    return found


def _double(layer: ov.Node) -> None:
    weights = layer.input_value(1).get_node()
    layer.input(1).replace_source_output(opset.constant(2 * weights.data).output(0))


def expected(model: ov.Model, samples: Samples) -> dict[str, list[Array]]:
    nodes = by_name(clone := model.clone())
    outputs = [nodes[name].input_value(0) for name in LAYERS]
    whole = ov.Model([opset.result(each) for each in outputs], clone.get_parameters(), "whole")
    rows = [models.evaluate(whole, sample) for sample in samples]
    return {name: [row[i] for row in rows] for i, name in enumerate(LAYERS)}


def expect_equal(found: dict[str, list[Array]], wanted: dict[str, list[Array]]) -> None:
    for name in LAYERS:
        assert len(found[name]) == len(wanted[name])
        for one, other in zip(found[name], wanted[name], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_pieces_compute_what_the_whole_does() -> None:
    model = quant.load_model(split_and_joined())
    samples = models.samples(model, 7)
    expect_equal(relayed(model, samples), expected(model, samples))


def test_what_changes_counts_from_then_on() -> None:
    model = quant.load_model(split_and_joined())
    samples = models.samples(model, 3)
    found = relayed(model, samples, double="b")  # changes the model
    expect_equal(found, expected(model, samples))


def test_samples_of_other_sizes_and_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    model = quant.load_model(split_and_joined(-1))
    rng = np.random.default_rng(0)
    samples = [[rng.standard_normal((size, 8)).astype(np.float32)] for size in (1, 4, 2)]
    expect_equal(relayed(model, samples), expected(model, samples))


def test_only_the_subset_is_read() -> None:
    model = quant.load_model(split_and_joined())
    samples = models.samples(model, 9)
    subset = Subset(size=4, shuffle=True, seed=1)
    found = relayed(model, samples, subset)
    every = expected(model, samples)
    assert [len(found[name]) for name in LAYERS] == [4, 4, 4]
    for name in LAYERS:  # the same four of each layer, in their order
        places = [
            next(i for i, e in enumerate(every[name]) if np.allclose(e, f, atol=1e-6))
            for f in found[name]
        ]
        assert places == sorted(set(places))


@pytest.mark.parametrize("start", [2.0, None])
def test_a_state_is_what_it_is_at_the_start(start: float | None) -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 4)
    value = np.full((1, 4), start or 0, np.float32)
    given: list[ov.Node] = [] if start is None else [models.constant(value, "start")]
    about = ov.op.util.VariableInfo()
    about.variable_id, about.data_type = "state", ov.Type.f32
    about.data_shape = ov.PartialShape([1, 4])
    variable = ov.op.util.Variable(about)
    read = models.named(ov.op.read_value(*given, variable), "read")
    first = models.relu(models.linear(rng, opset.add(x, read), (4, 4), "a"), "a_relu")
    second = models.relu(models.linear(rng, first, (4, 4), "b"), "b_relu")
    kept = models.named(ov.op.assign(opset.add(second, read), variable), "assign")
    model = models.finish([models.linear(rng, second, (3, 4), "c")], [x], [kept])
    samples = models.samples(model, 3)
    found = relayed(model, samples)
    for sample, row in zip(samples, found["a"], strict=True):
        np.testing.assert_allclose(row, sample[0] + (start or 0.0), rtol=1e-6)
    assert [len(found[name]) for name in LAYERS] == [3, 3, 3]


def test_nothing_waits_for_what_nobody_reads() -> None:
    """A tensor is let go of behind the last layer that takes it."""
    model = quant.load_model(split_and_joined())
    samples = models.samples(model, 2)
    infer = Inference(reference=model, samples=samples, sample_count=2)
    waiting: list[set[str]] = []
    with Relay(infer, Subset()) as relay:
        for number, name in enumerate(LAYERS):
            (nodes,) = relay.cut(model.clone())
            later = [nodes[each].input_value(0) for each in LAYERS[number + 1 :]]
            x = nodes[name].input_value(0)
            relay.run([x], later, [opset.multiply(x, np.float32(1))], lambda *_: None)
            waiting.append({each for _, each, _ in relay._kept})
    assert waiting[0] == {"x", "halves"}
    assert waiting[1] == {"x", "halves", "a_relu"}
    assert waiting[2] == set()


def noisy() -> ov.Model:
    """Noise that two layers read, then what is made of the input as well."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 4)
    bounds = [models.constant(value, name) for value, name in ((-1, "low"), (1, "high"))]
    noise = opset.random_uniform(np.array([1, 4], np.int64), *bounds, "f32", 1, 2)
    left = models.relu(models.linear(rng, noise, (4, 4), "a"), "a_relu")
    left = models.relu(models.linear(rng, left, (4, 4), "b"), "b_relu")
    both = models.named(opset.add(left, models.relu(x, "x_relu")), "both")
    return models.finish([models.linear(rng, both, (3, 4), "c")], [x])


def test_noise_is_drawn_once() -> None:
    """And a piece that reads nothing but noise has as many samples as the others."""
    found = relayed(quant.load_model(noisy()), models.samples(noisy(), 5))
    assert [len(found[name]) for name in LAYERS] == [5, 5, 5]
    rows = [np.concatenate([row.ravel() for row in found[name]]) for name in LAYERS]
    assert np.ptp(rows[0]) > 0.1
    nodes = by_name(quant.load_model(noisy()))
    weights = nodes["a"].input_value(1).get_node().data
    bias = nodes["a/add"].input_value(1).get_node().data.reshape(-1)
    for noise, hidden in zip(found["a"], found["b"], strict=True):
        expected_row = np.maximum(noise @ weights.T + bias, 0)
        np.testing.assert_allclose(hidden, expected_row, rtol=1e-4, atol=1e-5)


def test_sizes_of_a_tensor_need_not_the_tensor() -> None:
    rng, x = np.random.default_rng(0), models.parameter("x", -1, 8)
    hidden = models.relu(models.linear(rng, x, (4, 8), "a"), "a_relu")
    hidden = models.relu(models.linear(rng, hidden, (4, 4), "b"), "b_relu")
    rows = opset.gather(opset.shape_of(x), np.array([0], np.int64), np.int64(0))
    sizes = opset.concat([rows, np.array([4], np.int64)], 0)
    same = models.named(opset.reshape(hidden, sizes, special_zero=False), "same")
    model = quant.load_model(models.finish([models.linear(rng, same, (3, 4), "c")], [x]))
    infer = Inference(reference=model, samples=models.samples(model, 2), sample_count=2)
    with Relay(infer, Subset()) as relay:
        for number, name in enumerate(LAYERS):
            (nodes,) = relay.cut(model.clone())
            value = nodes[name].input_value(0)
            later = [nodes[each].input_value(0) for each in LAYERS[number + 1 :]]
            relay.run([value], later, [opset.multiply(value, np.float32(1))], lambda *_: None)
            if name == "b":
                assert "x" not in {each for _, each, _ in relay._kept}


def test_files_are_closed_where_a_sample_fails() -> None:
    model = quant.load_model(split_and_joined())
    infer = Inference(reference=model, samples=models.samples(model, 3), sample_count=3)
    files: list[IO[bytes]] = []

    def interrupted() -> None:
        with Relay(infer, Subset()) as relay:

            def stop(*_: object) -> None:
                files.extend(each.file for each in relay._kept.values())
                raise KeyboardInterrupt

            (nodes,) = relay.cut(model.clone())
            value = nodes["a"].input_value(0)
            result = opset.multiply(value, np.float32(1))
            relay.run([value], [nodes["b"].input_value(0)], [result], stop)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert files
    assert all(each.closed for each in files)
