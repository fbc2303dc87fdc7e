"""The steps that exist, under the names that recipes use, and what composite ones are made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quant.errors import ParameterError, ParameterProblem
from quant.parameters import (
    DefaultParameters,
    FastBiasParameters,
    MinMaxParameters,
    ModelType,
    SmoothParameters,
    read_parameters,
)

DEFAULT = "DefaultQuantization"
SMOOTH = "SmoothQuant"
MIN_MAX = "MinMaxQuantization"
FAST_BIAS = "FastBiasCorrection"

PARAMETERS: Mapping[str, type] = {
    DEFAULT: DefaultParameters,
    SMOOTH: SmoothParameters,
    MIN_MAX: MinMaxParameters,
    FAST_BIAS: FastBiasParameters,
}
"""Every step and its parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step as asked for: its name, and its parameters as a mapping or a dataclass."""

    use: str
    parameters: Any = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleStep:
    """One step that is no composite, with its parameters read; `index` is that of the asked
    step."""

    index: int
    use: str
    parameters: Any


def expand(steps: tuple[Step, ...]) -> tuple[SimpleStep, ...]:
    """The simple steps that composite ones are made of, in order.

    Raises:
        ParameterError: an unknown step, wrong parameters, or an order that can't work.
    """
    simple: list[SimpleStep] = []
    problems: list[ParameterProblem] = []
    for index, step in enumerate(steps):
        try:
            simple += _expand(index, step)
        except ParameterError as error:
            problems += error.problems
    if problems:
        raise ParameterError(problems)
    _check_order(simple)
    return tuple(simple)


def _expand(index: int, step: Step) -> list[SimpleStep]:
    if step.use not in PARAMETERS:
        message = f"unknown step {step.use!r}; expected one of {', '.join(map(repr, PARAMETERS))}"
        raise ParameterError([ParameterProblem(index, (), message)])
    parameters: Any = read_parameters(PARAMETERS[step.use], step.parameters, index)
    if step.use != DEFAULT:
        return [SimpleStep(index=index, use=step.use, parameters=parameters)]
    if not parameters.use_fast_bias:
        message = "full BiasCorrection is not in this version; leave use_fast_bias true"
        raise ParameterError([ParameterProblem(index, ("use_fast_bias",), message)])
    parts: list[tuple[str, type]] = [(MIN_MAX, MinMaxParameters), (FAST_BIAS, FastBiasParameters)]
    if parameters.model_type is ModelType.TRANSFORMER and parameters.use_smooth_quant:
        parts.insert(0, (SMOOTH, SmoothParameters))
    return [
        SimpleStep(index=index, use=use, parameters=_part(kind, parameters)) for use, kind in parts
    ]


def _part(kind: type, whole: DefaultParameters) -> Any:
    """The parameters that a part shares with the whole; what the whole has no name for stays
    default."""
    shared = {f.name for f in dataclasses.fields(kind)} & {
        f.name for f in dataclasses.fields(whole)
    }
    return kind(**{name: getattr(whole, name) for name in shared})


def _check_order(steps: list[SimpleStep]) -> None:
    """Exactly one quantization, SmoothQuant before it, bias correction after it."""
    names = [step.use for step in steps]
    if not steps:
        raise ParameterError([ParameterProblem(0, (), "there are no steps")])
    for position, step in enumerate(steps):
        if step.use == FAST_BIAS and MIN_MAX not in names[:position]:
            message = f"{FAST_BIAS} corrects quantized weights, so {MIN_MAX} has to come before it"
            raise ParameterError([ParameterProblem(step.index, (), message)])
        if step.use == SMOOTH and MIN_MAX not in names[position:]:
            message = f"{SMOOTH} prepares a model for {MIN_MAX}, which has to come after it"
            raise ParameterError([ParameterProblem(step.index, (), message)])
        if step.use in names[:position]:
            message = f"{step.use} is there already, by itself or as a part of an earlier step"
            raise ParameterError([ParameterProblem(step.index, (), message)])
