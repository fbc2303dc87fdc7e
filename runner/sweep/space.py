"""What a sweep varies: places of a recipe, each with values to choose from or a range.

steps.quantize.with.preset=performance,mixed      choices, as YAML
steps.quantize.with.ignored=[{}, {types: [Add]}]  the items of a list, where commas will not do
steps.quantize.with.stat_subset_size=50..300      whole numbers, or others: 0.1..0.9
steps.quantize.with.stat_subset_size=50..300:50   in steps from the first one on
steps.quantize.with.weight_decay=1e-4..1e-1:log   even in the logarithm
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.document.edits import Action, Edit, parse_edit, spell_path
from runner.document.scalars import parse_scalar
from runner.document.tree import Tree, plain_value
from runner.errors import DocumentError, Location, Problem, RecipeError

RANGE = re.compile(r"([^.,:]+(?:\.\d+)?)\.\.([^,:]+)(?::([^,:]+))?")
LOG = "log"
GRAMMAR = "write a,b,c, or low..high, low..high:step or low..high:log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers from `low` to `high`, both included; `step` None: any, of floats."""

    low: float
    high: float
    step: float | None = None
    is_log: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all of the numbers are whole."""
        return all(isinstance(each, int) for each in (self.low, self.high, self.step or 1))

    def values(self) -> tuple[float, ...] | None:
        """All numbers, where they can be counted."""
        if self.is_log or (self.step is None and not self.is_whole):
            return None
        step = self.step or 1
        count = int((self.high - self.low) / step + 1e-9) + 1
        return tuple(self.low + i * step for i in range(count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One place that is varied: `edit` sets it, to any of `choices` or a number of `range`."""

    name: str
    edit: Edit
    choices: tuple[Tree, ...] = ()
    range: Range | None = None

    def ends(self) -> tuple[Any, ...]:
        """Values that show whether the place takes all of them."""
        if self.range is None:
            return tuple(range(len(self.choices)))
        return tuple(dict.fromkeys((self.range.low, self.range.high)))

    def keys(self) -> tuple[Any, ...] | None:
        """Every value as `at` takes it, or None where they can't be counted."""
        return self.ends() if self.range is None else self.range.values()

    def at(self, key: Any) -> Edit:
        """The edit that sets a number of the range, or the choice of that index."""
        place = self.edit.value
        assert place is not None
        value = replace(place, value=key) if self.range is not None else self.choices[key]
        return replace(self.edit, value=value)

    def value(self, key: Any) -> Any:
        """The value itself."""
        return key if self.range is not None else plain_value(self.choices[key])


Point = tuple[Any, ...]
"""A key of every axis."""


def parse_axis(text: str) -> Axis:
    """The axis that stands behind `--over`.

    Raises:
        RecipeError: it is none; the problem points into the text.
    """
    try:
        edit = parse_edit(text, option="--over")
    except DocumentError as error:
        raise RecipeError(error.problems) from error
    if edit.action is not Action.SET or edit.value is None:
        raise _wrong(edit.path[0].location, "a sweep sets values; it can't add or remove")
    name = spell_path(each.text for each in edit.path)
    held = edit.value
    if isinstance(held.value, tuple):
        return Axis(name=name, edit=edit, choices=_distinct(held.value, held.location))
    if not isinstance(held.value, str):
        return Axis(name=name, edit=edit, choices=(held,))
    if ".." in held.value and (found := RANGE.fullmatch(held.value)):
        return Axis(name=name, edit=edit, range=_range(found, held.location))
    return Axis(name=name, edit=edit, choices=_distinct(tuple(_items(held)), held.location))


def expect_distinct(axes: Sequence[Axis]) -> None:
    """Raises RecipeError where two axes vary the same place."""
    names = [each.name for each in axes]
    for i, axis in enumerate(axes):
        if axis.name in names[:i]:
            raise _wrong(axis.edit.path[0].location, f"{axis.name!r} is varied already")


def grid(axes: Sequence[Axis], most: int) -> tuple[Point, ...] | None:
    """All points, where there are no more than `most`."""
    keys = [axis.keys() for axis in axes]
    count = 1
    for each in keys:
        if each is None:
            return None
        count *= len(each)
    if count > most:
        return None
    return tuple(itertools.product(*(each for each in keys if each is not None)))


def sample_points(axes: Sequence[Axis], most: int) -> tuple[Point, ...]:
    """Points that show what can't be right: all, or else one for each value, the other axes at
    their first."""
    points = grid(axes, most)
    if points is not None:
        return points
    first = tuple(axis.ends()[0] for axis in axes)
    varied = (
        (*first[:i], key, *first[i + 1 :]) for i, axis in enumerate(axes) for key in axis.ends()
    )
    return tuple(dict.fromkeys(varied))


def edits_at(axes: Sequence[Axis], point: Point) -> tuple[Edit, ...]:
    """What sets a recipe to a point."""
    return tuple(axis.at(key) for axis, key in zip(axes, point, strict=True))


def values_at(axes: Sequence[Axis], point: Point) -> dict[str, Any]:
    """The values at a point, by their places."""
    return {axis.name: axis.value(key) for axis, key in zip(axes, point, strict=True)}


def _items(held: Tree) -> Iterator[Tree]:
    """The parts between commas, each with its place."""
    start = 0
    for part in str(held.value).split(","):
        lead = len(part) - len(part.lstrip())
        text, place = part.strip(), held.location
        at = replace(place, column=place.column + start + lead, length=max(1, len(text)))
        if not text:
            raise _wrong(at, "expected a value here")
        try:
            yield Tree(value=parse_scalar(text), location=at)
        except ValueError as error:
            raise _wrong(at, str(error)) from error
        start += len(part) + 1


def _distinct(items: tuple[Tree, ...], place: Location) -> tuple[Tree, ...]:
    if not items:
        raise _wrong(place, "there is nothing to choose from")
    seen: set[str] = set()
    for each in items:
        text = json.dumps(plain_value(each), sort_keys=True)
        if text in seen:
            raise _wrong(each.location, "the value is repeated")
        seen.add(text)
    return items


def _range(found: re.Match[str], place: Location) -> Range:
    low, high = (_number(found, i, place) for i in (1, 2))
    if low >= high:
        raise _wrong(place, f"the range ends at {high:g}, which is not above {low:g}")
    if found[3] == LOG:
        if low <= 0:
            raise _wrong(place, f"a logarithm needs numbers above 0, but this begins at {low:g}")
        return Range(low=low, high=high, is_log=True)
    step = None if found[3] is None else _number(found, 3, place)
    if step is not None and not 0 < step <= high - low:
        raise _wrong(place, f"a step lies above 0 and within the range, but this is {step:g}")
    return Range(low=low, high=high, step=step)


def _number(found: re.Match[str], group: int, place: Location) -> float:
    text = found[group].strip()
    try:
        value = parse_scalar(text)
    except ValueError:
        value = text
    if isinstance(value, bool) or not isinstance(value, int | float):
        start = place.column + found.start(group)
        at = replace(place, column=start, length=max(1, len(found[group])))
        raise _wrong(at, f"expected a number, but this is {text!r}")
    return value


def _wrong(place: Location, message: str) -> RecipeError:
    return RecipeError([Problem(place, message, GRAMMAR)])
