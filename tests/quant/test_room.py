"""Ranges reach beyond what few samples have shown, and no further than enough of them would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import quant
from quant.runtime import opset, ov
from quant.steps import room
from quant.steps.room import ENOUGH, LEAST, MOST, bounds, extended, positions, within
from quant.target import Target
from tests import models
from tests.quant.results import sqnr_db

Array = NDArray[Any]
Rng = np.random.Generator

sizes = arrays(np.float64, st.integers(1, 6), elements=st.floats(0.1, 100))
shares = st.floats(0, 1)


@given(width=sizes, low=shares, high=shares, samples=st.integers(1, 500), values=st.integers(1, 99))
def test_ranges_only_widen_and_less_the_more_was_seen(
    width: Array, low: float, high: float, samples: int, values: int
) -> None:
    ends, usual = (-width, width), (-width + low * width, width - high * width)
    found = extended(ends, usual, samples, values)
    assert (found[0] <= ends[0]).all()
    assert (found[1] >= ends[1]).all()
    if samples * np.sqrt(values) >= ENOUGH:
        assert found == ends
    if samples > 1:
        more = extended(ends, usual, samples + 1, values)
        assert (more[0] >= found[0] - 1e-9).all()
        assert (more[1] <= found[1] + 1e-9).all()


@given(factor=st.floats(0.5, 2), share=st.floats(0.2, 0.8), samples=st.integers(20, 500))
def test_all_channels_get_the_same_share(factor: float, share: float, samples: int) -> None:
    width = np.array([1, factor])
    usual = np.zeros(2), (1 - share * np.array([0.9, 1.1])) * width
    low, high = extended((np.zeros(2), width), usual, samples, 1)
    assert low.tolist() == [0, 0]
    assert (high / width)[0] == pytest.approx((high / width)[1])
    assert (high > width).all()


def test_no_scatter_no_room() -> None:
    ends = np.array([-3.0]), np.array([5.0])
    assert extended(ends, ends, samples=2, values=1) == ends


def test_two_samples_extend_by_four_times_their_scatter_at_most() -> None:
    """By their number it would be ten times."""
    high = extended((np.zeros(1), np.ones(1)), (np.zeros(1), np.full(1, 0.7)), 2, 1)[1]
    assert high[0] == pytest.approx(1 + MOST * 0.3)


def test_a_range_that_hardly_scatters_stays() -> None:
    """Many values of a Tanh lie at its bounds, which are levels then."""
    ends, scatter = (-np.ones(1), np.ones(1)), 2 * LEAST * np.log(10) / np.log(ENOUGH / 10)
    for share, is_wider in ((0.9, False), (1.1, True)):
        usual = (-np.ones(1), np.ones(1) - share * scatter)
        low, high = extended(ends, usual, samples=10, values=1)
        assert (high[0] > 1) == is_wider
        assert low[0] == -1


@pytest.mark.parametrize("samples", [1, 20])
def test_what_stands_still_may_move_as_the_others(samples: int) -> None:
    """Upwards only where nothing is below zero; all still is no scale at all."""
    high = np.array([0.0, 6, 8, 10])
    usual = np.zeros(4), high / (1 if samples == 1 else 2)
    low, found = extended((np.zeros(4), high), usual, samples, 1)
    assert low.tolist() == [0, 0, 0, 0]
    assert found[0] == 8
    assert (found[1:] >= high[1:]).all()
    still = np.zeros(2), np.zeros(2)
    assert extended(still, still, samples, 1) == still


@pytest.mark.parametrize(("moved", "share"), [(1, 1 / 2), (2, 1 / 3), (3, 0)])
def test_what_hardly_a_sample_moved_gets_a_part_of_that(moved: int, share: float) -> None:
    high = np.array([0.1, 6, 8, 10, 10])
    usual = np.zeros(5), high * np.array([moved / 50, 1, 1, 1, 1])
    found = extended((np.zeros(5), high), usual, 50, 1)[1]
    assert found[0] == pytest.approx(max(8 * share, 0.1), rel=0.2)


@given(
    offset=st.floats(-1e4, 1e4).filter(lambda each: abs(each) > 100),
    share=st.floats(0.2, 0.8),
    samples=st.integers(10, 500),
)
def test_where_values_lie_does_not_matter(offset: float, share: float, samples: int) -> None:
    width = np.array([1.0, 2, 3])
    ends, usual = (-width, width), (-width * (1 - share), width * (1 - share))
    expected = extended(ends, usual, samples, 1)
    found = extended(*(tuple(x + offset for x in each) for each in (ends, usual)), samples, 1)
    for end, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(end - offset, other, atol=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
def test_ends_do_not_cross_zero_where_no_value_does(sign: int) -> None:
    """What is never negative keeps unsigned integers."""
    ends, usual = (np.array([0.1, 0]), np.array([4.0, 9])), (np.array([2.0, 1]), np.array([3.0, 5]))
    if sign < 0:
        ends, usual = (-ends[1], -ends[0]), (-usual[1], -usual[0])
    low, high = extended(ends, usual, 10, 1)
    assert (sign * (low if sign > 0 else high)).tolist() == [0, 0]


def _state(port: int) -> ov.Output:
    model = models.lstm()
    (cell,) = (node for node in model.get_ops() if node.get_type_name() == "LSTMSequence")
    return cell.output(port)


X = models.parameter("x", 1, 4)
TABLE = models.constant(np.float32([[-2, 1], [0, 5]]), "table")
IDS = models.parameter("ids", 1, 4, kind=np.int64)


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (opset.sigmoid(X).output(0), (0, 1)),
        (opset.tanh(X).output(0), (-1, 1)),
        (opset.clamp(X, -3, 6).output(0), (-3, 6)),
        (opset.gather(TABLE, IDS, np.int64(0)).output(0), (-2, 5)),
        (opset.gather(X, IDS, np.int64(0)).output(0), (-np.inf, np.inf)),
        (
            opset.convert(models.parameter("u", 1, 4, kind=np.uint8), np.float32).output(0),
            (0, 255),
        ),
        (opset.relu(X).output(0), (-np.inf, np.inf)),
        (_state(0), (-1, 1)),
        (_state(2), (-np.inf, np.inf)),
    ],
)
def test_bounds(tensor: ov.Output, expected: tuple[float, float]) -> None:
    assert bounds(tensor) == expected


def test_ends_stay_within_bounds_and_hold_what_was_seen() -> None:
    ends, seen = (np.array([-9.0]), np.array([9.0])), (np.array([-1.5]), np.array([0.5]))
    low, high = within(ends, seen, opset.tanh(X).output(0))
    assert (low.tolist(), high.tolist()) == ([-1.5], [1])


@pytest.mark.parametrize("values", [1, 100])
@pytest.mark.parametrize("samples", [10, 50, 200])
def test_what_enough_samples_reach_is_foretold(samples: int, values: int) -> None:
    """From Gumbel's distribution; a sample of 100 values counts as 10."""
    rng = np.random.default_rng(0)
    largest = rng.gumbel(10, 1, (1000, samples))
    ends, usual = (np.zeros(1000), largest.max(axis=1)), (np.zeros(1000), largest.mean(axis=1))
    found = extended(ends, usual, samples, values)[1].mean()
    expected = rng.gumbel(10, 1, (1000, ENOUGH // int(values**0.5))).max(axis=1).mean()
    assert found == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize(
    ("shape", "axis", "count"),
    [
        ((1, 8), 1, 1),
        ((4, 8, 5, 6), 1, 30),
        ((-1, 8, 5, 6), 1, 30),
        ((1, 7, 8), 2, 7),
        ((1, 7, 8), -1, 7),
        ((1, -1, 8), 2, 32),
        ((8, 3), 0, 3),
    ],
)
def test_positions(shape: tuple[int, ...], axis: int, count: int) -> None:
    assert positions(models.parameter("x", *shape).output(0), axis) == count


def table() -> ov.Model:
    """Columns of unlike width, two hidden layers, as for regression on a table."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 24)
    hidden: Any = x
    for i, size in enumerate((24, 48)):
        hidden = opset.swish(models.linear(rng, hidden, (48, size), f"hidden{i}"))
    return models.finish([models.linear(rng, hidden, (5, 48), "head")], [x])


def maps() -> ov.Model:
    """A depthwise layer on a small map, with a range per channel."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 8, 2, 2)
    return models.finish([models.group_conv(rng, x, (8, 1, 1, 3, 3), "depthwise")], [x])


def gate() -> ov.Model:
    """Two vectors that are added, with a range for all channels."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 16)
    sides = [models.linear(rng, x, (16, 16), f"linear{i}") for i in (1, 2)]
    return models.finish([models.named(opset.add(*sides), "sum")], [x])


def pair() -> ov.Model:
    """Two convolutions whose channels are aligned."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 4, 3, 3)
    hidden = models.conv(rng, x, (8, 4, 1, 1), "first")
    return models.finish([models.conv(rng, hidden, (4, 8, 1, 1), "second")], [x])


def sum_of_two(size: int = 16) -> ov.Model:
    """Two vectors whose sum a linear layer reads, and one that reads one of them anyway."""
    rng, x, y = np.random.default_rng(0), *(models.parameter(name, 1, size) for name in "xy")
    both = models.linear(rng, models.named(opset.add(x, y), "sum"), (size, size), "head")
    return models.finish([both, models.linear(rng, x, (size, size), "linear")], [x, y])


def drawn(model: ov.Model, count: int, rng: Rng) -> list[Any]:
    """Normal values, channels of unlike width; two inputs are negative."""

    def one(shape: Any) -> Array:
        scale = np.exp(np.linspace(-1, 1, shape[1])).reshape(-1, *[1] * (len(shape) - 2))
        found = (rng.standard_normal(shape) * scale).astype(np.float32)
        return found if len(model.inputs) == 1 else -np.abs(found)

    return [[one(port.get_shape()) for port in model.inputs] for _ in range(count)]


def categories(rng: Rng, count: int) -> list[Array]:
    """Three columns of which each sample has a single one, the others zeros."""
    chosen = rng.integers(0, 8, (count, 3))
    return list(np.eye(8, dtype=np.float32)[chosen].reshape(count, 1, 24))


@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_columns_that_calibration_has_not_seen_count_as_others(preset: str, cpu: Target) -> None:
    """SmoothQuant alone would leave them next to nothing: 23 dB."""
    rng = np.random.default_rng(0)
    model, seen, new = table(), categories(rng, 8), categories(rng, 200)
    result = quant.quantize(model, seen, target=cpu, preset=preset)
    before, after = (
        np.concatenate(models.evaluate_all(each, new)) for each in (model, result.model)
    )
    assert sqnr_db(before, after) > 35


@pytest.mark.parametrize("preset", ["performance", "mixed"])
@pytest.mark.parametrize(
    ("build", "gain"),
    [(table, 6), (maps, 6), (gate, 2), (pair, 5), (sum_of_two, 2)],
    ids=["table", "maps", "gate", "pair", "negative"],
)
def test_few_samples_are_enough_for_new_ones(
    build: Any, gain: float, preset: str, cpu: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noise on samples that calibration has not seen, with 10 that it has."""
    model, rng = build(), np.random.default_rng(1)
    seen, new = drawn(model, 10, rng), drawn(model, 200, rng)

    def on_new(enough: int) -> float:
        monkeypatch.setattr(room, "ENOUGH", enough)
        result = quant.quantize(model, seen, target=cpu, preset=preset)
        before, after = (
            np.concatenate(models.evaluate_all(each, new)) for each in (model, result.model)
        )
        return float(sqnr_db(before, after))

    assert on_new(ENOUGH) > on_new(1) + gain


def ranges(model: ov.Model, samples: list[Any], cpu: Target, **given: Any) -> list[Any]:
    result = quant.quantize(model, samples, target=cpu, **given)
    return [each.ranges for each in result.operations]


def wide(side: int) -> list[ov.Model]:
    """Of each kind of range: per channel, smoothed, aligned, of few values."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 8, side, side)
    deep = models.finish([models.group_conv(rng, x, (8, 1, 1, 3, 3), "deep")], [x])
    layer = models.finish([models.conv(rng, opset.swish(x), (8, 8, 1, 1), "layer")], [x])
    hidden = models.conv(rng, x, (8, 8, 1, 1), "first")
    aligned = models.finish([models.conv(rng, hidden, (4, 8, 1, 1), "second")], [x])
    y, z = (models.parameter(name, 1, side**2) for name in "yz")
    both = models.named(opset.add(y, z), "sum")
    square = models.finish([opset.matmul(both, both, False, True)], [y, z])
    return [deep, layer, aligned, square]


@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize(("side", "is_wider"), [(40, False), (4, True)])
def test_what_many_positions_have_shown_is_enough(
    side: int, is_wider: bool, kind: int, cpu: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """50 samples of 40 x 40 positions count as 2,000 values."""
    model = wide(side)[kind]
    samples = drawn(model, 50, np.random.default_rng(1))
    with_room = ranges(model, samples, cpu)
    monkeypatch.setattr(room, "ENOUGH", 1)
    assert (ranges(model, samples, cpu) != with_room) == is_wider


def test_only_the_samples_of_the_subset_count(cpu: Target) -> None:
    samples = drawn(maps(), 400, np.random.default_rng(1))
    few = ranges(maps(), samples[:10], cpu)
    assert ranges(maps(), samples, cpu, stat_subset_size=10) == few


@pytest.mark.parametrize("build", [pair, maps], ids=["pair", "maps"])
def test_estimators_that_are_asked_for_hold_what_was_seen(
    build: Any, cpu: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = drawn(build(), 10, np.random.default_rng(1))
    asked = {"range_estimator": {side: {"aggregator": side} for side in ("min", "max")}}
    found = ranges(build(), samples, cpu, activations=asked)
    monkeypatch.setattr(room, "ENOUGH", 1)
    assert ranges(build(), samples, cpu, activations=asked) == found


def test_estimators_that_are_asked_for_keep_their_range(cpu: Target) -> None:
    samples = drawn(maps(), 10, np.random.default_rng(1))
    asked = {"range_estimator": {"max": {"aggregator": "max"}}}
    result = quant.quantize(maps(), samples, target=cpu, preset="performance", activations=asked)
    (layer,) = (each for each in result.operations if each.plan.name == "depthwise")
    largest = max(float(np.abs(each).max()) for each in samples)
    highest = max(high for name, (_, high) in layer.ranges.items() if "fq" in name)
    assert highest == pytest.approx(largest, rel=1e-4)
