"""Schemes: how a tensor is quantized; presets: which of a device's candidates is taken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

F32_BITS = 24
"""Bits of f32's significand."""


class Mode(StrEnum):
    """Whether the range is mirrored around zero."""

    SYMMETRIC = "symmetric"
    ASYMMETRIC = "asymmetric"


class Granularity(StrEnum):
    """One range for the whole tensor, or one per channel."""

    PERTENSOR = "pertensor"
    PERCHANNEL = "perchannel"


class Preset(StrEnum):
    """Which end of a device's candidate lists is taken, first being fastest and last most
    accurate."""

    PERFORMANCE = "performance"
    MIXED = "mixed"
    ACCURACY = "accuracy"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Scheme:
    """Bits, mode and granularity of one quantizer.

    `level_low` and `level_high` bound the integer grid; None takes the default of `bits`:
    `-2^(b-1) .. 2^(b-1)-1`, and one level less at the low end for symmetric weights.
    `unified_zero_point`: all channels share one zero point (asymmetric weights of NPU and VPU).
    """

    bits: int = 8
    mode: Mode = Mode.SYMMETRIC
    granularity: Granularity = Granularity.PERTENSOR
    level_low: int | None = None
    level_high: int | None = None
    unified_zero_point: bool = False

    @property
    def is_finer_than_f32(self) -> bool:
        """Whether f32, with its 24 bits, can't tell the levels apart."""
        return self.bits > F32_BITS

    def __str__(self) -> str:
        text = f"int{self.bits} {self.mode} {self.granularity}"
        if self.level_low is not None and self.level_high is not None:
            text += f" [{self.level_low}, {self.level_high}]"
        return text


def grid(scheme: Scheme, *, is_weights: bool) -> tuple[int, int]:
    """The lowest and highest integer of a scheme.

    Symmetric weights leave out the lowest level, so that the grid is mirrored around zero.
    Source: POT 2023.0.2, levels of a scheme.

    >>> grid(Scheme(), is_weights=True), grid(Scheme(), is_weights=False)
    ((-127, 127), (-128, 127))
    """
    half = 1 << (scheme.bits - 1)
    narrow = is_weights and scheme.mode is Mode.SYMMETRIC
    low = scheme.level_low if scheme.level_low is not None else -half + narrow
    high = scheme.level_high if scheme.level_high is not None else half - 1
    return low, high


def signed(scheme: Scheme) -> Scheme:
    """A symmetric scheme of activations that keeps its negative levels where no value is negative.

    >>> str(signed(Scheme()))
    'int8 symmetric pertensor [-128, 127]'
    """
    if scheme.mode is Mode.ASYMMETRIC:
        return scheme
    low, high = grid(scheme, is_weights=False)
    return replace(scheme, level_low=low, level_high=high)
