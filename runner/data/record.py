"""What a loader reads, before preprocessing and before it is made to fit the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from runner.data.sample import Array

Origin = Path | int
"""What a record comes from: a file, which may be missing, or a number that no file holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One sample as it is stored: arrays by model input name, without the batch axis."""

    id: str
    arrays: Mapping[str, Array]
    label: Any = None


class Records(Protocol):
    """All that a loader found, in file order; `read` may be called from several threads."""

    @property
    def path(self) -> Path:
        """The file or folder, for messages."""

    @property
    def has_labels(self) -> bool:
        """Whether records carry labels."""

    @property
    def has_pictures(self) -> bool:
        """Whether records hold one picture `[height, width, channels]` for the only input."""

    def __len__(self) -> int: ...

    def read(self, index: int) -> Record: ...

    def origin(self, index: int) -> tuple[Origin, ...]:
        """All that the record comes from."""
