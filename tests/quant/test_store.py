"""Statistics that are kept answer later needs to the last bit, without inference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import runner
from quant.entry import apply, collect, needs_of, resolve
from quant.errors import SamplesError
from quant.load import load_model
from quant.parameters import Aggregator
from quant.plan import QuantPlan, Subset
from quant.runtime import ov
from quant.statistics.collect import collect_needs
from quant.statistics.need import Need, Reduction
from quant.statistics.store import collect_stored, derived, unknown, widened
from quant.steps.table import Step
from tests import models
from tests.graphs import GRAPHS
from tests.networks import NETWORKS
from tests.quant.test_collect import SHAPE, arrays, identity, need, settings_of

Array = NDArray[Any]
EXTREMES = (Reduction.MIN, Reduction.MAX, Reduction.ABS_MAX)
QUANTILES = {Reduction.LOW_QUANTILE, Reduction.HIGH_QUANTILE, Reduction.ABS_QUANTILE}


@dataclass
class Kept:
    """A store in memory."""

    answers: dict[Need, Array] = field(default_factory=dict)
    kept: int = 0

    def known(self) -> Mapping[Need, Array]:
        return dict(self.answers)

    def keep(self, answers: Mapping[Need, Array]) -> None:
        self.kept += 1
        self.answers |= answers


@dataclass
class Counted:
    """Samples, and how many of them were read."""

    samples: list[Any]
    reads: int = 0

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        self.reads += 1
        return self.samples[index]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))


def plan_of(model: ov.Model, target: str = "cpu", **parameters: Any) -> QuantPlan:
    step = Step(use="DefaultQuantization", parameters=parameters)
    return resolve(model, [step], runner.load_target(target))


def same(found: Mapping[Need, Array], expected: Mapping[Need, Array]) -> bool:
    return found.keys() == expected.keys() and all(
        np.array_equal(found[key], expected[key]) for key in expected
    )


wanted = st.builds(
    lambda reduction, aggregator, axis, subset: need(
        reduction, aggregator=aggregator, subset=subset, **settings_of(reduction, axis)
    ),
    st.sampled_from(Reduction),
    st.sampled_from([None, *Aggregator]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([Subset(), Subset(size=3), Subset(size=4, shuffle=True, seed=1)]),
).filter(lambda need: need.reduction is not Reduction.POINTS or need.channel_axis is not None)


@given(needs=st.lists(wanted, min_size=1, max_size=4), seed=st.integers(0, 9))
def test_wider_needs_answer_the_needs(needs: list[Need], seed: int) -> None:
    model, samples = identity(*SHAPE), arrays(seed=seed, count=6)
    known = collect_needs(model, widened(needs), samples).values
    expected = collect_needs(model, needs, samples).values
    assert same({n: a for n in needs if (a := derived(n, known)) is not None}, expected)


@given(first=wanted, other=st.sampled_from(list(Aggregator)), reduction=st.sampled_from(EXTREMES))
def test_extremes_of_a_tensor_answer_every_aggregate(
    first: Need, other: Aggregator, reduction: Reduction
) -> None:
    """Also those of its channels do: the whole tensor's follow from them."""
    known = dict.fromkeys(widened([first]), np.zeros(1))
    whole = need(reduction, aggregator=other, subset=first.subset)
    assert (unknown([whole], known) == ()) == (first.reduction in EXTREMES)


WIDEST = {"min": {"aggregator": "min"}, "max": {"aggregator": "max"}}
LATER: dict[str, dict[str, Any]] = {
    "mixed": {"preset": "mixed"},
    "accuracy": {"preset": "accuracy"},
    "aggregator": {"range_estimator": WIDEST},
    "pertensor": {"activations": {"granularity": "pertensor"}},
    "ignored": {"ignored": {"operations": [{"type": "MatMul"}]}},
    "npu": {"target": "npu"},
}


@pytest.fixture(scope="module", params=["mobilenet_v2", "resnet_50"])
def network(request: pytest.FixtureRequest) -> ov.Model:
    return load_model(NETWORKS[request.param]())


@pytest.mark.parametrize("later", sorted(LATER))
def test_what_another_plan_needs_is_there(network: ov.Model, later: str) -> None:
    known = dict.fromkeys(widened(needs_of(plan_of(network))), np.zeros((1, 1)))
    assert unknown(needs_of(plan_of(network, **LATER[later])), known) == ()


def test_both_presets_tell_the_same(network: ov.Model) -> None:
    known = dict.fromkeys(widened(needs_of(plan_of(network, preset="mixed"))), np.zeros((1, 1)))
    assert unknown(needs_of(plan_of(network, preset="performance")), known) == ()


@pytest.fixture(scope="module", params=["conv_and_linear", "sdpa_causal"])
def model(request: pytest.FixtureRequest) -> ov.Model:
    return load_model(GRAPHS[request.param]())


@pytest.mark.parametrize("later", ["mixed", "aggregator", "pertensor", "npu"])
def test_another_plan_infers_nothing(model: ov.Model, later: str) -> None:
    """And its statistics are those of a pass of its own, to the last bit."""
    plan, store, samples = plan_of(model, **LATER[later]), Kept(), Counted(models.samples(model))
    collect(plan_of(model), samples, store=store)
    samples.reads = 0
    found = collect(plan, samples, store=store)
    assert samples.reads == 0
    expected = collect(plan, Counted(models.samples(model)))
    assert same(found.values, expected.values)
    assert found.sample_count == expected.sample_count


def test_only_what_is_missing_is_collected(model: ov.Model) -> None:
    plan, store = plan_of(model), Kept()
    collect(plan, Counted(models.samples(model)), store=store)
    before = store.known()
    finer = plan_of(model, range_estimator={"preset": "quantile"})
    found = collect(finer, Counted(models.samples(model)), store=store)
    assert same(found.values, collect(finer, Counted(models.samples(model))).values)
    assert {n.reduction for n in store.known().keys() - before.keys()} <= QUANTILES


def test_samples_have_to_know_their_number() -> None:
    wanted = need(Reduction.MIN)
    with pytest.raises(SamplesError, match="know their number"):
        collect_stored(identity(*SHAPE), [wanted], iter(arrays()), Kept())


@pytest.mark.parametrize(
    ("subsets", "expected"),
    [
        ([Subset()], 5),
        ([Subset(size=2), Subset(size=9)], 5),
        ([Subset(size=2), Subset(size=3)], 3),
        ([Subset(size=2), Subset(size=2, shuffle=True)], 4),
    ],
    ids=["all", "more", "nested", "drawn"],
)
def test_the_number_of_samples_is_that_of_a_pass(subsets: list[Subset], expected: int) -> None:
    needs = [need(Reduction.MIN, subset=subset) for subset in subsets]
    model, store = identity(*SHAPE), Kept()
    counts = [collect_stored(model, needs, arrays(), store).sample_count for _ in range(2)]
    assert counts == [collect_needs(model, needs, arrays()).sample_count] * 2 == [expected] * 2
    assert store.kept == 1


def test_the_result_is_the_same(model: ov.Model) -> None:
    plan, store, samples = plan_of(model), Kept(), Counted(models.samples(model))
    collect(plan_of(model, preset="mixed"), samples, store=store)
    found, expected = (
        apply(plan, collect(plan, samples, store=each), samples) for each in (store, None)
    )
    assert found.operations == expected.operations
    outputs = [models.evaluate(each.model, samples[0])[0] for each in (found, expected)]
    assert np.array_equal(*outputs)
