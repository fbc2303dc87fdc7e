"""Quantization under a limit of the drop: what is reverted, what is evaluated, how it ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import quant
import runner
from quant.control.candidate import Workshop
from quant.control.control import ControlResult, control
from quant.control.log import Trial
from quant.control.parameters import ControlParameters, Precision
from quant.control.search import Stop
from quant.control.verdict import Verdict
from quant.errors import DropMissed, EvaluationError, ParameterError, SamplesError
from quant.parameter_reader import read_parameters
from quant.plan import Status
from quant.runtime import ov
from quant.scheme import Preset
from quant.statistics.store import MemoryStore
from quant.steps.table import Step
from quant.target import Target
from tests.harmful import PLAIN, Array, classes, harmful_net, harmful_samples
from tests.models import evaluate_all

SAMPLES = harmful_samples()
CLIPPED = {"max": {"clipping_value": 0.1}, "min": {"clipping_value": -0.1}}


@dataclass
class Accuracy:
    """The share of samples with the right class, by samples or not; counts what it reads."""

    labels: Array
    reads: list[int] = field(default_factory=list)

    def __call__(
        self, model: ov.CompiledModel, subset: Sequence[int] | None = None
    ) -> tuple[float, list[float]]:
        indices = range(len(SAMPLES)) if subset is None else subset
        self.reads.append(len(indices))
        right = [float(np.argmax(model([SAMPLES[i]])[0]) == self.labels[i]) for i in indices]
        return float(np.mean(right)), right

    def whole(self, model: ov.CompiledModel) -> float:
        """The metric alone."""
        return self(model)[0]


@dataclass
class Kept:
    """A journal in memory."""

    held: list[Trial] = field(default_factory=list)
    added: int = 0

    def trials(self) -> list[Trial]:
        return list(self.held)

    def add(self, trial: Trial) -> None:
        self.held.append(trial)
        self.added += 1


def accuracy(model: ov.Model) -> Accuracy:
    """By labels that FP32 gets right."""
    return Accuracy(labels=classes(model, SAMPLES))


def controlled(
    model: ov.Model, evaluate: Any = None, target: str = "cpu", **parameters: Any
) -> ControlResult:
    return quant.quantize_with_accuracy_control(
        model,
        SAMPLES[:32],
        accuracy(model) if evaluate is None else evaluate,
        target=runner.load_target(target),
        **{**PLAIN, "maximal_drop": 0.1, **parameters},
    )


def names(found: ControlResult) -> list[str]:
    return [each.name for each in found.reverted]


def test_nothing_is_reverted_within_the_limit() -> None:
    found = controlled(harmful_net())
    assert (found.reached, names(found), len(found.trials)) == (True, [], 1)
    assert found.reason == "no operation had to be reverted"


@pytest.mark.parametrize("layer", [0, 2, 4])
@pytest.mark.parametrize("unit", ["operation", "block"])
def test_exactly_the_layer_that_does_the_harm_is_reverted(layer: int, unit: str) -> None:
    found = controlled(harmful_net(layer), unit=unit)
    assert (found.reached, names(found), found.untried) == (True, [f"layer{layer}"], ())
    assert found.verdict.samples == len(SAMPLES)


def test_several_layers_are_reverted_and_no_more() -> None:
    found = controlled(harmful_net(1, 3))
    assert (found.reached, names(found)) == (True, ["layer1", "layer3"])


def test_the_model_is_that_of_a_recipe_with_the_names_pasted(cpu: Target) -> None:
    model = harmful_net(1, 3)
    found = controlled(model)
    pasted = {**PLAIN, **found.candidate.parameters()}
    again = quant.quantize(model, SAMPLES[:32], target=cpu, **pasted)
    ours, theirs = (
        [y[0] for y in evaluate_all(each.model, [[x] for x in SAMPLES])]
        for each in (found.result, again)
    )
    np.testing.assert_array_equal(ours, theirs)
    assert found.result.operations == again.operations


def test_the_model_that_is_handed_in_is_not_changed() -> None:
    model = harmful_net(2)
    before = classes(model, SAMPLES).tolist()
    controlled(model)
    assert classes(model, SAMPLES).tolist() == before


def test_samples_are_inferred_once_for_all_candidates() -> None:
    model = harmful_net(1, 3)
    done: list[int] = []
    controlled(model, progress=done.append)
    assert done == list(range(1, 33))


def test_the_same_again() -> None:
    first, second = (controlled(harmful_net(1, 3)) for _ in range(2))
    assert [t.candidate for t in first.trials] == [t.candidate for t in second.trials]
    assert [t.verdict for t in first.trials] == [t.verdict for t in second.trials]


def test_a_plain_function_of_the_model_will_do() -> None:
    model = harmful_net(2)
    evaluate = accuracy(model)
    found = controlled(model, evaluate.whole)
    assert (found.reached, names(found)) == (True, ["layer2"])
    assert set(evaluate.reads) == {len(SAMPLES)}


def test_a_model_that_misses_by_far_is_given_up_early() -> None:
    model = harmful_net(2)
    evaluate = accuracy(model)
    found = controlled(model, evaluate)
    first = found.trials[0].verdict
    assert not first.meets
    assert first.samples is not None
    assert first.samples < len(SAMPLES)


def test_who_keeps_the_limit_is_decided_by_few_samples_once_one_does() -> None:
    """Each of two layers is quantized again in vain: told by the samples that were lost before."""
    model = harmful_net(1, 3)
    evaluate = accuracy(model)
    found = controlled(model, evaluate)
    behind = [t.verdict for t in found.trials[found.trials.index(_first_that_meets(found)) + 1 :]]
    assert behind
    for each in behind:
        assert each.meets or each.samples is not None
        assert each.meets or each.samples < len(SAMPLES) / 2
        assert each.meets or each.drops["metric"] > 0.1


def _first_that_meets(found: ControlResult) -> Trial:
    return next(each for each in found.trials if each.verdict.meets)


def test_a_metric_that_is_better_lower() -> None:
    model = harmful_net(2)
    right = accuracy(model)
    found = controlled(model, lambda compiled: 1 - right.whole(compiled), higher_is_better=False)
    assert (found.reached, names(found)) == (True, ["layer2"])


def test_a_relative_drop_is_a_share_of_the_baseline() -> None:
    model = harmful_net(2)
    right = accuracy(model)
    found = controlled(model, lambda compiled: 100 * right.whole(compiled), drop_type="relative")
    assert (found.reached, names(found)) == (True, ["layer2"])


def constant(value: float) -> Callable[[ov.CompiledModel], float]:
    """FP32 gets 1, and everything after it the value."""
    answers = iter([1.0])
    return lambda _: next(answers, value)


def test_an_impossible_limit_keeps_the_best_and_says_so() -> None:
    found = controlled(harmful_net(), constant(0.5))
    assert not found.reached
    assert found.reason == "no more operations can be reverted"
    assert (found.verdict.values, found.verdict.drops) == ({"metric": 0.5}, {"metric": 0.5})
    assert found.result.fake_quantize_count


def test_something_always_stays_quantized() -> None:
    found = controlled(harmful_net(), constant(0.5))
    quantized = [
        each.plan.name
        for each in controlled(harmful_net()).result.operations
        if each.plan.status is Status.QUANTIZED
    ]
    assert max(len(t.candidate.fp32) for t in found.trials) == len(quantized) - 1


def test_a_missed_limit_is_an_error_if_asked() -> None:
    with pytest.raises(DropMissed, match=r"no more operations .* the drop metric 0\.5"):
        controlled(harmful_net(), constant(0.5), on_miss="fail")


@pytest.mark.parametrize("most", [1, 2, 4])
def test_no_more_models_than_the_budget_allows(most: int) -> None:
    found = controlled(harmful_net(1, 3), max_iter_num=most)
    assert len(found.trials) <= most + 1
    assert found.reason == "the budget is spent"


def test_a_budget_of_no_time_takes_one_evaluation() -> None:
    found = controlled(harmful_net(2), budget_minutes=0)
    assert (found.reached, len(found.trials), found.reason) == (False, 1, "the budget is spent")


def test_an_interrupted_control_goes_on_where_it_was() -> None:
    model, kept = harmful_net(1, 3), Kept()
    whole = controlled(model, journal=kept)
    half = Kept(held=kept.held[:3])
    again = controlled(model, journal=half)
    assert names(again) == names(whole)
    assert [t.candidate for t in again.trials] == [t.candidate for t in whole.trials]
    assert half.added == len(whole.trials) - 3


def test_mixed_is_tried_before_anything_is_reverted() -> None:
    found = controlled(harmful_net(2), convert_to_mixed_preset=True)
    assert [t.candidate.preset for t in found.trials[:2]] == [Preset.PERFORMANCE, Preset.MIXED]
    assert (found.reached, names(found)) == (True, ["layer2"])


@pytest.mark.parametrize("target", ["gna", "gna3"])
def test_weights_return_to_16_bits_on_gna(target: str) -> None:
    found = controlled(harmful_net(2), target=target)
    assert found.reached
    assert [(each.name, each.precision) for each in found.reverted] == [("layer2", Precision.INT16)]
    weights = {each.plan.name: each.plan.weights for each in found.result.operations}
    assert weights["layer2"] is not None
    assert weights["layer1"] is not None
    assert (weights["layer1"].bits, weights["layer2"].bits) == (8, 16)


def test_floating_point_comes_after_16_bits() -> None:
    found = controlled(harmful_net(), constant(0.5), "gna3", revert_to=["int16", "fp32"])
    precisions = [bool(trial.candidate.fp32) for trial in found.trials]
    assert precisions == sorted(precisions)
    assert any(precisions)


def test_what_is_no_metric_is_refused() -> None:
    with pytest.raises(EvaluationError, match="evaluate returned str; expected a number"):
        controlled(harmful_net(), lambda _: "good")


def test_nothing_is_relative_to_zero() -> None:
    with pytest.raises(EvaluationError, match="is 0, which no drop is relative to"):
        controlled(harmful_net(), lambda _: 0.0, drop_type="relative")


def test_values_of_too_few_samples_are_refused() -> None:
    def evaluate(_: ov.CompiledModel, subset: Sequence[int] | None = None) -> Any:
        return 1.0, [1.0] * (4 if subset is None else 3)

    with pytest.raises(EvaluationError, match="asked for 4 samples and returned values for 3"):
        controlled(harmful_net(), evaluate)


def test_iterators_are_refused(cpu: Target) -> None:
    with pytest.raises(SamplesError, match="accuracy control reads the samples again"):
        quant.quantize_with_accuracy_control(harmful_net(), iter(SAMPLES), constant(1), target=cpu)


def test_parameters_are_checked() -> None:
    with pytest.raises(ParameterError, match="maximal_drop: found -1"):
        controlled(harmful_net(), maximal_drop=-1)


@pytest.mark.parametrize(("minutes", "is_whole"), [(1, False), (5, True)])
def test_no_evaluation_begins_that_would_end_behind_the_budget(
    minutes: int, is_whole: bool
) -> None:
    """The first has taken 40 seconds, and the rest none."""
    model, kept = harmful_net(2), Kept()
    whole = controlled(model, journal=kept).trials
    slow = Kept(held=[dataclasses.replace(kept.held[0], seconds=40.0)])
    found = controlled(model, journal=slow, budget_minutes=minutes)
    assert len(found.trials) == (len(whole) if is_whole else 1)


def test_a_larger_budget_goes_on_where_the_smaller_one_ended() -> None:
    model, kept = harmful_net(1, 3), Kept()
    whole = controlled(model)
    first = controlled(model, journal=kept, max_iter_num=2)
    assert (first.stop, kept.added) == (Stop.BUDGET, 3)
    again = controlled(model, journal=kept, max_iter_num=50)
    assert names(again) == names(whole)
    assert kept.added == len(whole.trials)


def test_no_time_is_left_but_what_was_tried_counts() -> None:
    model, kept = harmful_net(1, 3), Kept()
    whole = controlled(model, journal=kept)
    again = controlled(model, journal=Kept(held=kept.held), budget_minutes=0)
    assert (again.reached, names(again)) == (True, names(whole))


@dataclass(frozen=True)
class Needing:
    """A judge that is content where a layer has no quantizer of its weights."""

    layer: str

    def __call__(self, model: ov.Model) -> Verdict:
        names = {node.get_friendly_name() for node in model.get_ordered_ops()}
        missing = float(f"{self.layer}/fq_weights_1" in names)
        return Verdict(values={}, drops={}, excess=missing, meets=not missing)

    def hardest(self, model: ov.Model, share: float, most: int | None) -> list[int]:
        raise NotImplementedError

    def decide(self, model: ov.Model, suspects: Sequence[int]) -> Verdict:
        return self(model)

    def on(self, model: ov.Model, subset: Sequence[int]) -> Verdict:
        raise NotImplementedError


def test_what_went_to_16_bits_in_vain_is_quantized_again() -> None:
    parameters = {**PLAIN, "revert_to": ["int16", "fp32"]}
    workshop = Workshop(
        model=quant.load_model(harmful_net(2)),
        target=runner.load_target("gna3"),
        steps=(Step(use="DefaultQuantization"),),
        position=0,
        parameters=read_parameters(ControlParameters, parameters),
        samples=SAMPLES[:32],
        store=MemoryStore(),
    )
    found = control(workshop, Needing("layer3"))
    assert found.reached
    assert [(each.name, each.precision) for each in found.reverted] == [("layer3", Precision.FP32)]
    assert (found.candidate.int16, found.untried) == ((), ())
    assert any(trial.candidate.int16 for trial in found.trials)


@pytest.mark.parametrize("layer", [0, 3])
def test_ranking_by_the_metric_on_the_hardest_samples(layer: int) -> None:
    model, kept = harmful_net(layer), Kept()
    found = controlled(model, journal=kept, metric_subset_ratio=0.25)
    assert (found.reached, names(found)) == (True, [f"layer{layer}"])
    ranking = [trial for trial in found.trials if trial.is_ranking]
    assert {trial.verdict.samples for trial in ranking} == {len(SAMPLES) // 4}
    assert len(ranking) == 6
    best = min(ranking, key=lambda trial: trial.verdict.excess)
    assert best.candidate.fp32 == (f"layer{layer}",)
    again = controlled(model, journal=Kept(held=kept.held), metric_subset_ratio=0.25)
    assert again.trials == found.trials


def test_no_more_of_the_hardest_samples_than_asked() -> None:
    found = controlled(harmful_net(2), metric_subset_ratio=0.5, ranking_subset_size=10)
    assert {trial.verdict.samples for trial in found.trials if trial.is_ranking} == {10}


def test_ranking_by_the_metric_needs_values_of_samples() -> None:
    with pytest.raises(EvaluationError, match="metric_subset_ratio needs evaluate"):
        controlled(harmful_net(2), constant(0.5), metric_subset_ratio=0.5)


def test_activations_alone_return_to_floating_point() -> None:
    """The harm of this layer is that of its activations."""
    model = harmful_net()
    layers = [{"names": ["layer2"], "range_estimator": CLIPPED}]
    given: dict[str, Any] = {"activations": {"layers": layers}, "restore_mode": "only_activations"}
    found = controlled(model, **given)
    assert (found.reached, names(found)) == (True, ["layer2"])
    assert found.candidate.parameters()["ignored"] == {"activations": ["layer2"]}
    operations = {each.plan.name: each.plan for each in found.result.operations}
    assert operations["layer2"].status is Status.FLOAT
    assert operations["layer2"].weights is not None
    assert operations["layer2"].activations == ()


def test_weights_that_do_the_harm_stay_where_only_activations_return() -> None:
    found = controlled(harmful_net(2), restore_mode="only_activations")
    assert not found.reached
    assert not any(trial.candidate.fp32 for trial in found.trials)
