"""What can be checked, and how: one table of subjects, and one of bounds.

Recipes are validated by these tables too, so nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

FP32, BASELINE, STEP = "fp32", "baseline", "step"
"""What a check compares with: FP32 of the same run, the accepted result, or the model as an earlier
step left it (written `step:ID`)."""


class Noise(StrEnum):
    """Where a subject's uncertainty comes from, and so its interval.

    SAMPLES: the validation samples, the same ones for both models. ROUNDS: the repeats of the
    benchmark. EXACT: it is counted, or follows from the data. ONCE: it differs from run to run, and
    is measured once.
    """

    SAMPLES = "samples"
    ROUNDS = "rounds"
    EXACT = "exact"
    ONCE = "once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A kind of bound.

    Attributes:
        words: how what is bounded is called, of `{metric}` and `{reference}`.
        is_compared: whether it bounds a comparison with another model.
        has_drop_type: whether that is absolute or relative.
        is_at_least: whether values below it miss it; above it where not.
        is_two_sided: whether values below its negative miss it, too.
    """

    words: str
    is_compared: bool = True
    has_drop_type: bool = False
    is_at_least: bool = False
    is_two_sided: bool = False


BOUNDS: Mapping[str, Bound] = {
    "max_drop": Bound(words="{drop_type} drop of {metric}", has_drop_type=True),
    "within": Bound(words="{drop_type} drop of {metric}", has_drop_type=True, is_two_sided=True),
    "min": Bound(words="{metric}", is_compared=False, is_at_least=True),
    "max": Bound(words="{metric}", is_compared=False),
    "min_speedup": Bound(words="speed-up in {metric}", is_at_least=True),
    "min_ratio": Bound(words="ratio of {metric}", is_at_least=True),
    "max_ratio": Bound(words="ratio of {metric}"),
}
"""Every kind of bound, in the order in which messages name them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Something that is measured.

    Attributes:
        unit: of its values.
        higher_is_better: None where the metric says it.
        bounds: the kinds of bounds that mean something for it.
        against: what it can be compared with.
        noise: how its interval comes about.
    """

    unit: str
    higher_is_better: bool | None
    bounds: tuple[str, ...]
    against: tuple[str, ...]
    noise: Noise


METRIC = Subject(
    unit="",
    higher_is_better=None,
    bounds=("max_drop", "within", "min", "max", "min_ratio", "max_ratio"),
    against=(FP32, BASELINE, STEP),
    noise=Noise.SAMPLES,
)
"""Any metric under `evaluate`."""

MEASURED: Mapping[str, Subject] = {
    "throughput": Subject(
        unit="1/s",
        higher_is_better=True,
        bounds=("min_speedup", "min"),
        against=(FP32, BASELINE),
        noise=Noise.ROUNDS,
    ),
    "latency_ms": Subject(
        unit="ms",
        higher_is_better=False,
        bounds=("min_speedup", "max"),
        against=(FP32, BASELINE),
        noise=Noise.ROUNDS,
    ),
    "model_bytes": Subject(
        unit="bytes",
        higher_is_better=False,
        bounds=("max_ratio", "max"),
        against=(FP32, BASELINE, STEP),
        noise=Noise.EXACT,
    ),
    "quantized_operations": Subject(
        unit="operations",
        higher_is_better=True,
        bounds=("min", "max", "max_drop", "within"),
        against=(BASELINE, STEP),
        noise=Noise.EXACT,
    ),
    "reverted_operations": Subject(
        unit="operations",
        higher_is_better=False,
        bounds=("max", "max_drop", "within"),
        against=(BASELINE,),
        noise=Noise.EXACT,
    ),
    "peak_memory_bytes": Subject(
        unit="bytes",
        higher_is_better=False,
        bounds=("max", "max_ratio"),
        against=(BASELINE,),
        noise=Noise.ONCE,
    ),
    "output_sqnr_db": Subject(
        unit="dB",
        higher_is_better=True,
        bounds=("min", "max_drop", "within"),
        against=(BASELINE,),
        noise=Noise.EXACT,
    ),
}
"""What is measured without labels."""

SPEED = ("throughput", "latency_ms")
"""What only the target's own device can tell."""


def subject_of(metric: str) -> Subject:
    """The subject of that name; any other name is one of the recipe's metrics."""
    return MEASURED.get(metric, METRIC)


def step_of(against: str) -> str | None:
    """The step's id in `step:ID`; None for anything else.

    >>> step_of("step:quantize"), step_of("fp32")
    ('quantize', None)
    """
    kind, colon, name = against.partition(":")
    return name if kind == STEP and colon else None
