"""Mappings -> parameters, and every way in which they can be wrong."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.errors import ParameterError, ParameterProblem
from quant.parameter_reader import read_parameters
from quant.parameters import (
    Aggregator,
    BiasParameters,
    ChannelAlignmentParameters,
    DefaultParameters,
    FastBiasParameters,
    Ignored,
    IgnoredOperation,
    IgnoredSubgraph,
    LayerRequest,
    MinMaxParameters,
    ModelType,
    OverflowParameters,
    Overrides,
    RangeEstimator,
    SideEstimator,
    SmoothParameters,
    WeightRoundingParameters,
)
from quant.scheme import Mode, Preset
from quant.steps.order import ALIGN, BIAS, FAST_BIAS, MIN_MAX, OVERFLOW, ROUNDING, SMOOTH
from quant.steps.table import PARAMETERS, STEPS, SimpleStep, Step, expand

NESTED = (
    DefaultParameters,
    Overrides,
    LayerRequest,
    Ignored,
    IgnoredOperation,
    IgnoredSubgraph,
    RangeEstimator,
    SideEstimator,
)


def problems_of(given: Any, kind: type = DefaultParameters) -> list[str]:
    with pytest.raises(ParameterError) as caught:
        read_parameters(kind, given)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("kind", PARAMETERS.values(), ids=PARAMETERS)
def test_nothing_given_is_the_default(kind: type) -> None:
    assert read_parameters(kind, {}) == kind()


def test_nested_mappings() -> None:
    given = {
        "preset": "mixed",
        "model_type": "transformer",
        "stat_subset_size": 300,
        "weights": {"mode": "asymmetric"},
        "range_estimator": {"max": {"aggregator": "median", "clipping_value": 6}},
        "ignored": {"scope": ["a", "b"], "operations": [{"type": "Add"}]},
    }
    expected = MinMaxParameters(
        preset=Preset.MIXED,
        model_type=ModelType.TRANSFORMER,
        stat_subset_size=300,
        weights=Overrides(mode=Mode.ASYMMETRIC),
        range_estimator=RangeEstimator(
            max=SideEstimator(aggregator=Aggregator.MEDIAN, clipping_value=6.0)
        ),
        ignored=Ignored(scope=("a", "b"), operations=(IgnoredOperation(type="Add"),)),
    )
    assert read_parameters(MinMaxParameters, given) == expected


def test_dataclasses_are_taken_as_they_are() -> None:
    given = {"ignored": Ignored(scope=("a",)), "preset": Preset.MIXED}
    expected = MinMaxParameters(ignored=Ignored(scope=("a",)), preset=Preset.MIXED)
    assert read_parameters(MinMaxParameters, given) == expected
    assert read_parameters(MinMaxParameters, expected) is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"presets": "mixed"}, "presets: unknown parameter 'presets' - did you mean 'preset'?"),
        ({"quality": 1}, "quality: unknown parameter 'quality'"),
        ({1: 2}, "1: unknown parameter 1"),
        (
            {"preset": "perfomance"},
            "preset: unknown value 'perfomance'; expected one of 'performance', 'mixed', "
            "'accuracy' - did you mean 'performance'?",
        ),
        (
            {"preset": 3},
            "preset: unknown value 3; expected one of 'performance', 'mixed', 'accuracy'",
        ),
        ({"stat_subset_size": 1.5}, "stat_subset_size: found 1.5, expected int"),
        ({"stat_subset_size": True}, "stat_subset_size: found True, expected int"),
        ({"seed": None}, "seed: found None, expected int"),
        ({"shuffle_data": 1}, "shuffle_data: found 1, expected bool"),
        ({"stat_subset_size": 0}, "stat_subset_size: found 0, expected a whole number from 1 up"),
        ({"threshold": 0}, "threshold: found 0.0, expected a number above 0"),
        ({"weights": 8}, "weights: found 8, expected a mapping"),
        ({"weights": {"bit": 8}}, "weights.bit: unknown parameter 'bit' - did you mean 'bits'?"),
        ({"ignored": {"scope": "conv1"}}, "ignored.scope: found 'conv1', expected a list"),
        ({"ignored": {"scope": ["a", 2]}}, "ignored.scope.1: found 2, expected str"),
        (
            {"ignored": {"operations": [{"attributes": {}}]}},
            "ignored.operations.0: missing parameter 'type'",
        ),
        (
            {"ignored": {"operations": [{"type": "Add", "attributes": 3}]}},
            "ignored.operations.0.attributes: found 3, expected dict",
        ),
        (
            {"range_estimator": {"max": {"type": "quantile", "outlier_prob": 0.6}}},
            "range_estimator.max.outlier_prob: found 0.6, expected a share above 0 and below 0.5",
        ),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value),
)
def test_problems(given: Any, expected: str) -> None:
    assert problems_of(given) == [expected]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"min": {"type": "mse"}}, ": 'mse' finds both sides at once; write preset: mse"),
        (
            {"preset": "histogram", "max": {"type": "max"}},
            ": 'histogram' finds both sides at once; write preset: histogram",
        ),
        (
            {"preset": "mse", "max": {"aggregator": "mean"}},
            ".max.aggregator: 'mse' sees the values of all samples at once",
        ),
        (
            {"min": {"type": "max"}},
            ".min.type: 'max' is the other side's; expected one of abs_max, abs_quantile, "
            "histogram, min, mse, quantile",
        ),
        (
            {"min": {"outlier_prob": 0.01}},
            ".min.outlier_prob: 'outlier_prob' has no effect without a quantile; "
            "add `type: quantile`",
        ),
        (
            {"max": SideEstimator(clipping_value=-1.0)},
            ".max.clipping_value: found -1.0, which leaves zero outside the range",
        ),
        (
            {"min": {"clipping_value": float("nan")}},
            ".min.clipping_value: found nan, which leaves zero outside the range",
        ),
    ],
    ids=str,
)
def test_what_does_not_go_together_in_a_range_estimator(given: Any, expected: str) -> None:
    found = problems_of({"activations": {"range_estimator": given}})
    assert found == [f"activations.range_estimator{expected}"]


def test_weights_have_no_aggregator() -> None:
    estimator = {"range_estimator": {"max": {"aggregator": "mean"}}}
    layer = {"names": ["a"], **estimator}
    text = "weights have no aggregator: they are one tensor, not a set of samples"
    assert problems_of({"weights": {**estimator, "layers": [layer]}}) == [
        f"weights.range_estimator.max.aggregator: {text}",
        f"weights.layers.0.range_estimator.max.aggregator: {text}",
    ]


@pytest.mark.parametrize("preset", ["mse", "histogram"])
def test_both_sides_by_type_are_the_preset(preset: str) -> None:
    sides = {"min": {"type": preset}, "max": {"type": preset, "clipping_value": 6}}
    assert problems_free({"range_estimator": sides})
    assert problems_free({"range_estimator": {"preset": preset}})


def problems_free(given: Any) -> bool:
    return isinstance(read_parameters(DefaultParameters, given), DefaultParameters)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"subset_size": 300}, "subset_size: unknown parameter 'subset_size'; here it is called "),
        ({"ignored_scope": {}}, "here it is called 'ignored'"),
        ({"model type": "Transformer"}, "here it is called 'model_type'"),
        ({"inplace_statistic": True}, "here it is called 'inplace_statistics'"),
        ({"overflow_fix": "disable"}, "here it is called 'saturation_fix'"),
        ({"weights": {"num_bits": 8}}, "here it is called 'bits'"),
        ({"ignored": {"names": ["a"]}}, "here it is called 'scope'"),
        ({"range_estimator": {"max": {"statistics_type": "max"}}}, "here it is called 'type'"),
        (
            {"activations": {"layers": [{"name": ["a"], "names": ["a"], "bits": 8}]}},
            "here it is called 'names'",
        ),
    ],
    ids=str,
)
def test_other_tools_spellings_name_ours(given: Any, expected: str) -> None:
    assert expected in problems_of(given)[0]


names = st.sampled_from(
    [f.name for kind in NESTED for f in dataclasses.fields(kind)] + ["subset_size", "", "0"]
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["mixed", "mse", "symmetric", "quantile", "max", "min", ""])
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@given(values | st.dictionaries(names, values, max_size=5))
def test_anything_gives_parameters_or_an_error(value: Any) -> None:
    """Also where nested keys are ours and their values are not."""
    assert all(read_or_problems(kind, value) for kind in PARAMETERS.values())


def read_or_problems(kind: type, value: Any) -> Any:
    try:
        return read_parameters(kind, value)
    except ParameterError as error:
        return str(error)


def test_not_a_number_is_out_of_bounds() -> None:
    assert problems_of({"threshold": float("nan")}) == [
        "threshold: found nan, expected a number above 0"
    ]


def test_a_bound_of_another_kind() -> None:
    assert problems_of({"alpha": 1.5}, SmoothParameters) == [
        "alpha: found 1.5, expected a number from 0 to 1"
    ]


def test_all_problems_at_once() -> None:
    given = {"presets": 1, "stat_subset_size": "all", "weights": {"mode": "odd"}}
    assert [text.split(":")[0] for text in problems_of(given)] == [
        "presets",
        "stat_subset_size",
        "weights.mode",
    ]


def test_wrong_values_with_bounds_are_one_problem() -> None:
    assert problems_of({"stat_subset_size": "all"}) == [
        "stat_subset_size: found 'all', expected int"
    ]


def test_errors_pickle() -> None:
    error = ParameterError([ParameterProblem(1, ("a", 0), "found 1", "expected 2")])
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.problems, str(copy)) == (error.problems, "a.0: found 1 (expected 2)")


def test_default_quantization_expands() -> None:
    given = {"preset": "mixed", "stat_subset_size": 5, "threshold": 2.0}
    minimum = MinMaxParameters(preset=Preset.MIXED, stat_subset_size=5)
    alignment = ChannelAlignmentParameters(stat_subset_size=5)
    smooth = SmoothParameters(stat_subset_size=5, separate=False)
    rounding = WeightRoundingParameters(stat_subset_size=5)
    bias = FastBiasParameters(stat_subset_size=5, threshold=2.0)
    assert expand((Step(use="DefaultQuantization", parameters=given),)) == (
        SimpleStep(index=0, use=ALIGN, parameters=alignment, kind=STEPS[ALIGN]),
        SimpleStep(index=0, use=SMOOTH, parameters=smooth, kind=STEPS[SMOOTH]),
        SimpleStep(index=0, use=MIN_MAX, parameters=minimum, kind=STEPS[MIN_MAX]),
        SimpleStep(index=0, use=ROUNDING, parameters=rounding, kind=STEPS[ROUNDING]),
        SimpleStep(index=0, use=FAST_BIAS, parameters=bias, kind=STEPS[FAST_BIAS]),
        SimpleStep(
            index=0,
            use=OVERFLOW,
            parameters=OverflowParameters(stat_subset_size=5),
            kind=STEPS[OVERFLOW],
        ),
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [ALIGN, SMOOTH, MIN_MAX, ROUNDING, FAST_BIAS, OVERFLOW]),
        ({"use_channel_alignment": False}, [SMOOTH, MIN_MAX, ROUNDING, FAST_BIAS, OVERFLOW]),
        ({"use_smooth_quant": False}, [ALIGN, MIN_MAX, ROUNDING, FAST_BIAS, OVERFLOW]),
        ({"use_weight_rounding": False}, [ALIGN, SMOOTH, MIN_MAX, FAST_BIAS, OVERFLOW]),
        ({"use_bias_correction": False}, [ALIGN, SMOOTH, MIN_MAX, OVERFLOW]),
    ],
    ids=str,
)
def test_parts_of_default_quantization(given: dict[str, Any], expected: list[str]) -> None:
    steps = expand((Step(use="DefaultQuantization", parameters=given),))
    assert [step.use for step in steps] == expected


@pytest.mark.parametrize(
    ("uses", "message"),
    [
        ((), "there are no steps"),
        (("FastBiasCorrection",), "put .* or 'MinMaxQuantization' before it"),
        (("SmoothQuant",), "put .* or 'MinMaxQuantization' after it"),
        (("MinMaxQuantization", "SmoothQuant"), "put .* or 'MinMaxQuantization' after it"),
        (("MinMaxQuantization", "MinMaxQuantization"), "an earlier step has quantized"),
        (("DefaultQuantization", "MinMaxQuantization"), "an earlier step has quantized"),
        (
            ("DefaultQuantization", "FastBiasCorrection"),
            "DefaultQuantization corrects biases already; remove this step",
        ),
        (
            ("DefaultQuantization", "BiasCorrection"),
            "remove this step, and give that one `use_fast_bias: false`",
        ),
        (("DefaultQuantization", "WeightRounding"), "rounds weights already; remove this step"),
        (("MinMaxQuantization", "FastBiasCorrection", "WeightRounding"), "come before FastBias"),
        (("DefaultQuantization", "OverflowCorrection"), "corrects overflows already; remove this"),
        (("DefaultQuantization", "SmoothQuant"), "as a part of DefaultQuantization; remove this"),
        (("SmoothQuant", "DefaultQuantization"), "already, as a part of DefaultQuantization"),
        (("SmoothQuant", "SmoothQuant", "MinMaxQuantization"), "is there already; remove one"),
        (("MinMaxQuantisation",), "unknown step 'MinMaxQuantisation'; expected one of"),
    ],
    ids=str,
)
def test_orders_that_can_not_work(uses: tuple[str, ...], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        expand(tuple(Step(use=use) for use in uses))


def test_problems_of_all_steps_at_once() -> None:
    steps = (
        Step(use=MIN_MAX, parameters={"seeds": 1}),
        Step(use=FAST_BIAS, parameters={"threshold": -1}),
    )
    with pytest.raises(ParameterError) as caught:
        expand(steps)
    assert [(p.step, p.path) for p in caught.value.problems] == [
        (0, ("seeds",)),
        (1, ("threshold",)),
    ]


def test_matmuls_are_smoothed_apart_in_transformers() -> None:
    given = {"model_type": "transformer"}
    steps = expand((Step(use="DefaultQuantization", parameters=given),))
    assert steps[1].parameters == SmoothParameters()


def test_full_bias_correction_takes_the_place_of_the_fast_one() -> None:
    given = {"use_fast_bias": False, "threshold": 2.0, "apply_for_all_nodes": True}
    bias = BiasParameters(threshold=2.0, apply_for_all_nodes=True)
    assert expand((Step(use="DefaultQuantization", parameters=given),))[4:] == (
        SimpleStep(index=0, use=BIAS, parameters=bias, kind=STEPS[BIAS]),
        SimpleStep(index=0, use=OVERFLOW, parameters=OverflowParameters(), kind=STEPS[OVERFLOW]),
    )


@pytest.mark.parametrize("given", [{}, {"use_fast_bias": True}], ids=str)
def test_all_nodes_are_corrected_by_inference_only(given: dict[str, Any]) -> None:
    expected = "'apply_for_all_nodes' needs BiasCorrection; add `use_fast_bias: false`"
    assert problems_of({**given, "apply_for_all_nodes": True}) == [
        f"apply_for_all_nodes: {expected}"
    ]


def test_biases_are_not_computed_behind_measured_ones() -> None:
    uses = ("MinMaxQuantization", "BiasCorrection", "FastBiasCorrection")
    with pytest.raises(ParameterError, match="FastBiasCorrection has to come before BiasC"):
        expand(tuple(Step(use=use) for use in uses))


@pytest.mark.parametrize("given", [{"level_low": -64}, {"level_high": 63}], ids=str)
def test_one_level_alone_is_an_error(given: dict[str, int]) -> None:
    with pytest.raises(ParameterError, match="level_low and level_high go together"):
        read_parameters(MinMaxParameters, {"weights": given})


def test_numbers_may_be_numpy_s() -> None:
    given = {"stat_subset_size": np.int64(8), "weights": {"bits": np.int32(8)}}
    found = read_parameters(DefaultParameters, given)
    assert found == read_parameters(
        DefaultParameters, {"stat_subset_size": 8, "weights": {"bits": 8}}
    )
    assert type(found.stat_subset_size) is int
