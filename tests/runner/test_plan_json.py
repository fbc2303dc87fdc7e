"""A plan's JSON holds all of it, whatever the model, the target and the parameters."""

from __future__ import annotations

import dataclasses
import json

from hypothesis import given, reject, settings
from hypothesis import strategies as st

import quant
import runner
from quant.parameters import Aggregator, Estimator
from runner.plan import CheckPlan, DatasetPlan, MetricPlan, Plan
from runner.plan_json import plan_from_json, plan_to_json
from tests.models import BUILDERS

sides = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from([str(each) for each in Estimator]),
        "aggregator": st.sampled_from([str(each) for each in Aggregator]),
        "outlier_prob": st.floats(1e-6, 0.4),
        "clipping_value": st.floats(1e-3, 1e3),
    },
)
range_estimators = st.fixed_dictionaries({"max": sides})
parameters = st.fixed_dictionaries(
    {"preset": st.sampled_from(["performance", "mixed", "accuracy"])},
    optional={
        "model_type": st.just("transformer"),
        "stat_subset_size": st.integers(1, 1000),
        "shuffle_data": st.booleans(),
        "seed": st.integers(0, 2**31),
        "threshold": st.floats(1e-3, 1e3),
        "range_estimator": range_estimators,
        "activations": st.fixed_dictionaries({"range_estimator": range_estimators}),
        "use_fast_bias": st.just(True),
    },
)
CPU = runner.load_target("cpu")
words = st.text(min_size=1, max_size=8)
plans_but_quantization = st.builds(
    Plan,
    recipe=words,
    target=words,
    device=words,
    emulated=st.booleans(),
    model_sha256=words,
    inputs=st.dictionaries(words, st.lists(st.integers(1, 9)).map(tuple), max_size=2),
    quantization=st.none(),
    datasets=st.dictionaries(
        words,
        st.builds(DatasetPlan, settings=st.dictionaries(words, st.integers() | words, max_size=2)),
        max_size=2,
    ),
    metrics=st.dictionaries(words, st.builds(MetricPlan, options=st.just({})), max_size=2),
    benchmark=st.none(),
    checks=st.lists(
        st.builds(CheckPlan, bound=st.floats(allow_nan=False, allow_infinity=False)), max_size=2
    ).map(tuple),
    notes=st.lists(words, max_size=2).map(tuple),
)


@settings(max_examples=30, deadline=None, database=None, derandomize=True)
@given(plan=plans_but_quantization, name=st.sampled_from(sorted(BUILDERS)), wanted=parameters)
def test_a_plan_reads_back_equal(plan: Plan, name: str, wanted: dict[str, object]) -> None:
    step = quant.Step(use="DefaultQuantization", parameters=wanted)
    model = quant.load_model(BUILDERS[name]())
    try:
        found = quant.resolve(model, [step], CPU)
    except quant.ParameterError:  # estimators of the wrong side
        reject()
    plan = dataclasses.replace(plan, quantization=found)
    text = plan_to_json(plan)
    assert plan_from_json(text) == plan
    assert plan_to_json(plan_from_json(text)) == text
    assert json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n" == text
