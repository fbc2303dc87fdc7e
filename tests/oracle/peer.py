"""One model quantized by us and by NNCF, and what of the two can be compared.

Both get the same normalized model and the same samples, and neither halves the weights of first
layers: NNCF always would, ours decides by the CPU.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import quant
import runner
from quant.plan import PortRef
from quant.runtime import ov
from tests import models
from tests.quant.results import sqnr_db

Array = NDArray[Any]
CPU = runner.load_target("cpu")
MOVING = CPU.passthrough | {"Concat"}
CALIBRATION, SAMPLES = 8, 32
BARE_EXTREMES = {"max": {"type": "max"}}
"""The default estimator spelled out, so that no range is drawn out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What a quantized input's values are: the ends of a FakeQuantize, or scales of constants."""

    low: Array
    high: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One quantizer's result: the range of every quantized input, and the noise per output."""

    ranges: dict[PortRef, Range]
    sqnr_db: tuple[float, ...]


def both(
    model: ov.Model,
    preset: str,
    model_type: str | None = None,
    *,
    is_first_layer_halved: bool = False,
    seed: int = 0,
) -> tuple[Side, Side]:
    """Ours and NNCF's; `seed`: that of the samples. The noise of ours is by default settings, its
    ranges are those of the samples' extremes alone, as NNCF has them."""
    model = quant.load_model(model)
    samples = models.samples(model, SAMPLES, seed)
    parameters = {
        "preset": preset,
        "model_type": model_type,
        "saturation_fix": "first_layer" if is_first_layer_halved else "no",
        "use_smooth_quant": model_type is not None,  # as NNCF has it
    }
    ours, bare = (
        quant.quantize(model, samples[:CALIBRATION], target=CPU, **parameters, **more).model
        for more in ({}, {"range_estimator": BARE_EXTREMES})
    )
    theirs = _nncf(
        model,
        samples[:CALIBRATION],
        preset,
        model_type,
        is_first_layer_halved=is_first_layer_halved,
    )
    names = {node.get_friendly_name() for node in model.get_ordered_ops()}
    expected = models.evaluate_all(model, samples)
    ranges = dict(_ranges(bare, names))
    return (
        dataclasses.replace(_side(ours, names, samples, expected), ranges=ranges),
        _side(theirs, names, samples, expected),
    )


def _nncf(
    model: ov.Model,
    samples: list[Any],
    preset: str,
    model_type: str | None,
    *,
    is_first_layer_halved: bool,
) -> ov.Model:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        import nncf
        from nncf.quantization.advanced_parameters import (
            AdvancedQuantizationParameters,
            OverflowFix,
        )

        nncf.set_log_level(logging.ERROR)
        fix = OverflowFix.FIRST_LAYER if is_first_layer_halved else OverflowFix.DISABLE
        return nncf.quantize(
            model,
            nncf.Dataset(samples),
            preset=nncf.QuantizationPreset(preset),
            subset_size=len(samples),
            model_type=nncf.ModelType.TRANSFORMER if model_type else None,
            advanced_parameters=AdvancedQuantizationParameters(overflow_fix=fix),
        )


def _side(
    model: ov.Model, names: set[str], samples: list[Any], expected: list[list[Array]]
) -> Side:
    found = models.evaluate_all(model, samples)
    return Side(ranges=dict(_ranges(model, names)), sqnr_db=tuple(_noise(expected, found)))


def _noise(expected: list[list[Array]], found: list[list[Array]]) -> Iterator[float]:
    for a, b in zip(zip(*expected, strict=True), zip(*found, strict=True), strict=True):
        flat = [np.concatenate([np.ravel(each) for each in side]) for side in (a, b)]
        yield sqnr_db(*(each.astype(np.float64) for each in flat))


def _ranges(model: ov.Model, names: set[str]) -> Iterator[tuple[PortRef, Range]]:
    """The quantized inputs of the model's own operations, but for those that only move values."""
    for node in model.get_ordered_ops():
        name = node.get_friendly_name()
        if name not in names or node.get_type_name() in MOVING | {"FakeQuantize"}:
            continue
        for port in node.inputs():
            found = _range_of(port.get_source_output().get_node())
            if found is not None:
                yield PortRef(name, port.get_index()), found


def _range_of(node: Any) -> Range | None:
    """The range of what a node hands on, if it is quantized."""
    while node.get_type_name() in MOVING:
        node = node.input_value(0).get_node()
    if node.get_type_name() == "FakeQuantize":
        low, high = (np.ravel(node.input_value(i).get_node().data) for i in (1, 2))
        return Range(low=low, high=high)
    if node.get_type_name() == "Multiply" and _is_integer(node.input_value(0).get_node()):
        scale = np.ravel(node.input_value(1).get_node().data)
        return Range(low=-scale, high=scale)
    return None


def _is_integer(node: Any) -> bool:
    """Whether a node is a constant of integers, converted and maybe shifted."""
    while node.get_type_name() in ("Convert", "Subtract"):
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "Constant" and not node.get_element_type().is_real())
