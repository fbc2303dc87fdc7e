"""Signal to quantization noise at a model's outputs, sample by sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.control.gain import Gain, Reading, paired_gain
from quant.plan import Subset
from quant.runtime import ov
from quant.statistics.kept import MOST_BYTES
from quant.statistics.passes import Samples, infer

Array = NDArray[Any]

SQNR = "sqnr_db"
"""The name of the reading, in dB."""

LARGEST_DB = 200.0
"""What stands for no noise at all, and its negative for outputs that are not finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputNoise:
    """Compares models' outputs with FP32's, which are inferred once and kept, on disk where they
    are many. Outputs count equally; those of whole numbers only where there are no others."""

    samples: Samples
    subset: Subset
    outputs: tuple[int, ...]
    file: Any = field(repr=False)

    def measure(self, model: ov.Model) -> Mapping[str, Reading]:
        self.file.seek(0)
        found: list[float] = []

        def add(values: list[Array]) -> None:
            found.append(_sqnr_db([(_read(self.file), values[each]) for each in self.outputs]))

        _infer(model, self.samples, self.subset, add)
        each = np.array(found)
        known = each[np.isfinite(each)]
        value = float(known.mean()) if len(known) else float("nan")
        return {SQNR: Reading(value=value, outcomes=each)}

    def gain(self, name: str, before: Reading, after: Reading) -> Gain:
        return paired_gain(before.outcomes, after.outcomes)


@contextmanager
def output_noise(model: ov.Model, samples: Samples, size: int, seed: int) -> Iterator[OutputNoise]:
    """The yardstick for models that were made of this one, on `size` samples, drawn where their
    number is known, else the first.

    Raises:
        SamplesError: there are no samples, or one does not fit.
    """
    subset = Subset(size=size, shuffle=isinstance(samples, Sized), seed=seed)
    real = tuple(i for i, each in enumerate(model.outputs) if each.get_element_type().is_real())
    outputs = real or tuple(range(len(model.outputs)))
    with SpooledTemporaryFile(max_size=MOST_BYTES) as file:

        def add(values: list[Array]) -> None:
            for each in outputs:
                np.lib.format.write_array(file, values[each], allow_pickle=False)

        _infer(model, samples, subset, add)
        yield OutputNoise(samples=samples, subset=subset, outputs=outputs, file=file)


def _infer(
    model: ov.Model, samples: Samples, subset: Subset, add: Callable[[list[Array]], None]
) -> None:
    infer(model, samples, [subset], lambda _, __, values: add(values))


def _read(file: Any) -> Array:
    found: Array = np.lib.format.read_array(file, allow_pickle=False)
    return found


def _sqnr_db(pairs: list[tuple[Array, Array]]) -> float:
    """Decibels over the mean of the outputs' shares of noise, of pairs of FP32's values and the
    other model's.

    NaN where nothing can be compared: FP32's values are zero or not finite, or the model finds
    another number of things.

    >>> round(_sqnr_db([(np.array([3.0, 4.0]), np.array([3.0, 4.5]))]), 3)
    20.0
    """
    shares = [each for fp32, other in pairs if (each := _share(fp32, other)) is not None]
    if not shares:
        return float("nan")
    with np.errstate(divide="ignore"):
        found = -10 * np.log10(np.mean(shares))
    return float(np.clip(found, -LARGEST_DB, LARGEST_DB))


def _share(fp32: Array, other: Array) -> float | None:
    """The power of the noise as a share of the signal's."""
    if fp32.shape != other.shape:
        return None
    finite = np.isfinite(fp32)
    signal, found = fp32[finite].astype(float), other[finite].astype(float)
    power = float(signal @ signal)
    if power == 0:
        return None
    noise = float(np.sum((found - signal) ** 2)) if np.isfinite(found).all() else float("inf")
    return noise / power
