"""Arrays and plain data as the bytes of an .npz file, and back; nothing in it is ever executed."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from runner.data.sample import Array

_PLAIN = "plain"


def encode(plain: Any, arrays: Mapping[str, Array]) -> bytes:
    """Plain JSON data and named arrays as bytes."""
    file = io.BytesIO()
    text = np.frombuffer(json.dumps(plain).encode(), dtype=np.uint8)
    np.savez(file, allow_pickle=False, **{_PLAIN: text}, **arrays)
    return file.getvalue()


def decode(content: bytes) -> tuple[Any, dict[str, Array]]:
    """What `encode` was given."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(arrays.pop(_PLAIN).tobytes()), arrays
