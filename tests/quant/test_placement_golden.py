"""Golden placements: one sorted text per model, preset and model type, in `golden/`.

Rewritten only by `pytest tests/quant --update-golden`. What each placement is held against:
NNCF 3.4.0's placements of the same graphs, and POT 2023.0.2's of the graph `pot_toy`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import quant
import runner
from quant.plan import (
    ActivationQuantizer,
    FastBiasPlan,
    MinMaxPlan,
    QuantPlan,
    SmoothPlan,
    Status,
    StepPlan,
    WeightQuantizer,
    WeightRoundingPlan,
)
from tests.models import BUILDERS

GOLDEN = Path(__file__).parent / "golden"

TRANSFORMERS = (
    *(
        "encoder_sdpa",
        "encoder_softmax",
        "encoder_attention",
        "matmul",
        "matmul_of_two",
        "embedding",
        "rotary",
    ),
    *("classifier", "squeeze_excitation"),
)
"""Models whose placement differs under `model_type: transformer`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One golden file."""

    model: str
    preset: str
    model_type: str | None = None
    target: str = "cpu"

    @property
    def id(self) -> str:
        """The file's name."""
        target = None if self.target == "cpu" else self.target
        parts = (self.model, self.preset, self.model_type, target)
        return ".".join(part for part in parts if part)


CASES = [
    *(
        Case(model=model, preset=preset)
        for model in BUILDERS
        for preset in ("performance", "mixed")
    ),
    *(Case(model=name, preset="mixed", model_type="transformer") for name in TRANSFORMERS),
    *(
        Case(model="pot_toy", preset=preset, target=target)
        for target in ("gna", "gna3", "gpu", "npu", "vpu")
        for preset in ("performance", "accuracy")
    ),
]


def render(plan: QuantPlan) -> str:
    """A plan as sorted lines, a blank line between kinds."""
    kinds = [sorted(lines) for lines in (_fates(plan), *(_step(step) for step in plan.steps))]
    return "\n\n".join("\n".join(lines) for lines in kinds if lines) + "\n"


def _fates(plan: QuantPlan) -> Iterator[str]:
    for each in plan.operations:
        if each.status is Status.QUANTIZED:
            inputs = ", ".join(map(str, each.activations)) or "float"
            yield f"quantized {each.type} {each.name}: {inputs} x {each.weights or 'float'}"
        else:
            yield f"{each.status} {each.type} {each.name}: {each.reason}"


def _step(step: StepPlan) -> Iterator[str]:
    match step:
        case SmoothPlan():
            for group in step.groups:
                tensors = ", ".join(f"{p.tensor.op}:{p.tensor.port}" for p in group.parts)
                yield f"smooth {tensors} -> {', '.join(r.operation for r in group.readers)}"
        case MinMaxPlan():
            yield from map(_activation, step.activations)
            yield from map(_weights, step.weights)
        case WeightRoundingPlan():
            yield from (f"round {site.operation}: {site.channels} channels" for site in step.sites)
        case FastBiasPlan():
            yield from (f"bias {site.operation}: {site.channels} channels" for site in step.sites)


def _activation(each: ActivationQuantizer) -> str:
    readers = ", ".join(f"{port.op}:{port.port}" for port in each.consumers)
    parts = {
        "channels": each.channels,
        "group": each.group,
        "covers": each.covers,
        "smoothed": each.is_smoothed or None,
    }
    extra = "".join(f"; {name} {value}" for name, value in parts.items() if value is not None)
    tensor = f"{each.tensor.op}:{each.tensor.port}"
    return f"activations {each.name}: {tensor} -> {readers}; {each.scheme}{extra}"


def _weights(each: WeightQuantizer) -> str:
    readers = ", ".join(f"{port.op}:{port.port}" for port in each.consumers)
    parts = {
        "axes": each.channel_axes,
        "group": each.group,
        "gates": each.gates if each.gates > 1 else None,
        "first layer": each.is_first_layer or None,
    }
    extra = "".join(f"; {name} {value}" for name, value in parts.items() if value is not None)
    return f"weights {each.name}: {each.constant} -> {readers}; {each.scheme}{extra}"


def resolve(case: Case) -> QuantPlan:
    parameters = {"preset": case.preset, "model_type": case.model_type}
    step = quant.Step(use="DefaultQuantization", parameters=parameters)
    return quant.resolve(
        quant.load_model(BUILDERS[case.model]()), [step], runner.load_target(case.target)
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_placement(case: Case, is_updating: bool) -> None:
    path = GOLDEN / f"{case.id}.txt"
    found = render(resolve(case))
    if is_updating:
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_every_golden_file_has_a_case() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {case.id for case in CASES}


def test_placement_is_the_same_on_every_load() -> None:
    case = Case(model="pot_toy", preset="mixed")
    assert resolve(case) == resolve(case)
