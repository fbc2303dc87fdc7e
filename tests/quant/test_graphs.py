"""Every kind of graph that users have: what is quantized, what is not and why, and that the
quantized model computes nearly the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import quant
import runner
from quant.plan import Status
from quant.runtime import opset
from tests import models
from tests.graphs import GRAPHS, unrolled_lstm
from tests.quant.results import WIDE, nodes_of, outputs_db, run, sqnr_db
from tests.random_graphs import random_model

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A graph, the operations that are quantized, and parts of the reasons why others are not."""

    graph: str
    quantized: tuple[str, ...] = ()
    kept: Mapping[str, str] = field(default_factory=lambda: _NONE)
    sqnr_db: float = 30.0

    @property
    def is_transformer(self) -> bool:
        """Whether `model_type: transformer` changes its placement in a way of its own."""
        return self.graph.endswith(("norm", "attention", "linear", "bias", "sequence"))


CASES = [
    Case(graph="concat_tree", quantized=("conv0", "conv1", "conv2", "conv3", "conv4")),
    Case(graph="shared_by_two_layouts", quantized=("linear1", "linear2")),
    Case(graph="tied_embedding", quantized=("embedding", "linear1", "scores")),
    Case(graph="weight_chains", quantized=("linear1", "linear2")),
    Case(graph="bf16_weights", quantized=("linear1", "linear2")),
    Case(graph="lstm_of_any_batch", quantized=("lstm", "linear")),
    Case(
        graph="lstm_with_state",
        quantized=("lstm", "linear"),
        kept={"h/assign": "no integer Assign"},
    ),
    Case(graph="bidirectional_lstm", quantized=("lstm/forward", "lstm/reverse", "linear")),
    Case(graph="bidirectional_gru", quantized=("gru/forward", "gru/reverse", "linear")),
    Case(graph="sdpa_with_mask", quantized=("q", "k", "v", "attention", "o")),
    Case(graph="sdpa_causal", quantized=("q", "k", "v", "attention", "o")),
    Case(
        graph="masked_attention",
        quantized=("q", "k", "scores", "v", "attention", "o"),
        kept={"masked": "feeds Softmax", "softmax": "no integer Softmax"},
    ),
    Case(
        graph="position_bias",
        quantized=("q", "k", "scores", "v", "attention", "o"),
        kept={"softmax": "no integer Softmax"},
        sqnr_db=25,
    ),
    Case(
        graph="rotary_attention",
        quantized=(
            *("q", "q/straight", "q/crossed", "q/rotary"),
            *("k", "k/straight", "k/crossed", "k/rotary"),
            *("v", "attention", "o"),
        ),
        kept={"angles": "computes angles for Cos"},
    ),
    Case(graph="layer_norm", quantized=("linear1", "MVN_1", "linear2")),
    Case(
        graph="rms_norm",
        quantized=("gate", "up", "gated", "down"),
        kept={"Multiply_1": "is computed from 'x' alone", "Sqrt_1": "'x' alone"},
    ),
    Case(graph="mvn", quantized=("conv1", "mvn", "conv2")),
    Case(graph="group_norm", quantized=("conv1", "norm", "conv2")),
    Case(graph="batch_norm", quantized=("Convolution_1", "conv2")),
    Case(
        graph="tensor_iterator",
        quantized=("linear1", "linear2"),
        kept={"iterator": "bodies are not entered; in floating point inside: MatMul"},
    ),
    Case(
        graph="loop",
        quantized=("linear1", "linear2"),
        kept={"loop": "bodies are not entered; in floating point inside: MatMul 'inner'"},
    ),
    Case(
        graph="branches",
        quantized=("ReduceSum_1", "linear1", "linear2"),
        kept={"if": "in floating point inside: MatMul 'then', MatMul 'else'"},
    ),
    Case(graph="string_input", quantized=("linear1", "linear2")),
    Case(graph="input_to_result", quantized=("linear1",)),
    Case(graph="dynamic_sequence", quantized=("q", "k", "v", "attention", "o")),
    Case(
        graph="empty_tensor",
        quantized=("conv1", "conv2"),
        kept={"factor": "serves Exp", "scaled": "a single number"},
    ),
    Case(
        graph="infinite_constant",
        quantized=("q", "k", "scores", "v", "attention", "o"),
        kept={"masked": "no integer Select"},
    ),
    Case(
        graph="nan_weights",
        quantized=("linear1",),
        kept={"broken": "its weights hold NaN or infinity"},
    ),
    Case(graph="double_precision", kept={"linear1": "f64", "linear2": "f64"}),
    Case(graph="half_precision_linear", quantized=("linear1", "linear2")),
    Case(graph="half_outputs", quantized=("conv1", "conv2"), kept={"half": "no integer Convert"}),
    Case(
        graph="mobile_block",
        quantized=("expand", "depthwise", "pool", "gated", "project"),
        kept={"squeeze": "a gate from pooled values", "excite": "a gate from pooled values"},
    ),
    Case(graph="cached_attention", quantized=("v", "k", "q", "attention", "o")),
    Case(graph="depthwise_multiplier", quantized=("depthwise",)),
    Case(
        graph="average_pools",
        quantized=("conv1", "conv2", "pool2", "conv3"),
        kept={"pool1": "averages the zeros of its padding"},
    ),
    Case(
        graph="average_below_mean",
        quantized=("conv1", "conv2"),
        kept={"pool1": "averages the zeros of its padding", "mean": "zero point"},
    ),
    Case(
        graph="average_below_shift",
        quantized=("conv1",),
        kept={"pool1": "averages the zeros of its padding", "mean": "zero point"},
    ),
    Case(
        graph="head_scales",
        quantized=("q", "k", "scores", "v", "o"),
        kept={"mixed": "behind a product with a constant per head"},
    ),
    Case(graph="pooled_attention", quantized=("q", "k", "v", "attention", "mean")),
    Case(
        graph="large_epsilon",
        quantized=("conv0", "conv1"),
        kept={"mvn": "its epsilon of 0.01", "l2": "its epsilon of 0.01"},
    ),
    Case(graph="conv_and_linear", quantized=("conv1", "linear1")),
    Case(graph="unweighted_norm", quantized=("linear1", "normed", "linear2")),
    Case(graph="mean_to_linear", quantized=("linear1", "mean", "linear2")),
    Case(graph="picture_mean_to_linear", quantized=("linear1", "mean", "linear2")),
    Case(
        graph="normed_mean_to_linear",
        quantized=("linear1", "mean"),
        kept={"linear2": "a reduction with a constant per channel"},
    ),
    Case(graph="conv_1d_to_linear", quantized=("conv1", "linear1")),
]


@cache
def result_of(graph: str, preset: str, model_type: str | None = None) -> quant.Result:
    """The result for one of the graphs: tests only look at it."""
    model = GRAPHS[graph]()
    return quant.quantize(
        model,
        models.samples(model),
        target=runner.load_target("cpu"),
        preset=preset,
        model_type=model_type,
        **WIDE,
    )


@pytest.mark.parametrize("seed", range(25))
def test_random_models_stay_close(seed: int) -> None:
    model = random_model(seed)
    preset = "performance" if seed % 2 else "mixed"
    target, given = runner.load_target("cpu"), models.samples(model, 4)
    result = quant.quantize(model, given, target=target, preset=preset, **WIDE)
    expected, found = models.evaluate(model, given[0]), models.evaluate(result.model, given[0])
    assert min(sqnr_db(a, b) for a, b in zip(expected, found, strict=True)) > 20


def test_every_graph_has_a_case() -> None:
    assert sorted(case.graph for case in CASES) == sorted(GRAPHS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.graph)
def test_what_is_quantized_and_what_is_not(case: Case) -> None:
    fates = [each.plan for each in result_of(case.graph, "mixed").operations]
    found = {each.name for each in fates if each.status is Status.QUANTIZED}
    reasons = {each.name: each.reason for each in fates if each.name in case.kept}
    assert found == set(case.quantized)
    assert all(part in reasons[name] for name, part in case.kept.items()), reasons


@pytest.mark.parametrize("preset", ["performance", "mixed"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.graph)
def test_outputs_stay_close(case: Case, preset: str) -> None:
    assert_close(case, preset)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.is_transformer], ids=lambda case: case.graph
)
def test_outputs_stay_close_as_a_transformer(case: Case) -> None:
    assert_close(case, "mixed", "transformer")


def assert_close(case: Case, preset: str, model_type: str | None = None) -> None:
    model = GRAPHS[case.graph]()
    sample = models.samples(model, 1)[0]
    expected = models.evaluate(model, sample)
    found = models.evaluate(result_of(case.graph, preset, model_type).model, sample)
    assert len(expected) == len(found)
    for a, b in zip(expected, found, strict=True):
        assert closeness_db(a, b) > case.sqnr_db


def closeness_db(expected: NDArray[Any], found: NDArray[Any]) -> float:
    """SQNR over the finite numbers; the others, and what is no number, have to be the same."""
    if expected.dtype.kind != "f":
        return np.inf if (expected == found).all() else -np.inf
    finite = np.isfinite(expected)
    if not (finite == np.isfinite(found)).all():
        return -np.inf
    return sqnr_db(expected[finite], found[finite])


def test_weights_shared_with_an_ignored_operation_stay_in_floating_point_for_it() -> None:
    model = models.shared_weights()
    target, ignored = runner.load_target("cpu"), {"scope": ["conv1"]}
    result = quant.quantize(model, models.samples(model), target=target, ignored=ignored, **WIDE)
    nodes = nodes_of(result.model)
    weights = {name: nodes[name].input_value(1).get_node() for name in ("conv1", "conv2")}
    assert weights["conv1"].get_type_name() == "Constant"
    assert weights["conv2"].get_friendly_name() == "conv2/fq_weights_1"


def test_states_of_recurrent_cells_share_the_range_of_the_input() -> None:
    found = {each.plan.name: each for each in result_of("lstm_of_any_batch", "mixed").operations}
    ranges = set(found["lstm"].ranges.values())
    assert len(found["lstm"].ranges) == 2
    assert len(ranges) == 1


def test_an_unrolled_cell_is_a_sequence_after_loading() -> None:
    types = [n.get_type_name() for n in quant.load_model(unrolled_lstm()).get_ops()]
    assert "LSTMSequence" in types
    assert "TensorIterator" not in types


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.graph)
def test_every_graph_can_be_diagnosed(case: Case) -> None:
    result = result_of(case.graph, "mixed")
    found = quant.diagnose(result, models.samples(result.fp32, 2), size=2)
    assert [each.name for each in found.layers] == [
        each.plan.name for each in result.operations if each.plan.status is Status.QUANTIZED
    ]
    assert all(each.reason for each in found.outputs if each.sqnr_db is None)


def test_what_a_gate_multiplies_has_a_range_of_its_own() -> None:
    """On the NPU too: values of up to 100 times a gate of at most 1."""
    rng, x = np.random.default_rng(0), models.parameter("x", 1, 8, 8, 8)
    wide = models.relu(models.conv(rng, x, (16, 8, 3, 3), "conv1", gain=30), "wide")
    pooled = opset.reduce_mean(wide, np.array([2, 3]), keep_dims=True)
    gate = opset.sigmoid(models.conv(rng, pooled, (16, 16, 1, 1), "gate", gain=0.03))
    gated = models.named(opset.multiply(wide, gate), "gated")
    model = models.finish([models.conv(rng, gated, (4, 16, 1, 1), "conv2")], [x])
    for name in ("npu", "vpu"):
        result = run(model, runner.load_target(name))
        assert outputs_db(model, result.model, models.samples(model, 8, seed=1))[0] > 25
