"""The estimators `mse` and `histogram` against search by brute force on heavy-tailed data."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quant.errors import SamplesError
from quant.fake_quantize import activation_levels, quantize, weight_levels
from quant.joint_range import activation_range, weight_range
from quant.parameters import Aggregator, Estimator
from quant.plan import Subset, TensorRef
from quant.scheme import Granularity, Mode, Scheme
from quant.statistics.collect import collect_needs
from quant.statistics.distribution import MOST_VALUES
from quant.statistics.need import Need, Reduction
from quant.target import Target
from tests import models
from tests.quant.results import run
from tests.quant.test_collect import identity

Array = NDArray[Any]

rng = np.random.default_rng(0)
DATA = {
    "laplace": rng.laplace(size=10_000),
    "student t": rng.standard_t(3, size=10_000),
    "small student t": rng.standard_t(3, size=10_000) * 1e-4,
    "large student t": rng.standard_t(3, size=10_000) * 1e5,
    "rectified": np.maximum(rng.normal(size=10_000), 0),
    "clamped": np.clip(rng.normal(size=10_000) * 4, 0, 6),
    "shifted lognormal": rng.lognormal(0, 1, 10_000) - 3,
    "one value": np.full(10_000, 0.3),
}
KINDS = (Estimator.MSE, Estimator.HISTOGRAM)


def histogram(rows: Array) -> Array:
    """What the graph counts of `[C, N]` values in ten samples, added up."""
    samples = np.split(rows.astype(np.float32), 10, axis=1)
    channels = len(rows)
    need = Need(
        tensor=TensorRef("same"),
        reduction=Reduction.HISTOGRAM,
        aggregator=Aggregator.MEAN,
        subset=Subset(),
        channel_axis=None if channels == 1 else 0,
        channels=channels,
    )
    return collect_needs(identity(*samples[0].shape), [need], samples).values[need]


def squared_error(rows: Array, scheme: Scheme, low: Array, high: Array) -> Array:
    """Of FakeQuantize on `[C, N]`, per channel."""
    reach = np.maximum(-low, high) if scheme.mode is Mode.SYMMETRIC else high
    levels = activation_levels(scheme, low[:, None], reach[:, None])
    return np.square(quantize(rows.astype(np.float32), levels) - rows).sum(axis=1)


def least(rows: Array, scheme: Scheme, low: Array, high: Array) -> Array:
    """The least error over a grid of ranges."""
    shares = 2.0 ** -np.arange(0, 6, 1 / 4)
    pairs = zip(shares, shares, strict=True)
    found = pairs if scheme.mode is Mode.SYMMETRIC else product(shares, shares)
    errors = [squared_error(rows, scheme, low * a, high * b) for a, b in found]
    return np.asarray(np.min(errors, axis=0))


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("name", DATA)
def test_mse_is_as_good_as_brute_force(name: str, mode: Mode, bits: int) -> None:
    """Within 5 %, what bins of 8 % cost where few values decide, and steps of 6 % of the range."""
    rows, scheme = DATA[name][None], Scheme(mode=mode, bits=bits)
    low, high = rows.min(axis=1), rows.max(axis=1)
    found = activation_range(scheme, Estimator.MSE, histogram(rows), low, high)
    error = squared_error(rows, scheme, *found)
    assert error <= 1.05 * least(rows, scheme, low, high) + 1e-9
    assert error <= 1.01 * squared_error(rows, scheme, low, high) + 1e-9


@pytest.mark.parametrize("mode", list(Mode))
def test_channels_are_searched_apart(mode: Mode) -> None:
    rows = np.random.default_rng(0).standard_t(4, size=(3, 10_000)) * np.array([[1e-3], [1], [50]])
    scheme = Scheme(mode=mode, bits=6, granularity=Granularity.PERCHANNEL)
    low, high = rows.min(axis=1), rows.max(axis=1)
    found = activation_range(scheme, Estimator.MSE, histogram(rows), low, high)
    error = squared_error(rows, scheme, *found)
    assert (error <= 1.05 * least(rows, scheme, low, high)).all()


@pytest.mark.parametrize("mode", list(Mode))
def test_histogram_clips_less_than_mse_and_never_does_worse_than_the_extremes(mode: Mode) -> None:
    rows, scheme = DATA["student t"][None], Scheme(mode=mode, bits=4)
    low, high = rows.min(axis=1), rows.max(axis=1)
    ranges = {kind: activation_range(scheme, kind, histogram(rows), low, high) for kind in KINDS}
    widths = {kind: float((ends[1] - ends[0])[0]) for kind, ends in ranges.items()}
    assert widths[Estimator.MSE] <= widths[Estimator.HISTOGRAM]
    error = squared_error(rows, scheme, *ranges[Estimator.HISTOGRAM])
    assert error <= 1.001 * squared_error(rows, scheme, low, high)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_counted_gives_the_extremes(kind: Estimator) -> None:
    nothing = np.zeros_like(histogram(DATA["laplace"][None]))
    scheme = Scheme(mode=Mode.ASYMMETRIC)
    found = activation_range(scheme, kind, nothing, np.array([-1.0]), np.array([2.0]))
    assert [float(end[0]) for end in found] == [-1.0, 2.0]


@pytest.mark.parametrize("mode", list(Mode))
def test_weights_are_searched_exactly(mode: Mode) -> None:
    """Within 15 %: the error of a few hundred values on 16 levels is jagged."""
    rows = np.random.default_rng(0).standard_t(3, size=(8, 400)).astype(np.float32)
    scheme = Scheme(mode=mode, bits=4, granularity=Granularity.PERCHANNEL)

    def error(low: Array, high: Array) -> Array:
        reach = np.maximum(-low, high) if mode is Mode.SYMMETRIC else high
        levels = weight_levels(scheme, low[:, None], reach[:, None])
        return np.asarray(np.square(quantize(rows, levels) - rows).sum(axis=1))

    extremes = rows.min(axis=1), rows.max(axis=1)
    found = {kind: error(*weight_range(scheme, kind, rows)) for kind in KINDS}
    shares = 2.0 ** -np.arange(0, 3, 1 / 16)
    grid = zip(shares, shares, strict=True)
    if mode is Mode.ASYMMETRIC:
        grid = product(shares[::2], shares[::2])
    best = np.min([error(extremes[0] * a, extremes[1] * b) for a, b in grid], axis=0)
    assert (found[Estimator.MSE] <= 1.15 * best).all()
    assert (found[Estimator.HISTOGRAM] <= error(*extremes)).all()


@pytest.mark.parametrize("preset", ["mse", "histogram"])
@pytest.mark.parametrize("name", ["depthwise", "lstm", "gru"])
def test_models_run_with_them_on_both_sides(name: str, preset: str, cpu: Target) -> None:
    model = getattr(models, name)()
    result = run(model, cpu, range_estimator={"preset": preset}, preset="mixed")
    sample = models.samples(model, 1)[0]
    wanted, found = models.evaluate(model, sample), models.evaluate(result.model, sample)
    for a, b in zip(wanted, found, strict=True):
        assert np.abs(a - b).max() <= 0.15 * np.abs(a).max()


def collected(rows: Array, *reductions: Reduction) -> dict[Reduction, Array]:
    needs = [
        Need(
            tensor=TensorRef("same"),
            reduction=reduction,
            aggregator=Aggregator.MEAN,
            subset=Subset(),
        )
        for reduction in reductions
    ]
    found = collect_needs(identity(*rows.shape), needs, [rows.astype(np.float32)] * 2)
    return {need.reduction: found.values[need] for need in needs}


def test_counts_and_sums_of_two_samples_are_added() -> None:
    rows = np.random.default_rng(0).normal(size=(1, 5000)) * 3
    counts, sums = np.split(collected(rows, Reduction.HISTOGRAM)[Reduction.HISTOGRAM], 2)
    half = len(counts) // 2
    assert (counts.sum(), counts[:half].sum()) == (10_000, 2 * (rows < 0).sum())
    assert sums.sum() == pytest.approx(2 * rows.sum(), rel=1e-4)
    assert (sums[:half] <= 0).all()


def test_large_tensors_are_sampled_in_every_column() -> None:
    """A picture whose columns differ: a stride that divides their number would see one of them."""
    columns = np.arange(1, 65, dtype=np.float32)
    rows = np.tile(columns, (1, 4096))
    counts, sums = np.split(collected(rows, Reduction.HISTOGRAM)[Reduction.HISTOGRAM], 2)
    assert 0.5 * MOST_VALUES <= counts.sum() / 2 <= MOST_VALUES
    assert sums.sum() / counts.sum() == pytest.approx(columns.mean(), rel=1e-2)


def test_not_a_number_is_reported_not_counted() -> None:
    with pytest.raises(SamplesError, match="NaN or infinity"):
        collected(np.array([[1.0, np.nan] * 10]), Reduction.MAX, Reduction.HISTOGRAM)
