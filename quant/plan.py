"""QuantPlan: everything that does not depend on data, resolved for one model and one target.

All values are frozen and refer to operations by name, so a plan can be printed, compared and
stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from quant.parameters import JOINT, Aggregator, Estimator, SaturationFix, SubsetParameters
from quant.runtime import ov
from quant.scheme import Scheme


@dataclass(frozen=True, slots=True, order=True)
class TensorRef:
    """Output `port` of the operation named `op`."""

    op: str
    port: int = 0


@dataclass(frozen=True, slots=True, order=True)
class PortRef:
    """Input `port` of the operation named `op`."""

    op: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """How one side of a range is estimated, with no default left open."""

    type: Estimator
    aggregator: Aggregator
    outlier_prob: float | None = None
    clipping_value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimators:
    """Both sides of a range."""

    min: Side
    max: Side

    @property
    def is_joint(self) -> bool:
        """Whether both sides are found at once, from the distribution of all values."""
        return self.max.type in JOINT


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """Which samples a step's statistics are taken from: all, the first `size`, or a seeded draw.

    `few`: only so many of those, from all over them, since neighbours may be of one class; of
    samples that do not know their number the first ones.
    """

    size: int | None = None
    shuffle: bool = False
    seed: int = 0
    few: int | None = None

    @classmethod
    def of(cls, asked: SubsetParameters) -> Subset:
        """The subset that a step's parameters ask for."""
        return cls(size=asked.stat_subset_size, shuffle=asked.shuffle_data, seed=asked.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationQuantizer:
    """One FakeQuantize on a tensor, for the input ports that read it from then on.

    `operations`: those executed in integers because of it. `channels`: the channel count where the
    scheme is per channel (channel axis 1). `group`: quantizers of one group share one range.
    `covers`: values that the range must hold whatever the data. `outside`: the largest share of the
    values that may lie outside on a side; None: any. `few`: how many values a sample has, where
    they are few. `is_smoothed`: SmoothQuant may
    scale the tensor's channels first. `has_asymmetric`: whether the target could run it asymmetric.
    """

    name: str
    tensor: TensorRef
    consumers: tuple[PortRef, ...]
    operations: tuple[str, ...]
    scheme: Scheme
    estimators: Estimators
    channels: int | None = None
    group: str | None = None
    covers: tuple[float, float] | None = None
    outside: float | None = None
    few: int | None = None
    is_smoothed: bool = False
    has_asymmetric: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightQuantizer:
    """One quantized constant, for the input ports that read it.

    `channel_axes`: axes that keep their own range. `group`: constants of one group share their
    ranges; in one with activations, a table with its rows, their levels as well. `gates`: as many
    equal parts of the channels share their ranges. `is_first_layer`, `is_saturable`: whether
    `saturation_fix` first_layer, or all, halves its range.
    """

    name: str
    constant: str
    consumers: tuple[PortRef, ...]
    scheme: Scheme
    channel_axes: tuple[int, ...]
    estimators: Estimators
    group: str | None = None
    gates: int = 1
    is_first_layer: bool = False
    is_saturable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasSite:
    """An operation and the tensor that it reads, whose per-channel means tell the shift of its
    bias, and the axis of its channels; `quantizer`: what rounds the tensor, if one range of 8 bits
    at most does."""

    operation: str
    tensor: TensorRef
    channel_axis: int
    channels: int
    quantizer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSite:
    """A recurrent cell with its input, and the group that its weights share their scales with."""

    input: BiasSite
    weights: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CellInput:
    """The quantizer of what recurrent cells alone read. `is_hidden_state`: of other cells."""

    quantizer: str
    cells: tuple[CellSite, ...]
    is_hidden_state: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CellGroup:
    """Recurrent cells whose inputs have one range, which their states share.

    `states`: the quantizers of states that are no constants.
    """

    inputs: tuple[CellInput, ...]
    states: tuple[str, ...]
    scheme: Scheme


@dataclass(frozen=True, slots=True, kw_only=True)
class MinMaxPlan:
    """What MinMaxQuantization will insert.

    `saturable`: the layers' inputs that are examined for saturation; none where the target does not
    saturate. `watched`: the tensors whose values tell how many lie outside a range. `movable`: the
    inputs of depthwise layers, whose levels may be moved. `cell_groups`: recurrent cells.
    """

    subset: Subset
    saturation_fix: SaturationFix
    activations: tuple[ActivationQuantizer, ...]
    weights: tuple[WeightQuantizer, ...]
    saturable: tuple[BiasSite, ...] = ()
    watched: tuple[BiasSite, ...] = ()
    movable: tuple[BiasSite, ...] = ()
    cell_groups: tuple[CellGroup, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightRoundingPlan:
    """Where the inputs of the layers are seen whose weights WeightRounding will round."""

    subset: Subset
    sites: tuple[BiasSite, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FastBiasPlan:
    """What FastBiasCorrection will correct."""

    subset: Subset
    threshold: float | None
    sites: tuple[BiasSite, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverflowSite:
    """An operation whose integer sums may overflow: its quantizers by name, and its result with
    the bias."""

    operation: str
    weights: str
    inputs: tuple[str, ...]
    output: TensorRef


@dataclass(frozen=True, slots=True, kw_only=True)
class OverflowPlan:
    """What OverflowCorrection will look at."""

    subset: Subset
    sites: tuple[OverflowSite, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasPlan:
    """What BiasCorrection will correct: the sites of a stage together, stage after stage.

    `skipped`: operations with quantized weights that it can't correct.
    """

    subset: Subset
    threshold: float | None
    stages: tuple[tuple[BiasSite, ...], ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothPart:
    """A tensor whose channels are scaled on the way into its quantizer.

    `operations`: the layers that read it through that. `is_open`: whether its range may hold more
    than was seen.
    """

    quantizer: str
    tensor: TensorRef
    operations: tuple[str, ...]
    channel_axis: int
    channels: int
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothReader:
    """A layer that reads channels of a group, its input, and which channels those are.

    `places`: first one and the one behind the last of each run of the group's channels, in the
    order of the input's. `is_depthwise`: whether each of its outputs reads a channel of its own.
    """

    operation: str
    tensor: TensorRef
    channel_axis: int
    places: tuple[tuple[int, int], ...]
    is_depthwise: bool = False

    @property
    def channels(self) -> int:
        return sum(stop - start for start, stop in self.places)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothGroup:
    """Tensors that share a range, one or those that a Concat joins, and all layers that read them.

    `scheme`: how the tensors are quantized. `is_stretched`: whether the quantizers themselves scale
    the channels. `is_shifted`: whether those may be shifted, too.
    """

    parts: tuple[SmoothPart, ...]
    readers: tuple[SmoothReader, ...]
    scheme: Scheme
    is_stretched: bool
    is_shifted: bool

    @property
    def channels(self) -> int:
        """Of all parts, one behind the other."""
        return sum(part.channels for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothPlan:
    """What SmoothQuant may smooth; `alphas` are the policy's candidates, besides none at all."""

    subset: Subset
    alphas: tuple[float, ...]
    groups: tuple[SmoothGroup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignedPair:
    """A linear operation and the convolution that alone reads its result, with bias: `tensor`.

    `is_shifted`, `is_scaled`: whether its channels may be shifted, and scaled. `is_open`: whether
    its range may hold more than was seen. `activations`, `weights`: how the tensor and the
    convolution's weights are quantized.
    """

    producer: str
    consumer: str
    tensor: TensorRef
    channels: int
    is_shifted: bool
    is_scaled: bool
    is_open: bool
    activations: Scheme
    weights: Scheme


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAlignmentPlan:
    """What ActivationChannelAlignment may align."""

    subset: Subset
    pairs: tuple[AlignedPair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningSite:
    """A layer that gets tuned, and its weights' quantizer: `groups`, `channels` outputs in each,
    each over `width` inputs."""

    operation: str
    quantizer: str
    groups: int
    channels: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningPlan:
    """What LayerwiseTuning will tune: the sites of a stage together, stage after stage.

    `ranges`: quantizers whose ranges may be resized. `sweeps`: how often every weight is looked
    at. `decay`: pull towards the original weights. `skipped`: layers that can't be tuned, each
    with the reason.
    """

    subset: Subset
    sweeps: int
    decay: float
    ranges: tuple[ActivationQuantizer, ...]
    stages: tuple[tuple[TuningSite, ...], ...]
    skipped: tuple[tuple[str, str], ...] = ()


StepPlan = (
    ChannelAlignmentPlan
    | SmoothPlan
    | MinMaxPlan
    | WeightRoundingPlan
    | FastBiasPlan
    | BiasPlan
    | OverflowPlan
    | TuningPlan
)
"""What the steps that ship plan."""


class Planned(Protocol):
    """What any step plans, one of an installed package as well: a frozen dataclass."""

    @property
    def subset(self) -> Subset:
        """The samples that the step's statistics are taken from, or that it reads again."""


class Status(StrEnum):
    """What becomes of an operation."""

    QUANTIZED = "quantized"
    PASSTHROUGH = "passthrough"
    FUSED = "fused"
    FLOAT = "float"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationPlan:
    """One operation's fate: the schemes of its inputs, or the reason why there are none."""

    name: str
    type: str
    status: Status
    activations: tuple[Scheme, ...] = ()
    weights: Scheme | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantPlan:
    """The resolved steps in order, and every operation's fate. `model` is the normalized model.

    `kinds`: what carries each step out, `quant.steps.table.OnStatistics` or `Inferring`.
    """

    target: str
    step_names: tuple[str, ...]
    steps: tuple[Planned, ...]
    operations: tuple[OperationPlan, ...]
    warnings: tuple[str, ...] = ()
    kinds: tuple[Any, ...] = field(compare=False, repr=False)
    model: ov.Model = field(compare=False, repr=False)
