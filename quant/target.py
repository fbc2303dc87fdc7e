"""Target: what a device can execute, per operation type, with its schemes in order of speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quant.scheme import Preset, Scheme

DEPTHWISE = "DepthwiseConvolution"
"""GroupConvolution (or Convolution) with as many groups as input channels: a name of descriptors
only."""

EMBEDDING = "Embedding"
"""Gather from a floating-point constant: a name of descriptors only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """How a device executes one operation type in integers.

    Each tuple holds candidate schemes, fastest first; an empty one means that those tensors stay in
    floating point. `unified_scales` names groups of ports that must share one range: `"all"`, or
    tuples of port numbers.
    """

    activations: tuple[Scheme, ...] = ()
    weights: tuple[Scheme, ...] = ()
    outputs: tuple[Scheme, ...] = ()
    unified_scales: str | tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A hardware target.

    Attributes:
        name: the descriptor's name.
        device: OpenVINO's device name, or None where no plugin exists any more (gna, vpu).
        isa: the instruction set, a name in `quant.isa.SATURATES` or `detect`; None: it does not
            saturate.
        emulate_on: the device that evaluates in its stead.
        operations: support per operation type; a type that is missing stays in floating point.
        passthrough: types that quantized tensors flow through unchanged.
        presets: aliases, e.g. accuracy -> mixed where the two are the same.
        primary_bitwidth: the preferred width where candidate lists meet.
        input_priority_types: types whose input schemes win where quantizers meet.
    """

    name: str
    device: str | None = None
    isa: str | None = None
    emulate_on: str = "CPU"
    operations: Mapping[str, Support] = field(default_factory=dict)
    passthrough: frozenset[str] = frozenset()
    presets: Mapping[Preset, Preset] = field(default_factory=dict)
    primary_bitwidth: int = 8
    input_priority_types: tuple[str, ...] = ()

    @property
    def quantizes_outputs(self) -> bool:
        """Whether results have schemes of their own, besides those of what reads them."""
        return any(support.outputs for support in self.operations.values())

    def preset(self, preset: Preset) -> Preset:
        """The preset that this target runs when `preset` is asked for."""
        return self.presets.get(preset, preset)
