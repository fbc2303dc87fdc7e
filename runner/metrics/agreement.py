"""Metric `agreement`: how near the outputs are to the FP32 model's, for data without labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10

import numpy as np

from runner.data.sample import Array, Sample
from runner.errors import ModelError
from runner.metrics.jackknife import pseudo_values
from runner.metrics.metric import Outputs, Packed
from runner.metrics.outputs import choose_output, is_class_scores

NAME = "agreement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Sums of squares over one sample: of the FP32 outputs, and of what differs from them."""

    signal: float
    noise: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TopClass:
    """The index of the highest of scores `shape`, -1 where one of them is NaN."""

    index: int
    shape: tuple[int, ...]


Answer = TopClass | Mapping[str, Array]
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

    @property
    def is_share(self) -> bool:
        """Whether it can be one: `auto` is decided by the outputs."""
        return self.compare != "sqnr"

    def answer(self, outputs: Outputs, sample: Sample) -> Answer:
        """The class; for SQNR the outputs themselves."""
        if self._is_top_1(outputs):
            scores = choose_output(outputs, self.output, "agreement on top_1")
            index = -1 if np.isnan(scores).any() else int(np.argmax(scores))
            return TopClass(index=index, shape=scores.shape)
        names = [self.output] if self.output is not None else list(outputs)
        return {name: _finite(choose_output(outputs, name, "agreement"), sample) for name in names}

    def outcome(self, answer: Answer, reference: Answer) -> Outcome:
        if isinstance(answer, TopClass) and isinstance(reference, TopClass):
            _check_shapes(answer.shape, reference.shape)
            return float(answer.index == reference.index >= 0)
        assert not isinstance(answer, TopClass)
        assert not isinstance(reference, TopClass)
        return _power([_pair(answer[name], reference[name]) for name in reference])

    def pack(self, answer: Answer) -> Packed | None:
        if not isinstance(answer, TopClass):
            return None
        return {"index": np.array([answer.index]), "shape": np.array(answer.shape)}

    def unpack(self, packed: Packed) -> TopClass:
        return TopClass(index=int(packed["index"][0]), shape=tuple(packed["shape"].tolist()))

    def value(self, outcomes: Sequence[Outcome]) -> float | None:
        """The share, or dB; None where nothing differs, as FP32 does not differ from itself."""
        powers = _powers(outcomes)
        if powers:
            return sqnr_db(sum(p.signal for p in powers), sum(p.noise for p in powers))
        equal = _shares(outcomes)
        return float(np.mean(equal)) if equal else None

    def contributions(self, outcomes: Sequence[Outcome]) -> Sequence[float]:
        powers = _powers(outcomes)
        if not powers:
            return _shares(outcomes)
        if self.value(outcomes) is None:
            return ()
        table = np.array([(p.signal, p.noise) for p in powers])
        return pseudo_values(lambda weights: _decibels(weights @ table), len(powers))

    def _is_top_1(self, outputs: Outputs) -> bool:
        if self.compare != "auto":
            return self.compare == "top_1"
        if self.output is None and len(outputs) > 1:
            return False
        return is_class_scores(choose_output(outputs, self.output, "agreement"))


def sqnr_db(signal: float, noise: float) -> float | None:
    """10 log10(signal / noise), or None where that is not finite.

    >>> sqnr_db(100.0, 1.0), sqnr_db(100.0, 0.0)
    (20.0, None)
    """
    return 10 * log10(signal / noise) if signal > 0 and noise > 0 else None


def _decibels(powers: Array) -> Array:
    """SQNR `[r]` of signal and noise `[r, 2]`; NaN where that is not finite."""
    signal, noise = powers.T
    with np.errstate(divide="ignore", invalid="ignore"):
        found = 10 * np.log10(signal / noise)
    return np.where(np.isfinite(found), found, np.nan)


def _powers(outcomes: Sequence[Outcome]) -> list[Power]:
    return [item for item in outcomes if isinstance(item, Power)]


def _shares(outcomes: Sequence[Outcome]) -> list[float]:
    return [item for item in outcomes if not isinstance(item, Power)]


def _pair(ours: Array, theirs: Array) -> tuple[Array, Array]:
    _check_shapes(ours.shape, theirs.shape)
    return ours.astype(float), theirs.astype(float)


def _power(pairs: Sequence[tuple[Array, Array]]) -> Power:
    return Power(
        signal=sum(float(np.vdot(theirs, theirs)) for _, theirs in pairs),
        noise=sum(float(np.sum((ours - theirs) ** 2)) for ours, theirs in pairs),
    )


def _finite(output: Array, sample: Sample) -> Array:
    if not np.isfinite(output).all():
        message = (
            f"the outputs for sample {sample.id!r} hold NaN or infinite values, which have no "
            "SQNR; compare another 'output', or use 'compare: top_1'"
        )
        raise ModelError(message)
    return output


def _check_shapes(ours: tuple[int, ...], theirs: tuple[int, ...]) -> None:
    if ours != theirs:
        message = f"the output has shape {list(ours)}, and FP32's has {list(theirs)}"
        raise ModelError(message)
