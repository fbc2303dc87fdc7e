"""Optional packages: which ones there are, and whether one is missing, without importing it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from runner.errors import MissingExtra


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """An optional package: name on the package index, module to import, extra that installs it."""

    package: str
    module: str
    name: str


VISION = Extra(package="pillow", module="PIL", name="vision")
TEXT = Extra(package="tokenizers", module="tokenizers", name="text")
DETECTION = Extra(package="pycocotools", module="pycocotools", name="detection")
SEARCH = Extra(package="optuna", module="optuna", name="search")


def missing(extra: Extra | None, needed_by: str) -> MissingExtra | None:
    """The error for `extra` when it is not installed, else None."""
    if extra is None or find_spec(extra.module) is not None:
        return None
    return MissingExtra(extra.package, extra.name, needed_by)
