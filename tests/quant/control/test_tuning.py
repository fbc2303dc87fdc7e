"""Tuning: what is compared, what is chosen, and what is left alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import quant
import runner
from quant.control.axes import AXES, free_axes
from quant.control.candidate import Candidate, Workshop
from quant.control.gain import Gain, is_improvement, paired_gain
from quant.control.noise import LARGEST_DB, SQNR, output_noise
from quant.control.parameters import ControlParameters
from quant.control.tuning import Tuning, prepare, tune
from quant.errors import ParameterError, SamplesError
from quant.parameter_reader import read_parameters
from quant.runtime import ov
from quant.scheme import Preset
from quant.statistics.store import MemoryStore
from quant.steps.order import DEFAULT
from quant.steps.table import Step
from quant.target import Target
from tests.harmful import PLAIN, harmful_net, harmful_samples
from tests.models import conv, evaluate_all, finish, parameter, relu

SAMPLES = harmful_samples()[:24]
PICTURES = [x**3 for x in np.random.default_rng(0).standard_normal((48, 1, 3, 64, 64), np.float32)]
"""Of the first 24 the mean of the samples' extremes leaves too much outside, if not too many."""


def small_net(*harmful: int) -> ov.Model:
    """Two layers and a head."""
    return harmful_net(*harmful, depth=2)


def picture_net() -> ov.Model:
    """Two convolutions, whose default ranges can be bettered on the pictures."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 3, 64, 64)
    hidden = relu(conv(rng, x, (4, 3, 3, 3), "conv1"), "relu1")
    return finish([conv(rng, hidden, (2, 4, 3, 3), "conv2")], [x])


def workshop(
    model: ov.Model,
    target: str = "cpu",
    progress: Any = None,
    samples: Sequence[Any] = SAMPLES,
    **given: Any,
) -> Workshop:
    given = {"tune_hyperparams": True, **given}
    return Workshop(
        model=quant.load_model(model),
        target=runner.load_target(target),
        steps=(Step(use=DEFAULT),),
        position=0,
        parameters=read_parameters(ControlParameters, given),
        samples=samples,
        store=MemoryStore(),
        progress=progress,
        given=given,
    )


def tuned(made: Workshop, count: int = 24) -> Tuning:
    prepare(made)
    start = Candidate(preset=made.parameters.preset)
    with output_noise(made.model, made.samples, count, 0) as noise:
        return tune(made, start, noise, samples=count)


@pytest.fixture(scope="module")
def found() -> Tuning:
    return tuned(workshop(picture_net(), samples=PICTURES[:24]))


def test_the_start_is_compared_first_and_the_chosen_one_is_better(found: Tuning) -> None:
    assert found.trials[0].candidate == Candidate(preset=Preset.PERFORMANCE)
    better = [each for each in found.trials if each.is_better]
    assert better[-1].candidate == found.candidate
    assert [t.sqnr_db for t in better] == sorted(t.sqnr_db for t in better)
    assert better[0].sqnr_db > found.trials[0].sqnr_db


def test_the_same_again(found: Tuning) -> None:
    again = tuned(workshop(picture_net(), samples=PICTURES[:24]))
    assert [dataclasses.replace(t, seconds=0) for t in again.trials] == [
        dataclasses.replace(t, seconds=0) for t in found.trials
    ]


def test_no_model_is_made_twice(found: Tuning) -> None:
    candidates = [each.candidate for each in found.trials]
    assert len(set(candidates)) == len(candidates)


def test_all_models_are_made_from_one_calibration_pass() -> None:
    done: list[int] = []
    made = workshop(small_net(), progress=done.append, use_fast_bias=True)
    tuned(made)
    assert done == list(range(1, len(SAMPLES) + 1))


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({}, ["preset", "smoothing", "activations", "weights", "bias"]),
        ({"preset": "performance"}, ["smoothing", "activations", "weights", "bias"]),
        ({"range_estimator": {"preset": "mse"}}, ["preset", "smoothing", "bias"]),
        ({"alpha": 0.5, "threshold": 2}, ["preset", "activations", "weights"]),
        (
            {"activations": {"range_estimator": {"preset": "mse"}, "mode": "symmetric"}},
            ["preset", "smoothing", "weights", "bias"],
        ),
        ({"weights": {"mode": "symmetric"}}, [each.name for each in AXES]),
    ],
)
def test_what_the_user_has_chosen_stays(given: dict[str, Any], left: list[str]) -> None:
    assert [each.name for each in free_axes(given)] == left


def test_every_option_is_a_parameter_that_can_be_pasted() -> None:
    start = Candidate(preset=Preset.PERFORMANCE)
    for axis in AXES:
        for option in axis.options:
            changed = axis.applied(start, option)
            assert changed != start
            read_parameters(ControlParameters, changed.parameters())


def test_options_of_an_axis_replace_one_another() -> None:
    activations = next(each for each in AXES if each.name == "activations")
    start = Candidate(preset=Preset.MIXED, settings=(("alpha", 0.5),))
    changed = start
    for option in activations.options:
        changed = activations.applied(changed, option)
        assert changed.settings == tuple(sorted((*start.settings, *option)))


@pytest.mark.parametrize("target", ["gna", "gna3"])
def test_weights_of_twice_the_width_are_no_tuning(target: str) -> None:
    found = tuned(workshop(small_net(), target=target))
    assert {each.candidate.preset for each in found.trials} == {Preset.PERFORMANCE}


def test_quantize_tunes(cpu: Target) -> None:
    model = picture_net()
    result = quant.quantize(model, PICTURES[:24], target=cpu, tune_hyperparams=True)
    assert "dB at the outputs" in result.outcomes["tuning"]
    plain = quant.quantize(model, PICTURES[:24], target=cpu)
    errors = [error(model, each.model) for each in (result, plain)]
    assert errors[0] < errors[1]


def error(model: ov.Model, quantized: ov.Model) -> float:
    """The mean squared error of the outputs on pictures that nothing was chosen by."""
    fresh = [[x] for x in PICTURES[24:]]
    ours, theirs = (np.stack([y[0] for y in evaluate_all(m, fresh)]) for m in (quantized, model))
    return float(np.mean((ours - theirs) ** 2))


def test_where_all_is_given_nothing_is_searched(cpu: Target) -> None:
    given: dict[str, Any] = {
        **PLAIN,
        "preset": "mixed",
        "range_estimator": {"preset": "mse"},
        "use_fast_bias": True,
    }
    result = quant.quantize(small_net(), SAMPLES, target=cpu, tune_hyperparams=True, **given)
    expected = "nothing better was found; 1 models compared on 24 samples"
    assert result.outcomes["tuning"] == expected


def test_unknown_parameters_are_refused(cpu: Target) -> None:
    with pytest.raises(ParameterError, match="unknown parameter 'maximal_drop'"):
        quant.quantize(small_net(), SAMPLES, target=cpu, tune_hyperparams=True, maximal_drop=0.1)


def test_iterators_are_refused(cpu: Target) -> None:
    with pytest.raises(SamplesError, match="tuning reads the samples again"):
        quant.quantize(small_net(), iter(SAMPLES), target=cpu, tune_hyperparams=True)


def accuracy(model: ov.Model) -> Any:
    labels = [int(np.argmax(y[0])) for y in evaluate_all(model, [[x] for x in harmful_samples()])]

    def evaluate(
        compiled: ov.CompiledModel, subset: Sequence[int] | None = None
    ) -> tuple[float, list[float]]:
        indices = range(len(labels)) if subset is None else subset
        samples = harmful_samples()
        right = [float(np.argmax(compiled([samples[i]])[0]) == labels[i]) for i in indices]
        return float(np.mean(right)), right

    return evaluate


def controlled(model: ov.Model, cpu: Target, **parameters: Any) -> Any:
    given = {"maximal_drop": 0.1, "tune_hyperparams": True, "ranking_subset_size": 64}
    return quant.quantize_with_accuracy_control(
        model, SAMPLES, accuracy(model), target=cpu, **{**given, **parameters}
    )


def test_control_tunes_before_it_reverts(cpu: Target) -> None:
    model = small_net(1)
    found = controlled(model, cpu, **PLAIN)
    assert found.reached
    assert found.tuning is not None
    assert {name for each in found.tuning.trials for name in each.values} == {"metric"}
    again = quant.quantize(model, SAMPLES, target=cpu, **{**PLAIN, **found.candidate.parameters()})
    assert found.result.operations == again.operations


def test_control_does_not_tune_what_keeps_the_limit(cpu: Target) -> None:
    found = controlled(small_net(), cpu, maximal_drop=0.5)
    assert (found.reached, found.tuning, len(found.trials)) == (True, None, 1)


def test_a_metric_without_values_of_samples_decides_nothing_by_itself(cpu: Target) -> None:
    model = small_net(1)
    whole = accuracy(model)
    found = quant.quantize_with_accuracy_control(
        model,
        SAMPLES,
        lambda compiled: whole(compiled)[0],
        target=cpu,
        tune_hyperparams=True,
        maximal_drop=0.1,
    )
    assert found.reached


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=30), st.floats(-3, 3))
def test_a_shift_that_all_samples_share_is_sure(values: list[float], shift: float) -> None:
    before = np.array(values)
    gain = paired_gain(before, before + shift)
    assert gain.value == pytest.approx(shift, abs=1e-9)
    assert gain.is_sure == (gain.value > 0) or abs(shift) < 1e-9


@given(st.integers(0, 2**32 - 1))
def test_noise_alone_chooses_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.standard_normal((2, 100))
    after += before.mean() - after.mean()
    assert not paired_gain(before, after - 1e-9).is_sure


SURE, UNSURE, WORSE = (Gain(value=v, error=1) for v in (10.0, 1.0, -1.1))


@pytest.mark.parametrize(
    ("metrics", "noise", "expected"),
    [
        ([], SURE, True),
        ([], UNSURE, False),
        ([UNSURE], SURE, True),
        ([WORSE], SURE, False),
        ([Gain(value=-0.5, error=1)], SURE, True),
        ([Gain(value=-0.5, error=math.inf)], SURE, False),
        ([SURE], WORSE, True),
        ([SURE, WORSE], SURE, False),
        ([UNSURE], UNSURE, False),
        ([Gain(value=math.nan, error=1)], SURE, False),
        ([], Gain(value=0.05, error=0.001), False),
    ],
)
def test_what_is_an_improvement(metrics: list[Gain], noise: Gain, expected: bool) -> None:
    assert is_improvement(metrics, noise) is expected


def test_a_model_has_no_noise_against_itself() -> None:
    model = small_net()
    with output_noise(model, SAMPLES, 4, 0) as noise:
        (reading,) = noise.measure(model).values()
        again = noise.measure(model)[SQNR]
    assert reading.outcomes.tolist() == [LARGEST_DB] * 4
    assert noise.gain(SQNR, reading, again).value == 0
