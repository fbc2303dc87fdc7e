"""What installed packages add to our tables: loaders, metrics and steps, by entry points.

A package is imported when a recipe uses a name of its; until then its names are all that is known
of it, so one that is broken harms nobody else. What ships can't be replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Generic, TypeVar

from runner.errors import PluginError

T = TypeVar("T")
LOADERS = "recipe.loaders"
METRICS = "recipe.metrics"
STEPS = "recipe.steps"
GROUPS = (LOADERS, METRICS, STEPS)
Blame = Callable[[str], PluginError]
"""The error for a package, from what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Mapping[str, T], Generic[T]):
    """A table of ours and, behind it, the entry points of a group.

    Attributes:
        view: what the table holds of what an entry point names, which has a `schema`: the rules of
            its keys in a recipe. It blames the package for what is wrong with that.
    """

    own: Mapping[str, T]
    group: str
    view: Callable[[Any, Blame], T]

    def __getitem__(self, name: str) -> T:
        """The entry; that of a package is imported.

        Raises:
            PluginError: the package is broken.
        """
        if name in self.own:
            return self.own[name]
        return self.view(_loaded(self.group, name), partial(broken, self.group, name))

    def __contains__(self, name: object) -> bool:
        return name in self.own or name in _installed(self.group)

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        yield from (name for name in sorted(_installed(self.group)) if name not in self.own)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def plugin_files() -> Iterator[Path]:
    """The source files of all packages that add something, without importing them."""
    packages = {each.module.partition(".")[0] for group in GROUPS for each in _all(group)}
    for name in sorted(packages):
        spec = find_spec(name)
        for folder in (spec and spec.submodule_search_locations) or ():
            yield from sorted(Path(folder).rglob("*.py"))
        if spec is not None and spec.has_location:
            yield Path(str(spec.origin))


@cache
def _all(group: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=group))


def _installed(group: str) -> dict[str, EntryPoint]:
    return {each.name: each for each in _all(group)}


@cache
def _loaded(group: str, name: str) -> Any:
    """What the entry point names."""
    found = [each for each in _all(group) if each.name == name]
    if not found:
        raise KeyError(name)
    if len(found) > 1:
        packages = " and ".join(sorted(_package(each) for each in found))
        message = f"several packages bring {name!r} ({group}): {packages}; uninstall one of them"
        raise PluginError(message)
    (point,) = found
    try:
        loaded = point.load()
    except Exception as error:  # whatever the package raises
        reason = f"{type(error).__name__}: {error}"
        raise broken(group, name, f"it can't be imported: {reason}") from error
    if not hasattr(loaded, "schema") or loaded.schema is None:
        raise broken(group, name, f"{point.value} has no schema")
    return loaded


def broken(group: str, name: str, reason: str) -> PluginError:
    """The error for an entry point whose package is broken."""
    package = _package(_installed(group)[name])
    return PluginError(f"{name!r} ({group}) of the package {package} is broken: {reason}")


def _package(point: EntryPoint) -> str:
    return point.value if point.dist is None else f"{point.dist.name} {point.dist.version}"
