"""Metric `agreement`: how near the outputs are to the FP32 model's, for data without labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log10

import numpy as np

from runner.data.sample import Array, Sample
from runner.errors import ModelError
from runner.metrics.interval import Interval, drop_interval_of_means
from runner.metrics.metric import Outputs
from runner.metrics.outputs import choose_output, is_class_scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Sums of squares over one sample: of the FP32 outputs, and of what differs from them."""

    signal: float
    noise: float


Outcome = float | Power


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Share of equal top-1 classes, or SQNR in dB over all samples.

    Attributes:
        output: the output to compare; None: the only one, or for SQNR all of them together.
        compare: `top_1`, `sqnr`, or `auto`: top-1 for one output `[1, C]`, SQNR for anything else.
    """

    higher_is_better = True
    needs_labels = False

    output: str | None = None
    compare: str = "auto"

    def outcome(self, outputs: Outputs, sample: Sample, reference: Outputs) -> Outcome:
        if self._is_top_1(reference):
            ours = choose_output(outputs, self.output, "agreement on top_1")
            theirs = choose_output(reference, self.output, "agreement on top_1")
            _check_shapes(ours, theirs)
            return float(not np.isnan(ours).any() and np.argmax(ours) == np.argmax(theirs))
        names = [self.output] if self.output is not None else list(reference)
        pairs = [_pair(outputs, reference, name) for name in names]
        return _power(pairs, sample)

    def value(self, outcomes: Sequence[Outcome]) -> float | None:
        """The share, or dB; None where nothing differs, as FP32 does not differ from itself."""
        powers = [item for item in outcomes if isinstance(item, Power)]
        if powers:
            return sqnr_db(sum(p.signal for p in powers), sum(p.noise for p in powers))
        equal = _shares(outcomes)
        return float(np.mean(equal)) if equal else None

    def drop_interval(
        self, fp32: Sequence[Outcome], quantized: Sequence[Outcome]
    ) -> Interval | None:
        """For top-1 only: FP32 has no finite SQNR to drop from."""
        return drop_interval_of_means(_shares(fp32), _shares(quantized))

    def _is_top_1(self, reference: Outputs) -> bool:
        if self.compare != "auto":
            return self.compare == "top_1"
        if self.output is None and len(reference) > 1:
            return False
        return is_class_scores(choose_output(reference, self.output, "agreement"))


def sqnr_db(signal: float, noise: float) -> float | None:
    """10 log10(signal / noise), or None where that is not finite.

    >>> sqnr_db(100.0, 1.0), sqnr_db(100.0, 0.0)
    (20.0, None)
    """
    return 10 * log10(signal / noise) if signal > 0 and noise > 0 else None


def _shares(outcomes: Sequence[Outcome]) -> list[float]:
    return [item for item in outcomes if not isinstance(item, Power)]


def _pair(outputs: Outputs, reference: Outputs, name: str) -> tuple[Array, Array]:
    ours = choose_output(outputs, name, "agreement")
    theirs = choose_output(reference, name, "agreement")
    _check_shapes(ours, theirs)
    return ours.astype(float), theirs.astype(float)


def _power(pairs: Sequence[tuple[Array, Array]], sample: Sample) -> Power:
    signal = sum(float(np.vdot(theirs, theirs)) for _, theirs in pairs)
    noise = sum(float(np.sum((ours - theirs) ** 2)) for ours, theirs in pairs)
    if not (isfinite(signal) and isfinite(noise)):
        message = (
            f"the outputs for sample {sample.id!r} hold NaN or infinite values, which have no "
            "SQNR; compare another 'output', or use 'compare: top_1'"
        )
        raise ModelError(message)
    return Power(signal=signal, noise=noise)


def _check_shapes(ours: Array, theirs: Array) -> None:
    if ours.shape != theirs.shape:
        message = f"the output has shape {list(ours.shape)}, and FP32's has {list(theirs.shape)}"
        raise ModelError(message)
