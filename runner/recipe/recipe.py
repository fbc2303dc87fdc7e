"""The Recipe type: what the user wrote, checked, typed and resolved for one target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from runner.errors import Location
from runner.expect.subjects import FP32

Key = str | int
KeyPath = tuple[Key, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Words about a recipe; none of them changes what runs."""

    title: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    license: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """A model file; `inputs` makes the named inputs' shapes static."""

    path: Path
    sha256: str | None = None
    inputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSource:
    """A dataset for one role; `options` are the loader's own keys, paths in them made absolute.

    `samples`: how many (None: all); without `shuffle` the first ones in file order.
    `preprocessing`: each a mapping with `use` and that step's own keys, in order.
    """

    loader: str
    options: Mapping[str, Any]
    preprocessing: tuple[Mapping[str, Any], ...] = ()
    samples: int | None = None
    shuffle: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSource:
    """A hardware target: the name of a descriptor that ships, or a file."""

    name: str
    path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSource:
    """One algorithm step, `parameters` as written."""

    id: str
    use: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSource:
    """One metric under the name that the report shows; `options` are the metric's own keys."""

    name: str
    metric: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSource:
    """How to measure speed: OpenVINO's performance hint, seconds per repeat, repeats in turn."""

    hint: str = "throughput"
    seconds: float = 5.0
    repeats: int = 3


class Severity(StrEnum):
    """What a missed bound leads to: exit code 1, or words."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedFailure:
    """Why a check is known to miss its bound, and the last day on which that is accepted."""

    reason: str
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One named check: `metric` against `bound`, of the kind that names the bound's meaning.

    Attributes:
        kind: a key of `runner.expect.subjects.BOUNDS`.
        against: what it is compared with: fp32 | baseline | step:ID.
        confidence: the level of the interval that decides; None: the point estimate does.
        when: conditions by name, each with the values of which one has to hold.
        where: the place of the bound in the recipe.
    """

    id: str
    metric: str
    kind: str
    bound: float
    drop_type: str = "absolute"
    against: str = FP32
    confidence: float | None = None
    severity: Severity = Severity.ERROR
    when: Mapping[str, tuple[str | bool, ...]] = field(default_factory=dict)
    xfail: ExpectedFailure | None = None
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Where results go (relative to the working directory) and which reports are written."""

    dir: Path
    reports: tuple[str, ...] = ("json", "html")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One recipe resolved for one target. `document` is the resolved content as plain data.

    An abstract recipe is a fragment that is never run: its model's path may be empty, and steps,
    loaders or metrics may lack their names.

    `files`: the recipe's own and those of its bases. `profile`: the one that was put over it.
    """

    path: Path
    name: str
    target: TargetSource
    model: ModelSource
    steps: tuple[StepSource, ...]
    datasets: Mapping[str, DatasetSource] = field(default_factory=dict)
    metrics: tuple[MetricSource, ...] = ()
    benchmark: BenchmarkSource | None = None
    expect: tuple[Expectation, ...] = ()
    outputs: Outputs
    metadata: Metadata = field(default_factory=Metadata)
    abstract: bool = False
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    locations: Mapping[KeyPath, Location] = field(default_factory=dict, repr=False, compare=False)
    files: tuple[Path, ...] = field(default=(), compare=False)
    profile: str | None = None

    def locate(self, *keys: Key) -> Location:
        """The place of the value at `keys`, or of the nearest enclosing value that was written."""
        path = tuple(keys)
        while path and path not in self.locations:
            path = path[:-1]
        return self.locations.get(path, Location(self.path, 1, 1))
