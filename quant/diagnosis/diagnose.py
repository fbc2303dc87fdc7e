"""Where a quantized model loses its accuracy: two small passes of its own, in f32, that infer the
original and the quantized model as one graph. Reductions run inside the graph.

Outputs have a pass of their own: what reads the layers keeps OpenVINO from computing them as it
does in the model alone, and from any mistake that it makes there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from quant.diagnosis.alone import has_both
from quant.diagnosis.observers import ALL, NOISE, output_noise
from quant.diagnosis.pair import Pair, pair
from quant.diagnosis.probe import Key, Measure, Probe, Subject
from quant.diagnosis.shares import noise_shares
from quant.entry import OperationResult, Result
from quant.fold import forbid_dynamic_quantization
from quant.graph import view
from quant.plan import Status, Subset
from quant.runtime import opset, ov
from quant.statistics.calibration import measured
from quant.statistics.passes import Array, Samples, infer
from quant.statistics.tap import Tap

SIZE = 32
"""Samples that a diagnosis reads by default."""

FAULT_DB = 3.0
"""What rounding a tensor once more, where it is measured, does not explain: it costs up to half a
decibel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDiagnosis:
    """One quantized operation.

    Attributes:
        sqnr_db: signal to quantization noise at its output, bias included, with everything above it
            quantized as well; `inf` where both models agree, None where it was not measured.
        own_sqnr_db: the same with nothing above it quantized.
        noise_share: how much of the noise at the model's outputs is its own, 0 to 1.
        weights_share: how much of its own noise comes from its weights, 0 to 1, before the bias is
            corrected; the rest is its activations'.
        clipped: share of values outside the range, by quantizer of its activations.
        reason: why there is no finite SQNR.
    """

    name: str
    type: str
    sqnr_db: float | None
    own_sqnr_db: float | None
    noise_share: float | None
    weights_share: float | None
    clipped: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDiagnosis:
    """One output of the model: as `LayerDiagnosis`; `name` as the model names it.

    Attributes:
        observed_sqnr_db: `sqnr_db` while layers are measured, which keeps OpenVINO from computing
            some of them together.
    """

    name: str
    sqnr_db: float | None
    observed_sqnr_db: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What the pass found; `layers` in topological order."""

    layers: tuple[LayerDiagnosis, ...]
    outputs: tuple[OutputDiagnosis, ...]
    sample_count: int

    @property
    def worst(self) -> tuple[LayerDiagnosis, ...]:
        """The layers that were measured, those with most of the noise at the outputs first."""
        measured = [layer for layer in self.layers if layer.noise_share is not None]
        return tuple(sorted(measured, key=lambda layer: (-(layer.noise_share or 0), layer.name)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """The outputs that come out far worse than the noise of the layers accounts for."""
        return tuple(
            f"output {each.name!r} has {each.sqnr_db:.1f} dB, but {each.observed_sqnr_db:.1f} dB "
            "while its layers are measured one by one: OpenVINO computes something else than the "
            "quantized model says; see which operations in ignored change that"
            for each in self.outputs
            if each.sqnr_db is not None
            and each.observed_sqnr_db is not None
            and each.sqnr_db < each.observed_sqnr_db - FAULT_DB
        )


def diagnose(
    result: Result, samples: Samples, *, size: int = SIZE, clipping: bool = True
) -> Diagnosis:
    """What quantization did to every layer and output, over the first `size` samples.

    Args:
        clipping: whether the shares of clipped values are measured, too; a tenth of the cost.

    Raises:
        SamplesError: there are no samples, or one does not fit.
    """
    if not hasattr(samples, "__getitem__"):  # they are read twice
        samples = list(islice(samples, size))
    joined = pair(result.fp32, result.model)
    probes = [
        probe for observe in (ALL if clipping else NOISE) for probe in observe(joined, result)
    ]
    means, count = _means(joined, probes, samples, size)
    alone, _ = _means(joined, list(output_noise(joined, result)), samples, size)
    reasons = {p.key.subject: p.reason for p in probes if p.reason}
    layers = [each for each in result.operations if each.plan.status is Status.QUANTIZED]
    ends = {joined.biases.get(each.plan.name, each.plan.name): each.plan.name for each in layers}
    shares = noise_shares(view(result.fp32), ends, means)
    return Diagnosis(
        layers=tuple(_layer(each, means, shares, reasons) for each in layers),
        outputs=tuple(
            OutputDiagnosis(
                name=output.any_name if output.get_names() else str(position),
                sqnr_db=_sqnr_db(alone, position),
                observed_sqnr_db=_sqnr_db(means, position),
                reason=_reason(alone, reasons, position),
            )
            for position, output in enumerate(result.fp32.outputs)
        ),
        sample_count=count,
    )


def _layer(
    each: OperationResult,
    means: Mapping[Key, float],
    shares: Mapping[str, float],
    reasons: Mapping[Subject, str],
) -> LayerDiagnosis:
    name = each.plan.name
    clipped = {quantizer: means.get(Key(Measure.CLIPPED, quantizer)) for quantizer in each.ranges}
    found = _sqnr_db(means, name)
    return LayerDiagnosis(
        name=name,
        type=each.plan.type,
        sqnr_db=found,
        own_sqnr_db=_sqnr_db(means, name, Measure.OWN),
        noise_share=None if found is None else shares[name],
        weights_share=_weights_share(each, means),
        clipped={quantizer: share for quantizer, share in clipped.items() if share is not None},
        reason=_reason(means, reasons, name),
    )


def _weights_share(each: OperationResult, means: Mapping[Key, float]) -> float | None:
    """None where there is no noise, or it was not measured."""
    if not has_both(each):
        return 0.0 if each.plan.weights is None else 1.0
    weights, rest = (
        means.get(Key(measure, each.plan.name), 0.0)
        for measure in (Measure.WEIGHTS, Measure.ACTIVATIONS)
    )
    return weights / (weights + rest) if 0 < weights + rest < math.inf else None


def _reason(means: Mapping[Key, float], reasons: Mapping[Subject, str], subject: Subject) -> str:
    found = _sqnr_db(means, subject)
    if subject in reasons or (found is not None and math.isfinite(found)):
        return reasons.get(subject, "")
    return "its values are zero, or not all are finite" if found is None else "no noise at all"


def _sqnr_db(
    means: Mapping[Key, float], subject: Subject, measure: Measure = Measure.NOISE
) -> float | None:
    """Decibels from the mean squares of signal and noise; None where there is no such number."""
    signal = means.get(Key(Measure.SIGNAL, subject), 0.0)
    noise = means.get(Key(measure, subject), math.nan)
    if not math.isfinite(signal + noise) or signal == 0:
        return None
    return math.inf if noise == 0 else 10 * math.log10(signal / noise)


def _means(
    joined: Pair, probes: list[Probe], samples: Samples, size: int
) -> tuple[dict[Key, float], int]:
    """The mean of every probe over the first `size` samples, and how many there were."""
    places = {name: place for place, name in enumerate(joined.quantized)}
    placed = sorted(  # each right behind its tensor, see `calibration_model`
        (probe for probe in probes if probe.tensor is not None),
        key=lambda probe: places.get(probe.key.op, len(places)),
    )
    taps = [_tap(place, probe) for place, probe in enumerate(placed)]
    vector, layout = measured(taps, lambda tap: placed[int(tap.op)].tensor)
    if vector is None:
        return {}, 0
    model = ov.Model(
        [opset.result(vector)], list(joined.sinks), list(joined.parameters), "diagnosis"
    )
    if joined.is_wide:
        forbid_dynamic_quantization(model)
    row, total = np.empty((1, layout.width), dtype=np.float32), np.zeros(layout.width)

    def add(_: int, __: tuple[bool, ...], outputs: list[Array]) -> None:
        layout.fill(row[0], outputs[0])
        layout.complete(row)
        np.add(total, row[0], out=total)

    count = infer(model, samples, [Subset(size=size)], add)
    found = (float(total[layout.columns[tap][0]]) / count for tap in taps)
    return {probe.key: mean for probe, mean in zip(placed, found, strict=True)}, count


def _tap(place: int, probe: Probe) -> Tap:
    return Tap(
        op=str(place),
        port=0,
        reduction=probe.reduction,
        channel_axis=None,
        channels=1,
        outlier_prob=None,
    )
