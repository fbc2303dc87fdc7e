"""The clone of the model that the steps change, and what they leave word of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from quant.clones import by_name
from quant.emulation import Stretch
from quant.fake_quantize import Levels
from quant.runtime import ov
from quant.saturation import Saturation


@dataclass(slots=True)
class Work:
    """Owned by one `apply`; nobody keeps it.

    Attributes:
        model: the clone.
        nodes: its operations by name, and those that steps insert.
        levels: per quantizer, its levels.
        stretches: per quantizer, what becomes of its channels on the way in.
        bias_shifts: per corrected operation, the largest shift of its bias, in units of its output.
        outcomes: per policy of the plan, what was decided.
        notes: per operation, why a step left it alone.
        warnings: what a user should know.
        saturation: per layer of a target that saturates, what full-range weights would lose.
        halved: the layers whose weights use half of their range.
        integers: per quantizer of weights that are not rounded to the nearest level, theirs.
        unrounded: per layer whose weights lie on levels already, what they were before.
        has_mixed_layers: whether any layer computes in floating point on integer weights.
    """

    model: ov.Model
    nodes: dict[str, ov.Node] = field(init=False)
    levels: dict[str, Levels] = field(default_factory=dict)
    stretches: dict[str, Stretch] = field(default_factory=dict)
    bias_shifts: dict[str, float] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    saturation: dict[str, Saturation] = field(default_factory=dict)
    halved: set[str] = field(default_factory=set)
    integers: dict[str, NDArray[Any]] = field(default_factory=dict)
    unrounded: dict[str, NDArray[Any]] = field(default_factory=dict)
    has_mixed_layers: bool = False

    def __post_init__(self) -> None:
        self.nodes = by_name(self.model)
