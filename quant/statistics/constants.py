"""Constants of whole numbers that operations of one graph share: each costs time to compile."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from quant.runtime import opset, ov


class Constants:
    """Vectors of i64, each made only once."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, ...], ov.Node] = {}

    def __call__(self, values: Iterable[int]) -> ov.Node:
        key = tuple(values)
        if key not in self._made:
            self._made[key] = opset.constant(np.array(key, dtype=np.int64))
        return self._made[key]
