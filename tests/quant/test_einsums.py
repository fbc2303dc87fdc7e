"""Einsums become MatMuls, which have quantizers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import quant
from quant.plan import Status
from quant.runtime import core, opset, ov
from quant.target import Target
from tests import models
from tests.models import constant, finish, named, parameter
from tests.quant.results import nodes_of, outputs_db, run, status_of

SIZES = dict(zip("abcdefgh", (2, 3, 4, 5, 2, 3, 6, 1), strict=True))


def model_of(equation: str, *shapes: list[int], weights: int | None = None) -> ov.Model:
    """One Einsum of inputs, or of an input and a constant; -1 is unknown."""
    rng = np.random.default_rng(0)
    inputs = [
        constant(rng.standard_normal(shape).astype(np.float32), "weights")
        if i == weights
        else parameter(f"x{i}", *shape)
        for i, shape in enumerate(shapes)
    ]
    node = named(opset.einsum(inputs, equation), "product")
    return finish([node], [each for i, each in enumerate(inputs) if i != weights])


def results(model: ov.Model, samples: list[Any]) -> Any:
    compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled(samples)[0].copy()


def kinds(model: ov.Model) -> set[str]:
    return {node.get_type_name() for node in model.get_ops()}


@st.composite
def products(draw: Any) -> tuple[str, str, str]:
    """Labels of two matrices, or stacks of them, and of their product, in any order."""
    letters = iter(draw(st.permutations("abcdefgh")))
    batch = [next(letters) for _ in range(draw(st.integers(0, 2)))]
    rows, columns, summed = ([next(letters) for _ in range(draw(st.integers(1, 2)))] for _ in "123")
    groups = [batch + rows + summed, batch + columns + summed, batch + rows + columns]
    left, right, result = ("".join(draw(st.permutations(group))) for group in groups)
    return left, right, result


@given(products(), st.sampled_from([None, 0, 1]), st.booleans())
def test_a_matmul_computes_what_the_einsum_did(
    labels: tuple[str, str, str], weights: int | None, is_implicit: bool
) -> None:
    left, right, result = labels
    equation = f"{left},{right}" if is_implicit else f"{left},{right}->{result}"
    shapes = [[SIZES[label] for label in each] for each in (left, right)]
    model = model_of(equation, *shapes, weights=weights)
    loaded = quant.load_model(model)
    assert "Einsum" not in kinds(loaded)
    assert "MatMul" in kinds(loaded)
    rng = np.random.default_rng(1)
    samples = [rng.standard_normal(list(each.shape)).astype(np.float32) for each in model.inputs]
    np.testing.assert_allclose(results(loaded, samples), results(model, samples), atol=1e-4)


@pytest.mark.parametrize(
    ("equation", "shapes", "weights"),
    [
        ("btd,dnh->btnh", [[-1, -1, 8], [8, 2, 4]], 1),
        ("btnh,nhd->btd", [[-1, -1, 2, 4], [2, 4, 8]], 1),
        ("dh,...d->...h", [[8, 4], [-1, -1, 8]], 0),
        ("bqnh,bknh->bnqk", [[-1, -1, 2, 4], [-1, -1, 2, 4]], None),
        ("bnqk,bknh->bqnh", [[-1, 2, -1, 6], [-1, -1, 2, 4]], None),
        ("...ij,...jk->...ik", [[2, 1, 3, 4], [5, 4, 6]], None),
        ("...ij,jk", [[-1, -1, 3, 4], [4, 6]], None),
        ("bij,bjk->bik", [[1, 3, 4], [-1, 4, 5]], None),
        ("ij,jk->ik", [[3, 0], [0, 4]], None),
    ],
)
def test_sizes_may_be_unknown(equation: str, shapes: list[list[int]], weights: int | None) -> None:
    rng = np.random.default_rng(0)
    model = model_of(equation, *shapes, weights=weights)
    known = {0: 2, 1: 6, 2: 6}
    samples = [
        rng.standard_normal([known[i] if n == -1 else n for i, n in enumerate(shape)], np.float32)
        for k, shape in enumerate(shapes)
        if k != weights
    ]
    loaded = quant.load_model(model)
    assert "Einsum" not in kinds(loaded)
    np.testing.assert_allclose(results(loaded, samples), results(model, samples), atol=1e-4)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij->ji", [[2, 3]]),
        ("ij,jk,kl->il", [[2, 3], [3, 4], [4, 5]]),
        ("ij,ij->ij", [[2, 3], [2, 3]]),
        ("bi,bj->bij", [[2, 3], [2, 4]]),
        ("bij,bj->bi", [[2, 3, 4], [2, 4]]),
        ("ija,jk->ik", [[2, 3, 4], [3, 4]]),
        ("ii,ij->j", [[3, 3], [3, 4]]),
        ("abij,jk->kab", [[2, 3, 4, 5], [5, 6]]),
        ("bqij,bjk->bqik", [[-1, -1, -1, 4], [-1, 4, 5]]),
        ("rij,ijc->rc", [[2, 1, 4], [4, 1, 3]]),
        ("rij,ijc->rc", [[2, -1, -1], [4, 1, 3]]),
        ("ij,jk->ik", [[2, 1], [3, 4]]),
        ("...ij,...jk->ik", [[5, 2, 3], [1, 3, 4]]),
        ("cabj,cjk->cabk", [[2, 3, 0, 4], [2, 4, 5]]),
    ],
)
def test_others_stay(equation: str, shapes: list[list[int]]) -> None:
    assert "Einsum" in kinds(quant.load_model(model_of(equation, *shapes)))


@pytest.mark.parametrize(
    ("shape", "is_moved"),
    [
        ((2, 4), True),
        ((1, 1, 2, 4), True),
        ((2, 1), True),
        ((), True),
        ((6, 2, 4), False),
        ((1, 1, 1, 2, 4), False),
    ],
)
@pytest.mark.parametrize("is_first", [False, True])
def test_a_bias_is_added_to_the_product(
    shape: tuple[int, ...], is_moved: bool, is_first: bool
) -> None:
    rng, x = np.random.default_rng(0), parameter("x", -1, 6, 8)
    weights = constant(rng.standard_normal((8, 2, 4)).astype(np.float32), "weights")
    product = named(opset.einsum([x, weights], "btd,dnh->btnh"), "product")
    bias = constant(np.asarray(rng.standard_normal(shape), np.float32), "bias")
    both = (bias, product) if is_first else (product, bias)
    model = finish([opset.relu(named(opset.add(*both), "sum"))], [x])
    loaded = quant.load_model(model)
    samples = [rng.standard_normal((3, 6, 8)).astype(np.float32)]
    np.testing.assert_allclose(results(loaded, samples), results(model, samples), atol=1e-5)
    readers = nodes_of(loaded)["product"].output(0).get_target_inputs()
    assert [each.get_node().get_friendly_name() == "sum" for each in readers] == [is_moved]


@pytest.mark.parametrize(
    ("shape", "bias"),
    [([8, -1, 4], (1, 4)), ([8, 1, 4], (3, 4)), ([8, 1, 4], (2, 6, 1, 4)), ([8, 2, 1], (2, 5))],
)
def test_a_bias_of_other_sizes_stays(shape: list[int], bias: tuple[int, ...]) -> None:
    """Its sum is larger than the product, or may be."""
    rng, x, y = np.random.default_rng(0), parameter("x", 1, 6, 8), parameter("y", *shape)
    product = named(opset.einsum([x, y], "btd,dnh->btnh"), "product")
    total = opset.add(product, constant(rng.standard_normal(bias).astype(np.float32), "bias"))
    model = finish([total], [x, y])
    samples = [
        rng.standard_normal([3 if n == -1 else n for n in size]).astype(np.float32)
        for size in ([1, 6, 8], shape)
    ]
    loaded = quant.load_model(model)
    np.testing.assert_allclose(results(loaded, samples), results(model, samples), atol=1e-5)


def test_a_bias_that_others_read_the_product_without_stays() -> None:
    rng, x = np.random.default_rng(0), parameter("x", 1, 6, 8)
    weights = constant(rng.standard_normal((8, 2, 4)).astype(np.float32), "weights")
    product = named(opset.einsum([x, weights], "btd,dnh->btnh"), "product")
    total = opset.add(product, constant(rng.standard_normal((2, 4)).astype(np.float32), "bias"))
    model = finish([total, product], [x])
    samples = [rng.standard_normal((1, 6, 8)).astype(np.float32)]
    for before, after in zip(
        models.evaluate_all(model, [samples])[0],
        models.evaluate_all(quant.load_model(model), [samples])[0],
        strict=True,
    ):
        np.testing.assert_allclose(after, before, atol=1e-5)


def attention(scores_of: str = "btnh,bsnh->bnts") -> ov.Model:
    """A layer of self-attention as Keras writes it, `[1, 12, 32]`, 4 heads."""
    rng, x = np.random.default_rng(0), parameter("x", 1, 12, 32)
    parts = []
    for part in "qkv":
        weights = constant(models.normal(rng, 32, 4, 8, fan_in=32), f"{part}/weights")
        made = named(opset.einsum([x, weights], "btd,dnh->btnh"), part)
        bias = constant(models.normal(rng, 1, 1, 4, 8, fan_in=9), f"{part}/bias")
        parts.append(opset.add(made, bias))
    query, key = parts[:2] if scores_of.startswith("bt") else parts[1::-1]
    scores = named(opset.einsum([query, key], scores_of), "scores")
    shares = opset.softmax(opset.multiply(scores, constant(np.float32(0.35), "scale")), 3)
    heads = named(opset.einsum([shares, parts[2]], "bnts,bsnh->btnh"), "heads")
    weights = constant(models.normal(rng, 4, 8, 32, fan_in=32), "out/weights")
    return finish([named(opset.einsum([heads, weights], "btnh,nhd->btd"), "out")], [x])


@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_their_layers_run_in_integers(preset: str, cpu: Target) -> None:
    model, given = attention(), models.samples(attention(), 32)
    result = quant.quantize(model, given, target=cpu, preset=preset, model_type="transformer")
    found = status_of(result)
    assert {found[name] for name in ("q", "k", "v", "out")} == {Status.QUANTIZED}
    assert outputs_db(model, result.model, given)[0] > 32
    weights = [nodes_of(result.model)[name].input_value(1).get_node() for name in "qkv"]
    assert {_constant_above(each).get_element_type() for each in weights} == {ov.Type.i8}


def _constant_above(node: ov.Node) -> ov.Node:
    while node.get_input_size():
        node = node.input_value(0).get_node()
    return node


@pytest.mark.parametrize("scores_of", ["btnh,bsnh->bnts", "bsnh,btnh->bnts"])
def test_attention_is_fused_and_seen(scores_of: str, cpu: Target) -> None:
    result = run(attention(scores_of), cpu)
    (found,) = (text for text in result.warnings if "transformer" in text)
    assert "ScaledDotProductAttention 'heads' the first" in found


def test_whoever_ignores_einsums_is_told_what_they_are(cpu: Target) -> None:
    with pytest.raises(quant.ParameterError, match="are a MatMul of their name here"):
        run(attention(), cpu, ignored={"operations": [{"type": "Einsum"}]})


def test_names_are_the_same_on_every_load() -> None:
    x = parameter("x", 1, 6, 4)
    weights = constant(np.ones((4, 2, 3), np.float32), "weights")
    names = []
    for _ in range(2):
        model = finish([opset.einsum([x, weights], "btd,dnh->btnh")], [x])
        names.append([node.get_friendly_name() for node in quant.load_model(model).get_ops()])
    assert names[0] == names[1]
