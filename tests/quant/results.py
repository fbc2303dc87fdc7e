"""Results for the tiny models, each computed once, and how tests look at them."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import quant
import runner
from quant.plan import Status
from quant.runtime import ov
from quant.scheme import Granularity, Scheme
from quant.target import Target
from tests import models

Array = NDArray[Any]

WIDE = {"range_estimator": {"min": {"aggregator": "min"}, "max": {"aggregator": "max"}}}
"""Ranges that hold every sample: what is left is rounding, not the clipping of tiny tensors."""

W_SCHEME = Scheme(granularity=Granularity.PERCHANNEL, level_low=-127, level_high=127)


@cache
def quantized(name: str, preset: str = "mixed", model_type: str | None = None) -> quant.Result:
    """The result for one of the tiny models: tests only look at it."""
    model = models.BUILDERS[name]()
    return quant.quantize(
        model,
        models.samples(model),
        target=runner.load_target("cpu"),
        preset=preset,
        model_type=model_type,
        **WIDE,
    )


@cache
def outputs(name: str) -> list[Array]:
    """What one of the tiny models computes for its first sample."""
    model = models.BUILDERS[name]()
    return models.evaluate(model, models.samples(model, 1)[0])


def run(model: ov.Model, target: Target, **parameters: Any) -> quant.Result:
    return quant.quantize(model, models.samples(model), target=target, **parameters)


def content(model: ov.Model) -> list[tuple[Any, ...]]:
    """Every operation's type, own name, inputs, and what a constant holds."""
    nodes = model.get_ordered_ops()
    places = {node.get_name(): i for i, node in enumerate(nodes)}
    found = []
    for node in nodes:
        name = node.get_friendly_name()
        above = [places[value.get_node().get_name()] for value in node.input_values()]
        data = getattr(node, "data", None)
        digest = "" if data is None else hashlib.sha256(np.asarray(data).tobytes()).hexdigest()
        found.append(
            (node.get_type_name(), "" if name == node.get_name() else name, *above, digest)
        )
    return found


def nodes_of(model: ov.Model) -> dict[str, Any]:
    return {node.get_friendly_name(): node for node in model.get_ordered_ops()}


def status_of(result: quant.Result) -> dict[str, Status]:
    return {each.plan.name: each.plan.status for each in result.operations}


def sqnr_db(expected: Array, found: Array) -> float:
    """Signal to quantization noise in decibels."""
    noise = float(np.square(found - expected).mean())
    return np.inf if noise == 0 else 10 * np.log10(float(np.square(expected).mean()) / noise)


def outputs_db(fp32: ov.Model, quantized: ov.Model, samples: list[Any]) -> list[float]:
    """The SQNR of each output, from a run of each model."""
    sides = (models.evaluate_all(model, samples) for model in (fp32, quantized))
    pairs = zip(*(zip(*side, strict=True) for side in sides), strict=True)
    return [sqnr_db(*(np.concatenate(each, axis=None) for each in pair)) for pair in pairs]


def integers(result: quant.Result, name: str, port: int = 1) -> Array:
    """The integers of a folded weight, their magnitudes."""
    chain = nodes_of(result.model)[f"{name}/fq_weights_{port}"]
    while chain.get_type_name() != "Constant":
        chain = chain.input_value(0).get_node()
    return np.abs(chain.data.astype(np.int64))
