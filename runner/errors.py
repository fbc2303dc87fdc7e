"""Every error that the runner raises on purpose, and the exit code that each one leads to.

    RunnerError
    ├── UsageError             2  the command line is wrong
    ├── DocumentError          2  a YAML document is wrong; holds every problem found in it
    │   ├── RecipeError
    │   └── DescriptorError
    ├── MissingError           4  this environment lacks something
    │   ├── MissingExtra          an optional package
    │   ├── MissingDevice         an inference device
    │   ├── MissingRoot           a named root of paths
    │   ├── MissingVariable       a variable of the environment
    │   ├── MissingTool           a program
    │   ├── MissingCatalog        a catalog that a recipe extends
    │   ├── PluginError           an installed package that adds something is broken
    │   └── CatalogError          a catalog can't be had, or is not as it is locked
    ├── LimitMissed            1  accuracy control missed its limit, with `on_miss: fail`
    └── RunError               3  a run crashed
        ├── ModelError            the model can't be read, compiled or executed
        └── DataError             a dataset, or one sample of it, can't be used

Errors of `quant` and of OpenVINO are mapped into these once, in `runner.foreign_errors`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LONGEST, BEFORE, CUT = 160, 60, "..."
"""Characters of a source line that are shown, those before the place, and a sign for others."""
MOST_PROBLEMS = 100
"""Problems of one document that are looked for and shown."""


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A span in a text file: `line` and `column` count from 1, `length` is in characters."""

    path: Path
    line: int
    column: int
    length: int = 1
    source: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a document, where it stands, and what to do about it."""

    location: Location
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """`path:line:column: message`, the source line, and a caret under the span."""
        number = str(self.location.line)
        margin = " " * len(number)
        lines = [f"{self.location}: {self.message}"]
        if self.location.source:
            lines += [f" {number} | {self._shown[0]}", f" {margin} | {self._shown[1]}"]
        if self.hint:
            lines.append(f" {margin} = {self.hint}")
        return "\n".join(lines)

    @property
    def _shown(self) -> tuple[str, str]:
        """The source line, a stretch of it where it is long, and carets to stand below it."""
        source, start = self.location.source, self.location.column - 1
        cut = max(0, start - BEFORE) if len(source) > LONGEST else 0
        shown = source[cut : cut + LONGEST]
        lead = "".join("\t" if c == "\t" else " " for c in shown[: start - cut])
        carets = "^" * max(1, min(self.location.length, len(shown) - len(lead)))
        left, right = CUT * (cut > 0), CUT * (cut + LONGEST < len(source))
        return f"{left}{shown}{right}", f"{' ' * len(left)}{lead}{carets}"


class RunnerError(Exception):
    """Base of everything that the runner raises on purpose."""

    exit_code = 3


class _There(RunnerError):
    """What names its place in a recipe."""

    def __init__(self, message: str, location: Location) -> None:
        self.message, self.location = message, location
        super().__init__(message, location)

    def __str__(self) -> str:
        return f"{self.location}: {self.message}"


class UsageError(RunnerError):
    """The command line can't be carried out as written."""

    exit_code = 2


class DocumentError(RunnerError):
    """A document can't be used; `problems` holds what is wrong in it, sorted by position."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        found = sorted(set(problems), key=lambda p: (p.location, p.message))
        self.problems = tuple(found[:MOST_PROBLEMS])
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class RecipeError(DocumentError):
    """A recipe is wrong."""


class DescriptorError(DocumentError):
    """A hardware descriptor is wrong."""


class MissingError(RunnerError):
    """The environment lacks something that the recipe needs."""

    exit_code = 4


class MissingExtra(MissingError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, needed_by: str) -> None:
        self.package, self.extra, self.needed_by = package, extra, needed_by
        super().__init__(package, extra, needed_by)

    def __str__(self) -> str:
        return (
            f"{self.needed_by} needs the package {self.package!r}, which is not installed; "
            f"install it with: pip install 'recipe-runner[{self.extra}]'"
        )


class _MissingThere(_There, MissingError):
    """Something that a place of a recipe asks for."""


class MissingDevice(_MissingThere):
    """A device that was asked for is not on this machine."""


class MissingRoot(_MissingThere):
    """A path uses a named root that is not set."""


class MissingVariable(_MissingThere):
    """A reference names an environment variable that is not set."""


class MissingTool(MissingError):
    """A program that is needed is not installed."""


class MissingCatalog(_MissingThere):
    """A recipe extends one of a catalog that is not on this machine as it is locked."""


class CatalogError(MissingError):
    """A catalog can't be fetched, or is not what `recipe.lock` says."""


class PluginError(MissingError):
    """A package that adds loaders, metrics or steps can't be used."""


class LimitMissed(_There):
    """Accuracy control did not reach its limit, and the recipe wants that to be an error."""

    exit_code = 1


class RunError(RunnerError):
    """A run crashed."""


class ModelError(RunError):
    """The model can't be read, compiled or executed."""


class DataError(RunError):
    """A dataset, or one sample of it, can't be used."""

    def __init__(self, message: str, path: Path | None = None, line: int | None = None) -> None:
        self.message, self.path, self.line = message, path, line
        super().__init__(message, path, line)

    def __str__(self) -> str:
        place = (
            ""
            if self.path is None
            else f"{self.path}:" + ("" if self.line is None else f"{self.line}:")
        )
        return f"{place} {self.message}".strip()
