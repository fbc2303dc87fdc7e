"""Sums over samples in two parts: those to tune on, and those that tell whether it helped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

HELD_OUT = 5
"""Every fifth sample, the second one first, tells whether a change helps, and is not tuned on."""


@dataclass(slots=True)
class Seen:
    """Sums of a model's outputs, which are reduced values, over samples.

    `sums`: of the samples to tune on, and of those held out; empty where there were none.
    """

    sums: list[list[Array]] = field(default_factory=lambda: [[], []])
    count: int = 0

    @property
    def is_split(self) -> bool:
        """Whether there were samples of both parts: two are enough."""
        return all(self.sums)

    def add(self, _: int, values: list[Array]) -> None:
        """Takes the outputs for one sample."""
        part = int(self.count % HELD_OUT == 1)
        self.count += 1
        if not self.sums[part]:
            self.sums[part] = [value.astype(np.float64) for value in values]
            return
        for total, value in zip(self.sums[part], values, strict=True):
            total += value
