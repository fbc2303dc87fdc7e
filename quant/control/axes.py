"""What tuning may change: parameters of DefaultQuantization that cost little or no speed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quant.control.candidate import Candidate
from quant.control.settings import Settings, is_given
from quant.scheme import Preset

PRESET = "preset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Alternatives of which one holds, besides that of the start.

    `fixed_by`: parameters by whose presence the user has chosen.
    """

    name: str
    fixed_by: tuple[str, ...]
    options: tuple[Settings, ...]

    def applied(self, candidate: Candidate, option: Settings) -> Candidate:
        """The candidate with an option in place of the axis' others."""
        own = {path for each in self.options for path, _ in each}
        kept = tuple(each for each in candidate.settings if each[0] not in own)
        preset = Preset(str(dict(option).get(PRESET, candidate.preset.value)))
        more = tuple(each for each in option if each[0] != PRESET)
        settings = tuple(sorted((*kept, *more)))
        return dataclasses.replace(candidate, preset=preset, settings=settings)


ESTIMATOR = "activations.range_estimator"

AXES = (
    Axis(
        name="preset",
        fixed_by=(PRESET,),
        options=(((PRESET, "mixed"),), ((PRESET, "accuracy"),)),
    ),
    Axis(
        name="smoothing",
        fixed_by=("use_smooth_quant", "alpha"),
        options=((("use_smooth_quant", False),), (("alpha", 0.5),), (("alpha", 0.8),)),
    ),
    Axis(
        name="activations",
        fixed_by=("range_estimator", ESTIMATOR),
        options=(
            ((f"{ESTIMATOR}.preset", "mse"),),
            ((f"{ESTIMATOR}.preset", "histogram"),),
            ((f"{ESTIMATOR}.preset", "quantile"),),
            ((f"{ESTIMATOR}.max.aggregator", "max"), (f"{ESTIMATOR}.min.aggregator", "min")),
        ),
    ),
    Axis(
        name="weights",
        fixed_by=("range_estimator", "weights.range_estimator"),
        options=((("weights.range_estimator.preset", "mse"),),),
    ),
    Axis(
        name="bias",
        fixed_by=(
            "use_fast_bias",
            "use_bias_correction",
            "use_weight_rounding",
            "threshold",
            "apply_for_all_nodes",
        ),
        options=((("use_fast_bias", False),), (("use_bias_correction", False),)),
    ),
)
"""In the order in which they are searched: those that change most first, and the dear ones last.

Source: best practices of POT (preset, range estimator, bias correction); NNCF 3.4.0 (smoothing).
"""


def free_axes(given: Mapping[str, Any]) -> tuple[Axis, ...]:
    """Those that parameters, as the user wrote them, leave open."""
    return tuple(axis for axis in AXES if not any(is_given(given, path) for path in axis.fixed_by))
