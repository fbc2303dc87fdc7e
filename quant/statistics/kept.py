"""Values of every sample, for aggregators that have to see them all: in memory while they are few,
on disk beyond that."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]

MOST_BYTES = 1 << 24
"""What is held in memory."""


class KeptRows:
    """Rows of f32 values, one per sample, until they are closed; `count` of them."""

    def __init__(self, width: int) -> None:
        self._width, self.count = width, 0
        self._file = SpooledTemporaryFile(max_size=MOST_BYTES)  # noqa: SIM115 - until `close`

    def add(self, rows: Rows) -> None:
        """Takes rows `[samples, width]` behind those that are there."""
        self._file.seek(0, 2)
        self._file.write(rows.astype(np.float32, copy=False).tobytes())
        self.count += len(rows)

    def columns(self, places: NDArray[np.intp]) -> Rows:
        """`[samples, places]`; quick where they lie close together."""
        first, last = (int(places.min()), int(places.max()) + 1) if len(places) else (0, 0)
        found = np.empty((self.count, last - first), dtype=np.float32)
        for row, values in enumerate(found):
            self._file.seek(4 * (row * self._width + first))
            values[:] = np.frombuffer(self._file.read(4 * len(values)), dtype=np.float32)
        return found[:, places - first]

    def close(self) -> None:
        """Lets go of the values, on disk as well."""
        self._file.close()
