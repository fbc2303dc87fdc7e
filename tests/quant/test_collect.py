"""Statistics from one pass against numpy on the tensors themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quant.errors import SamplesError
from quant.parameters import Aggregator
from quant.plan import Subset, TensorRef
from quant.runtime import opset, ov
from quant.statistics.collect import collect_needs
from quant.statistics.need import POINTS, Need, Reduction
from tests import models

Array = NDArray[Any]

ALL = Subset()
SINGLE = tuple(kind for kind in Reduction if kind not in (Reduction.HISTOGRAM, Reduction.POINTS))
"""Reductions that make one number of each channel."""
SHAPE = (2, 3, 4, 5)


def identity(*shape: int) -> ov.Model:
    """y = x + 0 on a tensor named `same`, whose values are the sample's."""
    x = models.parameter("x", *shape)
    return models.finish([models.named(opset.add(x, models.constant(0, "zero")), "same")], [x])


def need(
    reduction: Reduction, *, aggregator: Aggregator | None = Aggregator.MEAN, **settings: Any
) -> Need:
    tensor = settings.pop("tensor", TensorRef("same"))
    subset = settings.pop("subset", ALL)
    return Need(
        tensor=tensor, reduction=reduction, aggregator=aggregator, subset=subset, **settings
    )


def arrays(count: int = 5, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for _ in range(count)]


def reduce(values: Array, wanted: Need) -> Array:
    """What a need takes of one sample's tensor, by numpy: `[channels]`."""
    axis, p = wanted.channel_axis, wanted.outlier_prob or 0
    rows = values.reshape(1, -1)
    if axis is not None:
        rows = np.moveaxis(values, axis, 0).reshape(wanted.channels, -1)
    rows = rows.astype(np.float64)
    functions: dict[Reduction, Callable[[], Any]] = {
        Reduction.MIN: lambda: rows.min(axis=1),
        Reduction.MAX: lambda: rows.max(axis=1),
        Reduction.ABS_MAX: lambda: np.abs(rows).max(axis=1),
        Reduction.MEAN: lambda: rows.mean(axis=1),
        Reduction.MEAN_SQUARE: lambda: np.square(rows).mean(axis=1),
        Reduction.LOW_QUANTILE: lambda: np.quantile(rows, p, axis=1),
        Reduction.HIGH_QUANTILE: lambda: np.quantile(rows, 1 - p, axis=1),
        Reduction.ABS_QUANTILE: lambda: np.quantile(np.abs(rows), 1 - p, axis=1),
    }
    return np.asarray(functions[wanted.reduction]())


def settings_of(reduction: Reduction, axis: int | None) -> dict[str, Any]:
    settings: dict[str, Any] = {"outlier_prob": 0.13} if "quantile" in reduction else {}
    return settings | ({} if axis is None else {"channel_axis": axis, "channels": SHAPE[axis]})


def check(model: ov.Model, needs: list[Need], given: list[Array]) -> None:
    """Each need's mean over samples is numpy's."""
    found = collect_needs(model, needs, given)
    for wanted in needs:
        expected = np.mean([reduce(sample, wanted) for sample in given], axis=0)
        np.testing.assert_allclose(
            found.values[wanted], expected, rtol=1e-5, atol=1e-6, err_msg=str(wanted)
        )


@pytest.mark.parametrize("axis", [None, 0, 1, 3], ids=lambda axis: f"axis_{axis}")
def test_reductions_are_numpy_s(axis: int | None) -> None:
    needs = [need(kind, **settings_of(kind, axis)) for kind in SINGLE]
    check(identity(*SHAPE), needs, arrays())


@pytest.mark.parametrize("size", [1, 2, 7, 120])
def test_quantiles_interpolate_as_numpy_s(size: int) -> None:
    kinds = [Reduction.LOW_QUANTILE, Reduction.HIGH_QUANTILE, Reduction.ABS_QUANTILE]
    shares = [1e-9, 1e-4, 0.01, 0.1, 0.25, 0.3333, 0.49]
    needs = [need(kind, outlier_prob=share) for kind in kinds for share in shares]
    check(identity(1, size), needs, arrays(1, (1, size)))


def test_samples_may_differ_in_dynamic_dimensions() -> None:
    channels = {"channel_axis": 1, "channels": 3}
    needs = [need(kind, **(settings_of(kind, None) | channels)) for kind in SINGLE]
    given = [arrays(1, (1 + i, 3, 4, 2 + i), seed=i)[0] for i in range(4)]
    check(identity(-1, 3, -1, -1), needs, given)


@pytest.mark.parametrize("shape", [(1, 5), (2, 5, 3), (1, 4, 5), (1, 3, 6, 6), (2, 3, 4, 5, 2)])
def test_points_are_whole_columns_of_the_tensor(shape: tuple[int, ...]) -> None:
    """For each axis: the same positions in every channel, of every sample in its place."""
    for axis in range(len(shape)):
        wanted = need(Reduction.POINTS, aggregator=None, channel_axis=axis, channels=shape[axis])
        given = arrays(3, shape)
        found = collect_needs(identity(*shape), [wanted], given).values[wanted]
        assert found.shape == (len(given) * POINTS, shape[axis])
        for sample, points in zip(given, np.split(found, len(given)), strict=True):
            columns = {tuple(c) for c in np.moveaxis(sample, axis, -1).reshape(-1, shape[axis])}
            assert {tuple(point) for point in points.astype(np.float32)} <= columns


@pytest.mark.parametrize("aggregator", [Aggregator.MIN, Aggregator.MAX, Aggregator.MEDIAN])
def test_aggregators(aggregator: Aggregator) -> None:
    wanted = need(Reduction.MEAN, aggregator=aggregator, channel_axis=1, channels=3)
    given = arrays()
    found = collect_needs(identity(*SHAPE), [wanted], given).values[wanted]
    rows = np.array([reduce(sample, wanted) for sample in given])
    expected = getattr(np, aggregator.value)(rows, axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_scalar_has_every_statistic() -> None:
    x = models.parameter("x", 1, 4)
    total = models.named(opset.reduce_sum(x, np.array([0, 1]), keep_dims=False), "same")
    needs = [need(kind, **settings_of(kind, None)) for kind in SINGLE]
    found = collect_needs(models.finish([total], [x]), needs, [np.full((1, 4), -0.5, np.float32)])
    values = {n.reduction: float(found.values[n][0]) for n in needs}
    assert values == dict.fromkeys(SINGLE, -2.0) | {
        Reduction.ABS_MAX: 2.0,
        Reduction.MEAN_SQUARE: 4.0,
        Reduction.ABS_QUANTILE: 2.0,
    }


def test_an_input_may_be_a_single_number() -> None:
    x, factor = models.parameter("x", 1, 4), models.parameter("factor")
    model = models.finish([models.named(opset.multiply(x, factor), "product")], [x, factor])
    given = [[np.full((1, 4), 2.0), np.array(3.0)], {"x": np.ones((1, 4)), "factor": np.float32(1)}]
    wanted = need(Reduction.MAX, tensor=TensorRef("product"), aggregator=Aggregator.MEAN)
    assert collect_needs(model, [wanted], given).values[wanted].tolist() == [3.5]


def test_tensors_inside_the_model_have_statistics() -> None:
    model = models.conv_relu_conv()
    wanted = need(Reduction.MAX, tensor=TensorRef("relu1"), channel_axis=1, channels=8)
    given = models.samples(model)
    hidden = [n for n in model.get_ordered_ops() if n.get_friendly_name() == "relu1"]
    probe = ov.Model([opset.result(hidden[0])], model.get_parameters())
    expected = np.mean([reduce(models.evaluate(probe, s)[0], wanted) for s in given], axis=0)
    found = collect_needs(model, [wanted], given).values[wanted]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_minimum_of_what_can_not_be_negative_is_zero() -> None:
    model = models.conv_relu_conv()
    wanted = need(Reduction.MIN, tensor=TensorRef("relu1"))
    assert collect_needs(model, [wanted], models.samples(model)).values[wanted].tolist() == [0]


def test_the_mean_of_magnitudes_is_not_the_magnitude_of_means() -> None:
    wanted = need(Reduction.ABS_MAX)
    given = [np.full((1, 2), 3, np.float32), np.full((1, 2), -5, np.float32)]
    assert collect_needs(identity(1, 2), [wanted], given).values[wanted].tolist() == [4]


def test_subsets_share_one_pass() -> None:
    subsets = {
        ALL: range(6),
        Subset(size=2): range(2),
        Subset(size=9): range(6),
        Subset(size=3, shuffle=True, seed=1): np.random.default_rng(1).permutation(6)[:3],
    }
    given, done = arrays(6), list[int]()
    needs = {need(Reduction.MEAN, subset=subset): subset for subset in subsets}
    found = collect_needs(identity(*SHAPE), list(needs), given, done.append)
    for wanted, subset in needs.items():
        expected = np.mean([reduce(given[i], wanted) for i in subsets[subset]], axis=0)
        np.testing.assert_allclose(found.values[wanted], expected, rtol=1e-5, atol=1e-6)
    assert done == [1, 2, 3, 4, 5, 6]


def test_samples_outside_the_subset_are_not_read() -> None:
    def stream() -> Iterator[Array]:
        yield from arrays(2)
        pytest.fail("a third sample was read")

    wanted = need(Reduction.MEAN, subset=Subset(size=2))
    assert collect_needs(identity(*SHAPE), [wanted], stream()).sample_count == 2


def forms() -> list[Any]:
    """The same samples of two inputs in every form."""
    pairs = models.samples(models.two_inputs(), 3)
    return [
        pairs,
        [tuple(pair) for pair in pairs],
        [{"z": z, "x": x} for x, z in pairs],
        (pair for pair in pairs),
        [[x.astype(np.float64), z.tolist()] for x, z in pairs],
    ]


@pytest.mark.parametrize("form", range(5), ids=["lists", "tuples", "dicts", "generator", "float64"])
def test_forms_of_samples(form: int) -> None:
    wanted = need(Reduction.MEAN, tensor=TensorRef("sum"))
    expected = collect_needs(models.two_inputs(), [wanted], forms()[0]).values[wanted]
    found = collect_needs(models.two_inputs(), [wanted], forms()[form]).values[wanted]
    assert found.tolist() == expected.tolist()


def test_arrays_may_lie_in_memory_in_any_order() -> None:
    wanted = need(Reduction.POINTS)
    given = [np.asfortranarray(np.random.default_rng(i).normal(size=SHAPE)) for i in range(3)]
    found, expected = (
        collect_needs(
            identity(*SHAPE), [wanted], [each.astype(np.float32, order=order) for each in given]
        )
        for order in ("K", "C")
    )
    assert found.values[wanted].tolist() == expected.values[wanted].tolist()


def test_an_array_of_samples_is_read_along_its_first_axis() -> None:
    wanted = need(Reduction.MAX)
    given = np.stack(arrays(3))
    found = collect_needs(identity(*SHAPE), [wanted], given)
    assert (found.sample_count, found.values[wanted].shape) == (3, (1,))


def test_two_runs_give_identical_numbers() -> None:
    model = models.residual()
    needs = [
        need(Reduction.MEAN, tensor=TensorRef("relu2"), channel_axis=1, channels=8),
        need(Reduction.ABS_MAX, tensor=TensorRef("sum")),
        need(Reduction.HIGH_QUANTILE, tensor=TensorRef("sum"), outlier_prob=0.01),
    ]
    first, second = (collect_needs(model, needs, models.samples(model, 40)) for _ in range(2))
    assert [first.values[n].tolist() for n in needs] == [second.values[n].tolist() for n in needs]


def test_states_are_reset_between_samples() -> None:
    model = models.stateful()
    wanted = need(Reduction.MAX, tensor=TensorRef("total"), aggregator=Aggregator.MAX)
    given = [np.full((1, 6), value, np.float32) for value in (1, 2, 3, 4) * 5]
    assert collect_needs(model, [wanted], given).values[wanted].tolist() == [4]


def test_no_needs_need_no_samples() -> None:
    assert collect_needs(identity(1, 2), [], []).sample_count == 0


def stream_of(values: list[Any]) -> Iterator[Any]:
    yield from values


GOOD = np.zeros(SHAPE, np.float32)


@pytest.mark.parametrize(
    ("given", "index", "message"),
    [
        ([], None, "there are no calibration samples"),
        (stream_of([]), None, "there are no calibration samples"),
        ([GOOD, GOOD[:, :2]], 1, r"shape \[2, 2, 4, 5\] given for input 'x', expected \[2,3,4,5\]"),
        ([GOOD, GOOD[0]], 1, r"shape \[3, 4, 5\] given"),
        ([[GOOD, GOOD]], 0, "2 arrays given, but the model has 1 inputs"),
        ([GOOD, {"z": GOOD}], 1, r"inputs \['z'\] given, expected \['x'\]"),
        ([GOOD, {}], 1, r"inputs \[\] given"),
        ([GOOD, {"x": GOOD, "z": GOOD}], 1, r"inputs \['x', 'z'\] given"),
        ([GOOD, GOOD.astype(str)], 1, "."),
        ([GOOD, None], 1, "."),
        ([GOOD, {"x": [[1], [2, 3]]}], 1, "."),
    ],
    ids=[
        *("none", "empty_iterator", "shape", "no_batch", "too_many", "wrong_name"),
        *("no_name", "more_names", "text", "not_a_sample", "ragged"),
    ],
)
def test_samples_that_do_not_fit(given: Any, index: int | None, message: str) -> None:
    with pytest.raises(SamplesError, match=message) as caught:
        collect_needs(identity(*SHAPE), [need(Reduction.MEAN)], given)
    assert caught.value.index == index
    assert index is None or str(caught.value).startswith(f"sample {index}: ")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
def test_samples_that_are_not_finite_are_refused(value: float) -> None:
    """One such value would decide every range, and the bias of every layer below it."""
    bad = np.full(SHAPE, value, np.float32)
    needs = [need(kind) for kind in (Reduction.MIN, Reduction.MAX, Reduction.MEAN)]
    with pytest.raises(SamplesError) as caught:
        collect_needs(identity(*SHAPE), needs, [GOOD, bad, GOOD])
    assert caught.value.index == 1


def test_one_mapping_is_not_a_series_of_samples() -> None:
    with pytest.raises(SamplesError):
        collect_needs(identity(*SHAPE), [need(Reduction.MEAN)], {"x": GOOD})


def test_an_iterator_can_not_be_shuffled() -> None:
    wanted = need(Reduction.MEAN, subset=Subset(size=2, shuffle=True))
    with pytest.raises(SamplesError, match="shuffle_data needs samples that know their number"):
        collect_needs(identity(*SHAPE), [wanted], stream_of([GOOD]))


@pytest.mark.parametrize("limit", [1, 1 << 20], ids=["on disk", "in memory"])
def test_values_of_every_sample_are_kept_wherever(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quant.statistics.kept.MOST_BYTES", limit)
    given = arrays(40)
    rows = np.array([sample.max(axis=(0, 2, 3)) for sample in given])
    needs = [
        need(Reduction.MAX, aggregator=aggregator, channel_axis=1, channels=3)
        for aggregator in (Aggregator.MEDIAN, None)
    ]
    others = [need(Reduction.MIN, aggregator=Aggregator.MEDIAN), need(Reduction.MEAN)]
    found = collect_needs(identity(*SHAPE), [*others, *needs], given).values
    np.testing.assert_array_equal(found[needs[0]], np.median(rows.astype(np.float64), axis=0))
    np.testing.assert_array_equal(found[needs[1]], rows)
    assert found[others[0]] == np.median([sample.min() for sample in given])


@pytest.mark.parametrize("given", [None, 3])
def test_what_is_no_series_of_samples(given: Any) -> None:
    with pytest.raises(SamplesError, match=f"samples is {given}; expected an iterable of what"):
        collect_needs(identity(*SHAPE), [need(Reduction.MEAN)], given)


@pytest.mark.parametrize("place", [0, 7, 15])
def test_a_sample_that_fails_while_it_runs_is_told(place: int) -> None:
    """Requests fail later than they start, and the last ones when the queue is waited for."""
    x, y = (models.parameter(name, -1, 3) for name in "xy")
    model = models.finish([models.named(opset.add(x, y), "same")], [x, y])
    samples = [[np.ones((2, 3), np.float32), np.ones((2, 3), np.float32)] for _ in range(16)]
    samples[place][1] = np.ones((5, 3), np.float32)
    for _ in range(20):  # requests behind it that were not waited for crashed about every fifth
        with pytest.raises(SamplesError, match=r"the model can't be run on (it|one of the last)"):
            collect_needs(model, [need(Reduction.MEAN)], samples)
