"""Products of matrices in pieces that OpenBLAS computes on one thread.

Of a larger one its other threads wait for each other in a loop, which takes many times as long as
the product where they do not all run at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LARGEST_PRODUCT = 2**18
"""Multiplications up to which OpenBLAS starts no further thread. Source: OpenBLAS 0.3,
interface/gemm.c, 65,536 times GEMM_MULTITHREAD_THRESHOLD."""

_ROWS = 32
"""Rows of a piece: with few columns, many rows would be slower."""


def product(a: Array, b: Array) -> Array:
    """a @ b, of two stacks of as many matrices.

    >>> product(np.ones((1, 2, 3)), np.ones((1, 3, 4))).sum().item()
    24.0
    """
    rows = min(a.shape[1], _ROWS)
    columns = max(1, LARGEST_PRODUCT // max(1, rows * a.shape[2]))
    if rows == a.shape[1] and columns >= b.shape[2]:
        return np.asarray(a @ b)
    found = np.empty((len(a), a.shape[1], b.shape[2]), dtype=np.result_type(a, b))
    for first in range(0, a.shape[1], rows):
        above = slice(first, first + rows)
        for start in range(0, b.shape[2], columns):
            piece = slice(start, start + columns)
            np.matmul(a[:, above], b[..., piece], out=found[:, above, piece])
    return found
