"""What is taken of one tensor and sample: a need without its aggregator and subset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from quant.statistics.need import Need, Reduction, values_per_channel


class Part(StrEnum):
    """What is taken of a tensor only to make a reduction of it: the square root of its values' sum
    of squares, and how many values one channel has."""

    NORM = "norm"
    COUNT = "count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """A reduction of one tensor: in the graph, or made of others."""

    op: str
    port: int
    reduction: Reduction | Part
    channel_axis: int | None
    channels: int
    outlier_prob: float | None

    @property
    def length(self) -> int:
        """How many numbers it makes of a sample; all channels have the same count."""
        match self.reduction:
            case Part.COUNT:
                return 1
            case Part.NORM:
                return self.channels
        return self.channels * values_per_channel(self.reduction, self.channels)

    def of(self, reduction: Reduction | Part) -> Tap:
        """Another reduction of the same tensor, channel by channel where this one is."""
        return replace(self, reduction=reduction)

    @property
    def sources(self) -> tuple[Tap, ...]:
        """What it is computed from, value by value; itself where it is a reduction in the graph."""
        match self.reduction:
            case Reduction.ABS_MAX:
                return self.of(Reduction.MIN), self.of(Reduction.MAX)
            case Reduction.MEAN_SQUARE:
                return self.of(Part.NORM), self.of(Part.COUNT)
            case _:
                return (self,)


def tap(need: Need) -> Tap:
    """The tap that a need takes of each sample."""
    return Tap(
        op=need.tensor.op,
        port=need.tensor.port,
        reduction=need.reduction,
        channel_axis=need.channel_axis,
        channels=need.channels,
        outlier_prob=need.outlier_prob,
    )
