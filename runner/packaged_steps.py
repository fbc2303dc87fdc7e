"""Steps that installed packages add, by entry points; those of `quant` stand in its own table.

Only what a recipe names is imported, so that one without such steps is validated without OpenVINO.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quant.errors import QuantError
from quant.steps.order import COMPOSITES, ORDER
from runner import plugins
from runner.plugins import Blame, Table

if TYPE_CHECKING:
    from quant.steps.table import Kind

SHIPPED = (*COMPOSITES, *ORDER)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedStep:
    """What an entry point of a step names.

    Attributes:
        kind: what carries it out, `quant.steps.table.OnStatistics` or `Inferring`.
        plan: the frozen dataclass that `kind.plan` returns, with `subset`, a `quant.plan.Subset`.
            It goes to JSON and back, so it holds what has names: no arrays, no nodes of a graph.
        schema: its parameters in a recipe, as in `runner.recipe.schemas.steps`.
    """

    kind: Kind
    plan: type
    schema: Mapping[str, Any]


def packaged(loaded: Any, blame: Blame) -> PackagedStep:
    """What an entry point names as a step whose functions blame the package for what they raise.

    Raises:
        PluginError: it meets none of the contracts.
    """
    if not isinstance(loaded, PackagedStep):
        reason = f"it names {type(loaded).__name__}, not a runner.packaged_steps.PackagedStep"
        raise blame(reason)
    if fault := _fault(loaded):
        raise blame(fault)
    return dataclasses.replace(loaded, kind=_guarded(loaded, blame))


def _fault(step: PackagedStep) -> str:
    from quant.steps.table import Inferring, OnStatistics

    if not isinstance(step.kind, OnStatistics | Inferring):
        return "its kind is no quant.steps.table.OnStatistics or Inferring"
    parameters = set(_fields(step.kind.parameters))
    if different := sorted(parameters ^ step.schema.keys()):
        return f"its schema and its parameters differ in {', '.join(map(repr, different))}"
    if "subset" not in _fields(step.plan):
        return "its plan is no dataclass with `subset`, which says what samples it takes"
    return ""


def _fields(kind: Any) -> Sequence[str]:
    is_dataclass = isinstance(kind, type) and dataclasses.is_dataclass(kind)
    return [each.name for each in dataclasses.fields(kind)] if is_dataclass else ()


def _guarded(step: PackagedStep, blame: Blame) -> Kind:
    """The step's kind with functions whose errors, and wrong results, name the package."""
    from quant.statistics.need import Statistics
    from quant.steps.table import Inferring

    kind, plan = step.kind, _blaming(step.kind.plan, "plan", step.plan, blame)
    if isinstance(kind, Inferring):
        refine = _blaming(kind.refine, "refine", type(None), blame)
        return dataclasses.replace(kind, plan=plan, refine=refine)
    return dataclasses.replace(
        kind,
        plan=plan,
        needs=_blaming(lambda found: tuple(kind.needs(found)), "needs", tuple, blame),
        apply=_blaming(kind.apply, "apply", Statistics, blame),
    )


def _blaming(
    function: Callable[..., Any], name: str, returned: type, blame: Blame
) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        try:
            found = function(*arguments)
        except QuantError:
            raise
        except Exception as error:  # whatever the package raises
            reason = f"its {name} fails: {type(error).__name__}: {error}"
            raise blame(reason) from error
        if not isinstance(found, returned):
            reason = f"its {name} returns {type(found).__name__}, not {returned.__name__}"
            raise blame(reason)
        return found

    return call


STEPS: Mapping[str, PackagedStep] = Table(own={}, group=plugins.STEPS, view=packaged)


def preparing(uses: Sequence[str]) -> tuple[str, ...]:
    """Those of the steps that come from packages and work before quantization.

    Raises:
        PluginError: a package is broken.
    """
    own = [use for use in uses if use not in SHIPPED and use in STEPS]
    return tuple(use for use in own if getattr(STEPS[use].kind, "prepares", False))
