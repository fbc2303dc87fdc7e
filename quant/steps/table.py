"""The steps that exist, under the names that recipes use, and what composite ones are made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quant.control.parameters import AccuracyAwareParameters
from quant.errors import ParameterError, ParameterProblem
from quant.graph import Graph
from quant.inference import Inference
from quant.parameter_reader import read_parameters
from quant.parameters import (
    BiasParameters,
    ChannelAlignmentParameters,
    DefaultParameters,
    FastBiasParameters,
    LayerwiseParameters,
    MinMaxParameters,
    ModelType,
    OverflowParameters,
    SmoothParameters,
    WeightRoundingParameters,
)
from quant.plan import MinMaxPlan, Planned
from quant.statistics.need import Need, Statistics
from quant.steps import (
    bias_correction,
    channel_alignment,
    fast_bias,
    layerwise,
    min_max,
    overflow,
    smooth,
    weight_rounding,
)
from quant.steps.order import (
    ACCURACY_AWARE,
    ALIGN,
    BIAS,
    COMPOSITES,
    DEFAULT,
    FAST_BIAS,
    MIN_MAX,
    OVERFLOW,
    ROUNDING,
    SMOOTH,
    TUNING,
    order_fault,
)
from quant.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class OnStatistics:
    """A step that lives on statistics: what it needs joins the one calibration pass.

    Attributes:
        parameters: the frozen dataclass of its parameters.
        plan: what it will do to a model, from its parameters and the quantizers to come.
        needs: the statistics that its plan takes.
        apply: carries the plan out; returns the statistics as they are after it.
        prepares: of a step that is none of `STEPS`, whether it works before quantization, and so
            before all of those.
    """

    parameters: type
    plan: Callable[[Graph, Any, MinMaxPlan], Planned]
    needs: Callable[[Any], Iterable[Need]]
    apply: Callable[[Work, Any, Statistics], Statistics]
    prepares: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferring:
    """A step that runs models over the samples again; it works behind quantization.

    Attributes:
        parameters: the frozen dataclass of its parameters.
        plan: as of `OnStatistics`.
        refine: carries the plan out.
    """

    parameters: type
    plan: Callable[[Graph, Any, MinMaxPlan], Planned]
    refine: Callable[[Work, Any, Inference], None]


Kind = OnStatistics | Inferring
"""The two contracts of steps."""

STEPS: Mapping[str, Kind] = {
    ALIGN: OnStatistics(
        parameters=ChannelAlignmentParameters,
        plan=channel_alignment.plan,
        needs=channel_alignment.needs,
        apply=channel_alignment.apply,
    ),
    SMOOTH: OnStatistics(
        parameters=SmoothParameters, plan=smooth.plan, needs=smooth.needs, apply=smooth.apply
    ),
    MIN_MAX: OnStatistics(
        parameters=MinMaxParameters, plan=min_max.plan, needs=min_max.needs, apply=min_max.apply
    ),
    ROUNDING: OnStatistics(
        parameters=WeightRoundingParameters,
        plan=weight_rounding.plan,
        needs=weight_rounding.needs,
        apply=weight_rounding.apply,
    ),
    FAST_BIAS: OnStatistics(
        parameters=FastBiasParameters,
        plan=fast_bias.plan,
        needs=fast_bias.needs,
        apply=fast_bias.apply,
    ),
    TUNING: Inferring(parameters=LayerwiseParameters, plan=layerwise.plan, refine=layerwise.refine),
    BIAS: Inferring(
        parameters=BiasParameters, plan=bias_correction.plan, refine=bias_correction.refine
    ),
    OVERFLOW: OnStatistics(
        parameters=OverflowParameters,
        plan=overflow.plan,
        needs=overflow.needs,
        apply=overflow.apply,
    ),
}
"""Every step that is no composite."""

PARAMETERS: Mapping[str, type] = {
    DEFAULT: DefaultParameters,
    ACCURACY_AWARE: AccuracyAwareParameters,
    **{name: kind.parameters for name, kind in STEPS.items()},
}
"""Every step and its parameters."""


PARTS: Mapping[str, Callable[[DefaultParameters], bool]] = {
    ALIGN: lambda whole: whole.use_channel_alignment,
    SMOOTH: lambda whole: whole.use_smooth_quant,
    MIN_MAX: lambda _: True,
    ROUNDING: lambda whole: whole.use_weight_rounding and whole.use_bias_correction,
    FAST_BIAS: lambda whole: whole.use_bias_correction and whole.use_fast_bias,
    BIAS: lambda whole: whole.use_bias_correction and not whole.use_fast_bias,
    OVERFLOW: lambda _: True,
    TUNING: lambda whole: whole.use_layerwise_tuning,
}
"""The parts of DefaultQuantization and AccuracyAwareQuantization, in order, and when each is there;
OverflowCorrection only where it finds weights of more than 8 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step as asked for: its name, and its parameters as a mapping or a dataclass.

    `kind`: what carries it out, where it is a step of your own, under a name of its own.
    """

    use: str
    parameters: Any = field(default_factory=dict)
    kind: Kind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleStep:
    """One step that is no composite, with its parameters read, and what carries it out; `index` is
    that of the asked step."""

    index: int
    use: str
    parameters: Any
    kind: Kind


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
    _check_order(simple, steps)
    return tuple(simple)


def _expand(index: int, step: Step) -> list[SimpleStep]:
    if step.kind is not None:
        return [_own(index, step, step.kind)]
    if step.use not in PARAMETERS:
        message = f"unknown step {step.use!r}; expected one of {', '.join(map(repr, PARAMETERS))}"
        raise ParameterError([ParameterProblem(index, (), message)])
    parameters: Any = read_parameters(PARAMETERS[step.use], step.parameters, index)
    if step.use not in COMPOSITES:
        kind = STEPS[step.use]
        return [SimpleStep(index=index, use=step.use, parameters=parameters, kind=kind)]
    return [
        SimpleStep(index=index, use=use, parameters=_part(use, parameters), kind=STEPS[use])
        for use, is_part in PARTS.items()
        if is_part(parameters)
    ]


def _own(index: int, step: Step, kind: Kind) -> SimpleStep:
    if step.use in PARAMETERS:
        message = f"{step.use!r} is a step that ships; give your own another name"
        raise ParameterError([ParameterProblem(index, (), message)])
    parameters: Any = read_parameters(kind.parameters, step.parameters, index)
    return SimpleStep(index=index, use=step.use, parameters=parameters, kind=kind)


def _part(use: str, whole: DefaultParameters) -> Any:
    """The parameters that a part shares with the whole; what the whole has no name for stays
    default."""
    kind = STEPS[use].parameters
    shared = {f.name for f in dataclasses.fields(kind)} & {
        f.name for f in dataclasses.fields(whole)
    }
    values = {name: getattr(whole, name) for name in shared}
    if use == SMOOTH and whole.model_type is not ModelType.TRANSFORMER:
        values["separate"] = False
    return kind(**values)


def _check_order(steps: list[SimpleStep], asked: tuple[Step, ...]) -> None:
    """As they are asked for, and with the parts of composite ones in their places."""
    if not steps:
        raise ParameterError([ParameterProblem(0, (), "there are no steps")])
    uses = [step.use for step in asked]
    preparing = [s.use for s in steps if isinstance(s.kind, OnStatistics) and s.kind.prepares]
    for index, use in enumerate(uses):
        before, after = uses[:index], uses[index + 1 :]
        if fault := order_fault(use, before=before, after=after, preparing=preparing):
            raise ParameterError([ParameterProblem(index, (), fault)])
    names = [step.use for step in steps]
    for position, step in enumerate(steps):
        if step.use in names[:position]:
            first = steps[names.index(step.use)]
            owners = (uses[first.index], uses[step.index])
            owner = next((each for each in owners if each in COMPOSITES), None)
            part = f", as a part of {owner}" if owner is not None else ""
            fault = f"{step.use} is there already{part}; remove one of them"
            raise ParameterError([ParameterProblem(step.index, (), fault)])
    for position, step in enumerate(steps):
        before, after = names[:position], names[position + 1 :]
        if fault := order_fault(step.use, before=before, after=after, preparing=preparing):
            raise ParameterError([ParameterProblem(step.index, (), fault)])
